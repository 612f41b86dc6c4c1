"""Pieces of self-contained HTML pages: pictures with regions, tables, curves, chips. No network, no torch.

Every function returns `Html`; anything else put into a page is escaped. A region on a picture and its chip in the
text share an id inside their card, and light up together.
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from loupe.drawing import ASKED, PALETTE, PREDICTED, TRUE, ink
from loupe.image import ORIENTATION, Image
from loupe.regions import Colour, Mask, Point, Polygon, Region

WIDEST = 640  # pixels; larger pictures are shrunk before they are put into the page
TINY = 240  # pictures up to this many pixels wide are shown without smoothing
SMALL_FILE = 60_000  # bytes; smaller JPEG and PNG files go into the page untouched
COLOURS = {"true": TRUE, "predicted": PREDICTED, "asked": ASKED}


class Html(str):
    """Text that is already HTML."""


@dataclass(frozen=True)
class Spot:
    """A region to show on a picture. kind: "true", "predicted" or "asked"; id ties it to its chip. colour: its own, in
    place of its kind's."""

    region: Region
    kind: str = "true"
    label: str = ""
    id: str = ""
    colour: tuple[int, int, int] | None = None

    @property
    def shade(self) -> tuple[int, int, int]:
        return self.colour or COLOURS[self.kind]


def text(value) -> Html:
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def join(parts: Iterable) -> Html:
    return Html("".join(map(text, parts)))


def tag(name: str, *contents, **attributes) -> Html:
    """An element; `class_` is class, underscores become dashes, None leaves an attribute out."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
                   for key, value in attributes.items() if value is not None)
    return Html(f"<{name}{said}>{join(contents)}</{name}>")


def page(title: str, *sections, lead: str = "", foot: str = "") -> Html:
    """A whole page."""
    here = files("loupe.evals")
    style, script = (here.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    foot = foot or "Made by loupe. The page needs no network: send it as one file."
    return Html(f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="loupe"><title>{text(title)}</title><link rel="icon" href="data:,"><style>
{style}</style></head><body><a class="skip" href="#main">Skip to the content</a>
<header><h1>{text(title)}</h1>{tag("p", lead, class_="lead")}</header>
<main id="main">{join(sections)}</main><footer>{text(foot)}</footer>
<script>
{script}</script></body></html>
""")


def write_page(content: Html, out: str | os.PathLike) -> Path:
    """The page as a file, whole or not at all."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(out.name + ".part")
    try:
        beside.write_text(content, "utf-8")
        os.replace(beside, out)
    finally:
        beside.unlink(missing_ok=True)
    return out


def section(heading: str, *contents, note="") -> Html:
    anchor = "-".join("".join(c if c.isalnum() else " " for c in heading.lower()).split())
    small = tag("p", note, class_="note") if note else ""
    return tag("section", tag("h2", heading, id=anchor), small, *contents, aria_labelledby=anchor)


def paragraph(*parts) -> Html:
    return tag("p", *parts)


def facts(pairs: Iterable[Sequence]) -> Html:
    """Large numbers in tiles: (name, value) or (name, value, small print)."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value, *(tag("small", words) for words in rest)))
                       for name, value, *rest in pairs), class_="facts")


def commands(*lines: str) -> Html:
    return tag("pre", tag("code", "\n".join(lines)))


def next_step(sentence, *lines: str) -> Html:
    return tag("div", tag("p", sentence), commands(*lines) if lines else "", class_="next")


def table(rows: Iterable[Sequence], head: Sequence = (), caption="") -> Html:
    """Columns of numbers stand right; the first cell of a row is its heading."""
    rows = [list(row) for row in rows]
    wide = max(map(len, rows), default=0)
    right = ["number" if rows and all(isinstance(row[i], (int, float)) for row in rows if i < len(row)) else None
             for i in range(wide)]
    top = [tag("th", cell, scope="col", class_=kind) for cell, kind in zip(head, right or [None] * len(head))]
    body = [tag("tr", *(tag("td", number(cell), class_=right[i]) if i else tag("th", number(cell), scope="row")
                        for i, cell in enumerate(row))) for row in rows]
    return framed_table(top, body, caption)


def framed_table(top: Iterable[Html], body: Iterable[Html], caption="") -> Html:
    inner = tag("table", tag("caption", caption) if caption else "", tag("thead", tag("tr", *top)), tag("tbody", *body))
    return tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption or "table")


def number(value) -> Html:
    if isinstance(value, float):
        return text(f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}")
    return text(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value)


def picture(image: Image, *spots: Spot, caption: str = "", alt: str = "") -> Html:
    """A picture with its regions drawn over it as SVG, in the picture's own pixels."""
    width, height = image.size
    alt = alt or f"{width} by {height} picture" + (f" with {len(spots)} marked regions" if spots else "")
    kind = "tiny" if width <= TINY else "photo"
    shown = Html(f'<img class="{kind}" loading="lazy" width="{width}" height="{height}" alt="{text(alt)}" '
                 f'src="{data_url(image)}">')
    over = tag("svg", *(_shape(spot, width, height) for spot in spots), viewBox=f"0 0 {width} {height}",
               preserveAspectRatio="none", aria_hidden="true")
    tags = join(_label(spot, width, height) for spot in spots if spot.label)
    return tag("figure", tag("div", shown, over, tags, class_="stack"),
               tag("figcaption", caption) if caption else "", class_="picture")


def data_url(image: Image) -> str:
    """The picture for an <img>: small upright files as they are, others decoded, shrunk and encoded again."""
    raw, kinds = image.bytes(), {b"\xff\xd8": "jpeg", b"\x89P": "png"}
    shown, kind = image.pillow(), kinds.get(raw[:2])  # decoding also proves that the file is whole
    turned = Pillow.open(io.BytesIO(raw)).getexif().get(ORIENTATION, 1) != 1
    if not kind or turned or len(raw) > SMALL_FILE:
        shown.thumbnail((WIDEST, WIDEST))
        buffer, kind = io.BytesIO(), "jpeg"
        shown.save(buffer, "JPEG", quality=86)
        raw = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


def _shape(spot: Spot, width: int, height: int) -> Html:
    region, stroke = spot.region, css(spot.shade)
    classes = f"mark is-{spot.kind}" + (" dashed" if spot.kind == "predicted" else "")
    if isinstance(region, Mask):
        inner = [tag("image", width=width, height=height, preserveAspectRatio="none",
                     href=_mask_url(region, spot.shade))]
    elif isinstance(region, Point):
        place = {"cx": f"{region.x:.2f}", "cy": f"{region.y:.2f}", "r": f"{0.016 * max(width, height):.2f}"}
        inner = [tag("circle", class_="case", **place), tag("circle", class_="line", stroke=stroke, **place)]
    else:
        box = region.box
        ring = region.points if isinstance(region, Polygon) else (
            (box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))
        path = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in ring) + "Z"
        inner = [tag("path", class_="hit", d=path), tag("path", class_="case", d=path),
                 tag("path", class_="line", d=path, stroke=stroke)]
    return tag("g", tag("title", f"{spot.label or spot.kind}: {words(region)}"), *inner, class_=classes, data_r=spot.id)


def _label(spot: Spot, width: int, height: int) -> Html:
    """Predicted labels hang below their box, the others stand above, so that they do not cover each other."""
    box, colour = spot.region.box, spot.shade
    if spot.kind == "predicted" and box.height > 0:
        top, below = box.y2, box.y2 < 0.93 * height
    else:
        top, below = box.y1, box.y1 < 0.06 * height
    left, top = (min(max(0.0, 100 * at), most) for at, most in ((box.x1 / width, 86.0), (top / height, 100.0)))
    return tag("span", spot.label, class_=f"tag is-{spot.kind}" + (" below" if below else ""), data_r=spot.id,
               style=f"left:{left:.2f}%;top:{top:.2f}%;{painted(colour)}")


def _mask_url(mask: Mask, colour: tuple[int, int, int]) -> str:
    inside = mask.array()
    pixels = np.zeros((*inside.shape, 4), np.uint8)
    pixels[inside] = (*colour, 130)
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def css(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def painted(colour: tuple[int, int, int]) -> str:
    return f"background:{css(colour)};color:{css(ink(colour))}"


def words(region: Region) -> str:
    """The region for a person, in whole pixels."""
    if isinstance(region, Point):
        return f"({region.x:.0f}, {region.y:.0f})"
    return "({:.0f}, {:.0f}) to ({:.0f}, {:.0f})".format(*region.box.xyxy)


def chip(spot: Spot, said: str = "") -> Html:
    """said: in place of where the region lies, which then stands in its hint."""
    hint = f"{spot.kind} region, in pixels" + (f": {words(spot.region)}" if said else "")
    return tag("button", said or words(spot.region), type="button", class_=f"chip is-{spot.kind}", data_r=spot.id,
               title=hint, style=painted(spot.shade))


def swatch(colour: Colour) -> Html:
    name = css((colour.r, colour.g, colour.b))
    return join((tag("span", class_="swatch", style=f"background:{name}"), " ", tag("code", name)))


def cards(many: Iterable[Html]) -> Html:
    return tag("div", *many, class_="cards")


def card(shown: Html, *contents) -> Html:
    """A picture (or anything) above some words; regions and chips inside light up together."""
    return tag("article", shown, tag("div", *contents, class_="words"), class_="card")


def row(name: str, what) -> Html:
    """A named line inside a card."""
    return tag("div", tag("span", name, class_="who"), tag("span", what, class_="what"), class_="row")


def legend(*kinds: str) -> Html:
    """What the lines on the pictures mean; each is a button that shows or hides its kind."""
    names = {"true": "true region", "predicted": "predicted region", "asked": "region in the question"}
    buttons = [tag("button", tag("i", class_="dashed" if kind == "predicted" else "",
                                 style=f"border-color:{css(COLOURS[kind])}"), names[kind],
                   type="button", class_="toggle", aria_pressed="true", data_kind=kind) for kind in kinds or names]
    hint = tag("span", "Point at a region or a chip to single it out.")
    return tag("div", *buttons, hint, class_="legend", role="group", aria_label="regions shown")


def chart(series: Mapping[str, Sequence[tuple[float, float]]], x: str = "", y: str = "", title: str = "",
          least: float | None = None, spread: Mapping[str, Mapping[float, float]] | None = None) -> Html:
    """Curves as inline SVG. series: name -> [(x, y), ...].

    least: what lies below it stands on the lower edge, with an arrow and its value. spread: name -> {x: how far the
    line through that point reaches up and down}."""
    curves = {name: [(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b)]
              for name, points in series.items()}
    everything = [point for points in curves.values() for point in points]
    if len(everything) < 2:
        return tag("p", "Too few points for a curve.", class_="note")
    left, right, top, bottom, wide, high = 58, 18, 26, 44, 760, 300
    shown = [y if least is None else max(y, least) for _, y in everything]
    xs, ys = _ticks(*_span(p[0] for p in everything)), _ticks(*_span([0.0, *shown]))
    at_x = lambda v: left + (v - xs[0]) / (xs[-1] - xs[0]) * (wide - left - right)  # noqa: E731
    at_y = lambda v: high - bottom - (v - ys[0]) / (ys[-1] - ys[0]) * (high - top - bottom)  # noqa: E731
    out = [Html(f'<path class="grid" d="M{left} {at_y(v):.1f}H{wide - right}"/><text x="{left - 8}" '
                f'y="{at_y(v) + 4:.1f}" text-anchor="end">{v:g}</text>') for v in ys]
    out += [Html(f'<text x="{at_x(v):.1f}" y="{high - bottom + 18}" text-anchor="middle">{v:,g}</text>') for v in xs]
    apart = min(150, (wide - left - right) // len(curves))  # of the names above the curves
    deep: dict[float, int] = {}  # x -> values said there
    for index, (name, points) in enumerate(curves.items()):
        shade = css(PALETTE[index % len(PALETTE)])
        path = "L".join(f"{at_x(a):.1f} {at_y(max(b, ys[0])):.1f}" for a, b in points)
        out.append(Html(f'<path class="curve" stroke="{shade}" d="M{path}"><title>{text(name)}</title></path>'))
        for a, b in points:
            if b < ys[0]:
                deep[a] = deep.get(a, 0) + 1
                out.append(_below(at_x(a), high - bottom, deep[a], f"{b:.3g}", shade, last=a == xs[-1]))
            elif reach := (spread or {}).get(name, {}).get(a, 0.0):
                ends = (at_y(min(max(end, ys[0]), ys[-1])) for end in (b - reach, b + reach))
                beside = at_x(a) + 4 * (index - (len(curves) - 1) / 2)  # that those of two curves can be told apart
                out.append(Html('<path stroke="{}" stroke-width="1.6" d="M{x:.1f} {:.1f}L{x:.1f} {:.1f}"/>'.format(
                    shade, *ends, x=beside)))
        out.append(Html(f'<rect x="{left + apart * index}" y="6" width="14" height="4" fill="{shade}"/>'
                        f'<text x="{left + 20 + apart * index}" y="12">{text(name)}</text>'))
    out.append(Html(f'<text x="{(left + wide) / 2}" y="{high - 6}" text-anchor="middle">{text(x)}</text><text '
                    f'transform="translate(14 {high / 2}) rotate(-90)" text-anchor="middle">{text(y)}</text>'))
    said = title or ", ".join(f"{name} from {p[0][1]:.3g} to {p[-1][1]:.3g}" for name, p in curves.items() if p)
    return tag("div", tag("svg", *out, viewBox=f"0 0 {wide} {high}", role="img", aria_label=said), class_="chart")


def _below(x: float, edge: float, rank: int, value: str, shade: str, last: bool) -> Html:
    """An arrow that leaves the chart at its lower edge, with the value that lies there; the rank-th from below."""
    away, anchor = (-7, "end") if last else (7, "start")
    return Html(f'<path d="M{x - 5:.1f} {edge - 8}h10l-5 8z" fill="{shade}"/>'
                f'<text x="{x + away:.1f}" y="{edge + 6 - 13 * rank}" text-anchor="{anchor}" '
                f'style="fill:{shade};font-weight:600">{value}</text>')


def _span(values: Iterable[float]) -> tuple[float, float]:
    values = list(values)
    low, high = min(values), max(values)
    return low, high if high > low else low + 1.0


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover low..high."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]
