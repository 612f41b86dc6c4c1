"""The gallery of a run: pictures with masks, boxes and tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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
    write_page,
)
from loupe.image import Image
from loupe.models.refined import Refined

MOST = 30  # things drawn on one picture


def gallery(path: Path, found: Iterable[tuple[Image, Refined]], counts: Counter, names: Counter,
            missed: Sequence[Sequence[str]], identity: Mapping) -> Path:
    parts = [identity[part].get("name", part) for part in ("tagger", "detector", "segmenter")]
    tiles = [("Pictures", counts["pictures"], f"{counts['with nothing found']:,} with nothing found"),
             ("Things", counts["things"], f"{counts['things'] / max(1, counts['pictures']):.1f} a picture"),
             ("Names", len(names), f"{counts['tags']:,} tags"), ("Unreadable", len(missed), "left out")]
    sections = [section("What was found", facts(tiles)),
                section("Pictures", cards(_card(*each) for each in found),
                        note="Boxes carry their name and score; masks lie on the pixels they cover."),
                section("Names", table(names.most_common(60), ("name", "things")) if names
                        else paragraph("Nothing was found anywhere."))]
    if missed:
        sections.append(section("Unreadable", table(missed[:60], ("picture", "why"))))
    return write_page(page("Refined pictures", *sections, lead=" -> ".join(dict.fromkeys(parts))), path)


def _card(image: Image, refined: Refined) -> Html:
    things = refined.things[:MOST]
    boxes = [Spot(t.box, "predicted", f"{t.name} {t.score:.2f}", f"b{k}") for k, t in enumerate(things)]
    masks = [Spot(t.mask, "predicted", "", f"b{k}") for k, t in enumerate(things) if t.mask.area]
    tags = ", ".join(f"{tag.word} {tag.score:.2f}" for tag in refined.tags) or "none"
    more = f" and {len(refined.things) - MOST} more" if len(refined.things) > MOST else ""
    lines = [row("picture", image.name), row("tags", tags)]
    lines.append(row("things", join([*(join([t.name, " ", chip(spot), " "]) for t, spot in zip(things, boxes)), more])
                     if things else "nothing found"))
    return card(picture(image, *masks, *boxes), *lines)
