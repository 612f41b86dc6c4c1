"""A table as a picture: a panel a column, a line a row, our mean with its interval beside the number the paper prints.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

ACROSS = 4  # panels side by side
LABEL, WIDTH, GAP = 240, 170, 24  # pixels: of the rows' names, of a panel, between panels
LINE, TOP, BELOW = 20, 26, 34  # of a row, of a panel's title, of its axis
LETTERS = 34  # of a row's name
STYLE = ("svg{background:#fff}text{font:12px sans-serif;fill:#333}.tick{font-size:10px;fill:#777;text-anchor:middle}"
         ".title{font-weight:bold}.label{text-anchor:end}.control{font-style:italic;fill:#777}.grid{stroke:#e4e4e4}"
         ".ours{fill:#1f6feb;stroke:#1f6feb;stroke-width:2}.beside{fill:#9aa4b2;stroke:#9aa4b2;stroke-width:2}"
         ".paper{fill:#fff;stroke:#b35900;stroke-width:1.5}.trivial{stroke:#555;stroke-dasharray:3 3}")


@dataclass(frozen=True)
class Dot:
    """Of one row in one column; what is not known is None."""

    ours: tuple[float, float, float] | None = None  # mean, low, high
    paper: float | None = None


@dataclass(frozen=True)
class Panel:
    """One column: a dot for every row. trivial: the best baseline that does not look. Values are as they are printed;
    a share's axis ends at 100."""

    title: str
    dots: tuple[Dot, ...]
    trivial: float | None = None
    share: bool = True

    @property
    def known(self) -> list[float]:
        drawn = [v for dot in self.dots for v in (*(dot.ours or ()), dot.paper) if v is not None]
        return drawn + ([] if self.trivial is None else [self.trivial])

    @property
    def range(self) -> tuple[float, float]:
        if self.share:
            return 0.0, 100.0
        low, high = min(0.0, *self.known), max(self.known)
        return low, high if high > low else low + 1.0


def picture(rows: Sequence[tuple[str, bool]], panels: Sequence[Panel]) -> str:
    """An SVG of its own. rows: (name, whether it is a control); "" where no row is measured in any column."""
    panels = [panel for panel in panels if any(dot.ours for dot in panel.dots)]
    if not panels:
        return ""
    tall = TOP + LINE * len(rows) + BELOW
    bands = [panels[k:k + ACROSS] for k in range(0, len(panels), ACROSS)]
    wide = LABEL + max(map(len, bands)) * (WIDTH + GAP) + 8
    out = [f'<svg viewBox="0 0 {wide} {LINE + 8 + tall * len(bands)}" width="{wide}" xmlns="http://www.w3.org/2000/svg">',
           f"<style>{STYLE}</style>", _legend(any(d.paper is not None for p in panels for d in p.dots))]
    for band, top in zip(bands, range(LINE + 8, LINE + 8 + tall * len(bands), tall)):
        for k, (name, control) in enumerate(rows):
            kind = "label control" if control else "label"
            out.append(f'<text class="{kind}" x="{LABEL - 12}" y="{_row(top, k) + 4}">{_short(name)}</text>')
        for place, panel in enumerate(band):
            out += _panel(panel, LABEL + place * (WIDTH + GAP), top, [control for _, control in rows])
    return "\n".join([*out, "</svg>\n"])


def _panel(panel: Panel, left: int, top: int, controls: Sequence[bool]) -> list[str]:
    low, high = panel.range
    above, floor = top + TOP, top + TOP + LINE * len(controls)

    def x(value: float) -> float:
        return round(left + WIDTH * (min(max(value, low), high) - low) / (high - low), 1)

    out = [f'<text class="title" x="{left}" y="{top + 16}">{html.escape(panel.title)}</text>']
    for value in (low, (low + high) / 2, high):
        out += [f'<path class="grid" d="M{x(value)} {above}V{floor}"/>',
                f'<text class="tick" x="{x(value)}" y="{floor + 13}">{value:.4g}</text>']
    if panel.trivial is not None:
        out.append(f'<path class="trivial" d="M{x(panel.trivial)} {above}V{floor}"/>')
    for k, (dot, control) in enumerate(zip(panel.dots, controls)):
        y = _row(top, k)
        if dot.paper is not None:
            at = x(dot.paper)
            out.append(f'<path class="paper" d="M{at - 5:g} {y}L{at} {y - 5}L{at + 5:g} {y}L{at} {y + 5}Z"/>')
        if dot.ours is not None:
            kind, (mean, least, most) = "beside" if control else "ours", dot.ours
            out += [f'<path class="{kind}" d="M{x(least)} {y}H{x(most)}"/>',
                    f'<circle class="{kind}" cx="{x(mean)}" cy="{y}" r="3"/>']
    return out


def _legend(paper: bool) -> str:
    """What the marks are, on the first line."""
    y, marks = 14, [('<circle class="ours" cx="{x}" cy="{y}" r="3"/>', "ours, 95 %"),
                    ('<circle class="beside" cx="{x}" cy="{y}" r="3"/>', "control")]
    if paper:
        marks.append(('<path class="paper" d="M{x} {y}m-5 0l5 -5l5 5l-5 5Z"/>', "the paper's"))
    marks.append(('<path class="trivial" d="M{x} {y}m0 -8v16"/>', "best that does not look"))
    return "".join(mark.format(x=LABEL + 130 * k, y=y) + f'<text x="{LABEL + 130 * k + 10}" y="{y + 4}">{said}</text>'
                   for k, (mark, said) in enumerate(marks))


def _row(top: int, k: int) -> int:
    return top + TOP + LINE * k + LINE // 2


def _short(name: str) -> str:
    return html.escape(name if len(name) <= LETTERS else name[:LETTERS - 1] + "…")
