"""The probe as a page: pictures as they are and as they were said, and what is missing, by frequency, edge, colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loupe.evals.metrics.figures import Figure
from loupe.evals.page import (
    Html,
    card,
    chart,
    css,
    facts,
    join,
    page,
    paragraph,
    picture,
    row,
    section,
    table,
    tag,
)
from loupe.image import Image
from loupe.probe.figures import BANDS, COLOURS, Measured, said_colours

SHOWN = 12  # pictures
COLUMNS = "repeat(auto-fill,minmax(min(13rem,100%),1fr))"  # a model's four pictures stand side by side
LEAST = -1.0  # captured share that the chart still shows in its place


def report(rows: Sequence[Measured], models: Sequence[str], images: Sequence[Image], truth: Sequence[np.ndarray],
           said: Mapping[str, Sequence[np.ndarray]], left_out: Sequence[str] = ()) -> Html:
    """rows: the models first, then the ladder; said: pictures by model."""
    first, n = rows[0], len(truth[0])
    lead = (f"{len(images)} pictures squeezed to {n} x {n}, every pixel asked for: {len(images) * n * n:,} questions "
            "a row. A row below the models is the same picture with less in it.")
    top = facts([*((f"error of {m.name}", f"{100 * m.errors[1].value:.1f} %", "Euclidean length of the channels")
                   for m in rows if m.name in models), ("energy in fine detail", _fine(first), first.name)])
    return page(
        f"What {', '.join(models)} sees of pixels", top,
        section("Reconstruction error", _table(rows, "errors", percent=True),
                note="In per cent of 255: mean of the channels, their Euclidean length, their sum."),
        section("By spatial frequency", _curves(rows), _table(rows, "captured", percent=True),
                note="Share of a picture's energy that the said picture holds, in bands of cycles a picture. 100 % is "
                     "all of it, 0 % what a flat picture holds; below 0 the model adds what is not there."),
        section("By distance to edges", _table(rows, "distances", percent=True),
                note="Mean error of the channels, in per cent of 255. Edges are the steepest tenth of a picture."),
        section("By colour", _table(rows, "colours", percent=True), *(_swatches(name, said[name], truth)
                                                                      for name in models),
                note="Mean error of the channels by the true colour of the pixel, and what was said there on average."),
        section("Pictures", _pictures(models, images, truth, said)),
        section("Left out", *(paragraph(line) for line in left_out)) if left_out else "", lead=lead)


def _fine(m: Measured) -> str:
    return f"{100 * m.captured[-1].value:.0f} %" if m.captured else "-"


def _table(rows: Sequence[Measured], kind: str, percent: bool) -> Html:
    names = list(dict.fromkeys(f.name for m in rows for f in getattr(m, kind)))
    cells = []
    for m in rows:
        known = {f.name: f for f in getattr(m, kind)}
        cells.append([m.name, *(figure(known.get(name)) for name in names)])
    return table(cells, ["", *names])


def figure(f: Figure | None) -> str:
    if f is None:
        return "-"
    value, low, high = (round(100 * v, 1) + 0.0 for v in (f.value, f.low, f.high))  # no minus zero
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _curves(rows: Sequence[Measured]) -> Html:
    """Captured share by octave. Far below nothing the curves leave the chart, so that the rest can be read."""
    middles = {f"{low:g} to {high:g}": k for k, (low, high) in enumerate(zip(BANDS, BANDS[1:]))}
    series = {m.name: [(middles[f.name], round(f.value, 4)) for f in m.captured] for m in rows[:5]}
    return chart(series, "octave of spatial frequency (0: half a cycle to one a picture)", "captured share",
                 least=LEAST)


def _swatches(name: str, said: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> Html:
    def patch(colour: tuple) -> Html:
        return tag("span", class_="swatch", style=f"background:{css(tuple(int(round(v)) for v in colour))}")

    pairs = said_colours(said, truth)
    lines = [row(colour, tag("span", patch(pairs[colour][0]), " true, ", patch(pairs[colour][1]), " said"))
             for colour in COLOURS if colour in pairs]
    return card(tag("h3", name), *lines)


def _pictures(models: Sequence[str], images: Sequence[Image], truth, said) -> Html:
    out = []
    for k, image in enumerate(images[:SHOWN]):
        shown = [card(picture(image), paragraph(image.name)), _small(truth[k], f"{len(truth[k])} x {len(truth[k])}")]
        for name in models:
            off = np.abs(np.asarray(said[name][k], float) - truth[k]).mean(-1)
            shown += [_small(said[name][k], name), _small(np.repeat(off[..., None], 3, -1), f"{name}: error")]
        out.append(tag("div", *shown, class_="cards", style=f"grid-template-columns:{COLUMNS}"))
    return join(out)


def _small(pixels: np.ndarray, caption: str) -> Html:
    return card(picture(Image.of(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))), paragraph(caption))
