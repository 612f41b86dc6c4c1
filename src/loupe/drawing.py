"""Regions drawn on pictures, with Pillow alone; and the palette that the HTML pages share."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter, ImageFont

from loupe.errors import FileError
from loupe.image import Image
from loupe.regions import Box, Mask, Point, Polygon, Region
from loupe.sample import Answer, Found, Regions

# Okabe and Ito's colours, told apart with every common colour vision; ordered so that neighbours differ most.
PALETTE = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (213, 94, 0), (204, 121, 167), (86, 180, 233), (240, 228, 66))
TRUE, PREDICTED, ASKED = PALETTE[2], PALETTE[3], PALETTE[0]
GAP = 8  # pixels between pictures side by side
SMALLEST = 480  # longer side in pixels below which a picture is enlarged by a whole number


@dataclass(frozen=True)
class Mark:
    """One region as it shall look."""

    region: Region
    label: str = ""
    colour: tuple[int, int, int] = PALETTE[0]
    dashed: bool = False


def draw(picture, regions=(), out: str | os.PathLike | None = None, *, truth=(), labels: Sequence[str] | None = None,
         enlarge: int | None = None) -> Pillow.Image:
    """Draw regions on one picture, or on several side by side, and return the drawing (saved to `out` if given).

    picture: what `Image.of` takes, a list of those, or anything with `.images` (a look, a sample, an answered
    question). regions: an Answer, a region, a Found, a Mark, or any sequence of these. With `truth` the true
    regions are solid and green, the others dashed and orange; without, each region has its own colour.

    >>> draw(np.zeros((96, 96, 3), np.uint8), Box(10, 10, 40, 60), labels=["cup"]).size
    (480, 480)
    """
    sources = getattr(picture, "images", picture if isinstance(picture, (list, tuple)) else [picture])
    marks = marks_of(regions, truth, labels)
    panels = [_panel(Image.of(source).pillow(), [m for m in marks if m.region.image == index], enlarge)
              for index, source in enumerate(sources)]
    drawing = panels[0] if len(panels) == 1 else _side_by_side(panels)
    if out is not None:
        save(drawing, out)
    return drawing


def beside(pictures: Mapping[str, object], out: str | os.PathLike | None = None) -> Pillow.Image:
    """Pictures side by side under their names, all brought to the size of the first (enlarged like any drawing).

    Fewer pixels stay visible as squares. Values are what `Image.of` takes.
    """
    panels = []
    for name, source in pictures.items():
        picture = Image.of(source).pillow()
        if not panels:
            times = max(1, math.ceil(SMALLEST / max(picture.size)))
            size = picture.width * times, picture.height * times
        font = ImageFont.load_default(max(12, round(max(size) / 32)))
        strip = round(1.6 * font.size)
        panel = Pillow.new("RGB", (size[0], size[1] + strip), "white")
        panel.paste(picture.resize(size, Pillow.Resampling.NEAREST), (0, strip))
        ImageDraw.Draw(panel).text((2, strip // 2), name, fill="black", font=font, anchor="lm")
        panels.append(panel)
    drawing = _side_by_side(panels)
    if out is not None:
        save(drawing, out)
    return drawing


def save(drawing: Pillow.Image, out: str | os.PathLike) -> Path:
    out = Path(out)
    known = Pillow.registered_extensions()
    if out.suffix.lower() not in known:
        raise FileError("cannot tell the picture format from the name", got=out.name, expected=".png, .jpg or .webp")
    out.parent.mkdir(parents=True, exist_ok=True)
    drawing.save(out, known[out.suffix.lower()])
    return out


def marks_of(regions, truth=(), labels: Sequence[str] | None = None) -> list[Mark]:
    """Regions, answers and marks as one flat list of Mark, true ones first."""
    truth = [Mark(m.region, m.label or "true", TRUE) for m in _flat(truth)]
    given = _flat(regions)
    if labels is not None:
        given = [Mark(m.region, label, m.colour, m.dashed) for m, label in zip(given, labels, strict=True)]
    if truth:
        return truth + [Mark(m.region, m.label or "predicted", PREDICTED, True) for m in given]
    return given


def ink(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever reads better on `colour`."""
    light = luminance(colour)
    return (0, 0, 0) if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else (255, 255, 255)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance in 0..1, as WCAG defines it for sRGB."""
    linear = [(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in (c / 255 for c in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _flat(what) -> list[Mark]:
    out: list[Mark] = []

    def take(item) -> None:
        colour = PALETTE[len(out) % len(PALETTE)]
        if isinstance(item, Mark):
            out.append(item)
        elif isinstance(item, (Point, Box, Polygon, Mask)):
            out.append(Mark(item, "", colour))
        elif isinstance(item, Found):
            score = "" if item.score is None else f"{item.score:.2f}"
            out.append(Mark(item.region, " ".join(filter(None, (item.phrase, score))), colour))
        elif isinstance(item, Regions):
            out.extend(Mark(region, item.phrase, colour) for region in item.regions)
        elif isinstance(item, Answer):
            for found in item.found:
                take(found)
        else:
            for inner in item:
                take(inner)

    take(what)
    return out


def _panel(picture: Pillow.Image, marks: list[Mark], enlarge: int | None) -> Pillow.Image:
    longer = max(picture.size)
    times = enlarge or max(1, math.ceil(SMALLEST / longer))
    # whole-number enlargement without smoothing: a pixel stays a pixel
    canvas = picture.resize((picture.width * times, picture.height * times), Pillow.Resampling.NEAREST)
    width = max(3, round(max(canvas.size) / 200))
    for mark in marks:
        canvas = _tinted(canvas, mark, times)
    pen = ImageDraw.Draw(canvas)
    for mark in marks:
        _outline(pen, mark, times, width)
    font = ImageFont.load_default(max(12, round(max(canvas.size) / 32)))
    taken: list[Box] = []
    for mark in marks:
        if mark.label:
            _label(pen, mark, times, width, font, canvas.size, taken)
    return canvas


def _tinted(canvas: Pillow.Image, mark: Mark, times: int) -> Pillow.Image:
    """Masks and polygons get a translucent fill; boxes and points stay clear so the picture can be seen."""
    region = mark.region
    if isinstance(region, Mask):
        whole = Pillow.fromarray(region.array().astype(np.uint8) * 255)
        whole = whole.resize((region.width * times, region.height * times), Pillow.Resampling.NEAREST)
        whole = whole.crop((0, 0, *canvas.size))
        core = whole.filter(ImageFilter.MinFilter(5))
        inside = Pillow.composite(Pillow.new("L", canvas.size, 120), whole, core)  # a full rim, a light middle
    elif isinstance(region, Polygon):
        inside = Pillow.new("L", canvas.size)
        ImageDraw.Draw(inside).polygon([(x * times, y * times) for x, y in region.points], fill=60)
    else:
        return canvas
    return Pillow.composite(Pillow.new("RGB", canvas.size, mark.colour), canvas, inside)


def _outline(pen: ImageDraw.ImageDraw, mark: Mark, times: int, width: int) -> None:
    region = mark.region
    casing = (0, 0, 0) if luminance(mark.colour) > 0.6 else (255, 255, 255)
    if isinstance(region, Mask):
        return
    if isinstance(region, Point):
        x, y, radius = region.x * times, region.y * times, width * 3
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=mark.colour, outline=casing, width=width)
        pen.ellipse((x - 1, y - 1, x + 1, y + 1), fill=casing)
        return
    if isinstance(region, Box):
        x1, y1, x2, y2 = region.xyxy
        ring = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    else:
        ring = list(region.points)
    ring = [(x * times, y * times) for x, y in ring]
    ring.append(ring[0])
    # a thin casing in black or white keeps the line visible on any ground
    for line_width, colour in ((width + 2, casing), (width, mark.colour)):
        for piece in dashes(ring, 5.0 * width if mark.dashed else None):
            pen.line(piece, fill=colour, width=line_width, joint="curve")


def dashes(ring: list[tuple[float, float]], length: float | None) -> list[list[tuple[float, float]]]:
    """A polyline cut into dashes of `length` with gaps of 0.7 `length`; whole if `length` is None."""
    if length is None:
        return [ring]
    pieces, drawn, left = [], True, length
    for (x1, y1), (x2, y2) in zip(ring, ring[1:]):
        distance, at = math.hypot(x2 - x1, y2 - y1), 0.0
        while distance - at > 1e-9:
            step = min(left, distance - at)
            if drawn:
                a, b = at / distance, (at + step) / distance
                pieces.append([(x1 + (x2 - x1) * a, y1 + (y2 - y1) * a), (x1 + (x2 - x1) * b, y1 + (y2 - y1) * b)])
            at, left = at + step, left - step
            if left <= 1e-9:
                drawn = not drawn
                left = length if drawn else 0.7 * length
    return pieces


def _label(pen: ImageDraw.ImageDraw, mark: Mark, times: int, width: int, font, size: tuple[int, int],
           taken: list[Box]) -> None:
    """The label as a filled chip beside its region: above, below or inside, wherever no other label lies yet."""
    text = mark.label if len(mark.label) <= 40 else mark.label[:39] + "…"
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    pad = max(2, width)
    chip = (right - left + 2 * pad, bottom - top + 2 * pad)
    box = mark.region.box
    x1, y1, x2, y2 = (v * times for v in box.xyxy)
    if isinstance(mark.region, Point):
        x1, y1, x2, y2 = x1 + 4 * width, y1 - 4 * width, x2 + 4 * width, y2 + 4 * width
    tries = [(x1, y1 - chip[1]), (x1, y2), (x2 - chip[0], y1 - chip[1]), (x2 - chip[0], y2), (x1, y1),
             (x1, y2 - chip[1]), (x2, y1), (x1 - chip[0], y1)]
    tries += [(x1, y1 + step * chip[1]) for step in range(1, 8)]
    inside = [(x, y) for x, y in tries if x >= 0 and y >= 0 and x + chip[0] <= size[0] and y + chip[1] <= size[1]]
    inside = inside or [(min(max(x1, 0), max(0, size[0] - chip[0])), min(max(y1, 0), max(0, size[1] - chip[1])))]
    spots = [Box(x, y, x + chip[0], y + chip[1]) for x, y in inside]
    spot = next((s for s in spots if not any(_overlap(s, other) for other in taken)), spots[0])
    taken.append(spot)
    pen.rectangle(spot.xyxy, fill=mark.colour)
    pen.text((spot.x1 + pad - left, spot.y1 + pad - top), text, fill=ink(mark.colour), font=font)


def _overlap(a: Box, b: Box) -> bool:
    return min(a.x2, b.x2) > max(a.x1, b.x1) and min(a.y2, b.y2) > max(a.y1, b.y1)


def _side_by_side(panels: list[Pillow.Image]) -> Pillow.Image:
    out = Pillow.new("RGB", (sum(p.width for p in panels) + GAP * (len(panels) - 1), max(p.height for p in panels)),
                     "white")
    x = 0
    for panel in panels:
        out.paste(panel, (x, 0))
        x += panel.width + GAP
    return out
