"""The gallery of a run: pictures with masks, boxes and tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from loupe.codec import Codec
from loupe.drawing import PALETTE
from loupe.evals.page import (
    Html,
    Spot,
    card,
    cards,
    chip,
    facts,
    join,
    page,
    paragraph,
    picture,
    row,
    section,
    table,
    tag,
    words,
    write_page,
)
from loupe.frame import squash
from loupe.image import Image
from loupe.models.refined import Refined
from loupe.refining.spatial import spatial

MOST = 30  # things drawn on one picture
LABELLED = 12  # things a picture may have before their names stand below it alone


def gallery(path: Path, found: Iterable[tuple[Image, Refined]], counts: Counter, names: Counter,
            missed: Sequence[Sequence[str]], parts: Mapping[str, str], codec: Codec) -> Path:
    """parts: the refiner's, by what they do. codec: of the spatial text."""
    total, things = counts["pictures"], counts["things"]
    tiles = [("Pictures", f"{total:,}", f"{counts['with nothing found']:,} with nothing found"),
             ("Things", f"{things:,}", f"{things / max(1, total):.1f} a picture"),
             ("Names", f"{len(names):,}", f"{counts['tags']:,} tags"), ("Unreadable", f"{len(missed):,}", "left out")]
    drawn = [_card(*each, codec) for each in found]
    of = f"{len(drawn):,} of {total:,}. " if len(drawn) < total else ""
    sections = [section("What was found", facts(tiles)),
                section("Pictures", cards(drawn), note=f"{of}Each thing has a colour: its mask, its box and its name. "
                        "Point at a name to single it out; the number is its score."),
                section("Names", table(names.most_common(60), ("name", "things")) if names
                        else paragraph("Nothing was found anywhere."))]
    if missed:
        sections.append(section("Unreadable", table(missed[:60], ("picture", "why"))))
    said = set(parts.values())
    lead = said.pop() if len(said) == 1 else ", ".join(f"{part}: {name}" for part, name in parts.items())
    return write_page(page("Refined pictures", *sections, lead=lead), path)


def _card(image: Image, refined: Refined, codec: Codec) -> Html:
    things = refined.things[:MOST]
    colours = [PALETTE[k % len(PALETTE)] for k in range(len(things))]
    boxes = [Spot(t.box, "predicted", t.name if len(things) <= LABELLED else "", f"b{k}", colours[k])
             for k, t in enumerate(things)]
    masks = [Spot(t.mask, "predicted", "", f"b{k}", colours[k]) for k, t in enumerate(things) if t.mask.area]
    said = [tag("div", chip(spot, f"{t.name} {t.score:.2f}"), " ", tag("span", ", ".join(
        (*t.attributes, words(t.box))), class_="note")) for t, spot in zip(things, boxes)]
    if len(refined.things) > MOST:
        said.append(tag("div", f"and {len(refined.things) - MOST} more"))
    tags = ", ".join(f"{tag.word} {tag.score:.2f}" for tag in refined.tags) or "none"
    lines = [row("picture", image.name), row("things", join(said) if said else "nothing found"), row("tags", tags)]
    if refined.things:
        text = spatial(refined.things, codec, squash(refined.width, refined.height, (refined.width, refined.height)))
        lines.append(row("as text", tag("details", tag("summary", "what a model reads"), tag("code", text))))
    return card(picture(image, *masks, *boxes), *lines)
