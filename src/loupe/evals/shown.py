"""Pictures with what was asked and answered about them, for a notebook or as a page. No torch."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loupe.drawing import marks_of
from loupe.evals import page
from loupe.evals.page import Html, Spot, chip, join, row
from loupe.image import Image
from loupe.regions import Box, Colour, Mask, Point, Polygon, Region
from loupe.sample import Answer, Found, Regions, Turn

FRAME = 760  # pixels: height of the frame in a notebook


@dataclass(frozen=True)
class Shown:
    """A whole page; Jupyter shows it in a frame of its own, so that neither styles the other."""

    content: Html
    height: int = FRAME

    def _repr_html_(self) -> str:
        return (f'<iframe title="loupe" sandbox="allow-scripts" style="width:100%;height:{self.height}px;border:0" '
                f'srcdoc="{html.escape(self.content)}"></iframe>')

    def __repr__(self) -> str:
        return f"Shown({len(self.content):,} characters; .save('answer.html') keeps it)"

    def save(self, out: str | os.PathLike) -> Path:
        """As one file that needs no network."""
        return page.write_page(self.content, out)


def shown(images: Sequence[Image], *what, title: str = "loupe") -> Shown:
    """what: Answers, regions, Founds, sequences of those, or pairs (a Turn or its parts, its Answer)."""
    spots: list[Spot] = []
    said = []
    for item in what:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Answer):
            parts = item[0].parts if isinstance(item[0], Turn) else item[0]
            said += [row("asked", _parts(parts, spots, "asked")), row("answer", _answer(item[1], spots))]
        elif isinstance(item, Answer):
            said.append(row("answer", _answer(item, spots)))
        else:
            found = not isinstance(item, (Box, Point, Polygon, Mask, Regions))
            for mark in marks_of([item]):
                _spot(mark.region, "predicted" if found else "asked", mark.label, spots)
    shown_pictures = [page.picture(image, *(s for s in spots if s.region.image == index),
                              caption=f"picture {index + 1} of {len(images)}" if len(images) > 1 else "")
                      for index, image in enumerate(images)]
    kinds = [kind for kind in ("asked", "predicted") if any(s.kind == kind for s in spots)]
    body = page.cards([page.card(join(shown_pictures), *said)])
    made = page.page(title, page.section("Pictures", page.legend(*kinds) if kinds else "", body))
    return Shown(made, FRAME if any(image.size[1] > 200 for image in images) else FRAME // 2)


def _spot(region: Region, kind: str, label: str, spots: list[Spot]) -> Spot:
    spots.append(Spot(region, kind, label, f"r{len(spots) + 1}"))
    return spots[-1]


def _answer(answer: Answer, spots: list[Spot]) -> Html:
    out = [_parts(answer.parts, spots, "predicted")] if answer.parts else []
    out += [join((" ", Html("<em>"), f"unreadable ({p.kind}): {p.text}", Html("</em>"))) for p in answer.problems]
    return join(out or ["(nothing)"])


def _parts(parts, spots: list[Spot], kind: str) -> Html:
    out: list = []
    for part in parts:
        if isinstance(part, Regions):
            out += [chip(_spot(region, kind, part.phrase, spots)) for region in part.regions]
        elif isinstance(part, Found):
            score = "" if part.score is None else f"{part.score:.2f}"
            out.append(chip(_spot(part.region, kind, " ".join(filter(None, (part.phrase, score))), spots)))
        elif isinstance(part, Colour):
            out.append(page.swatch(part))
        elif isinstance(part, str):
            out.append(part)
        elif isinstance(part, (Box, Point, Polygon, Mask)):
            out.append(chip(_spot(part, kind, "", spots)))
    return join(out)
