"""Curves of a table: its values by the amount they were measured at, as rows and as a picture."""

from __future__ import annotations

from collections.abc import Callable

from loupe.evals.page import chart
from loupe.reproduce.experiment import Table

STYLE = ("text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd;fill:none}.curve{fill:none;stroke-width:2}"
         "svg{background:#fff}")


def rows(table: Table, cell: Callable[[str], str]) -> tuple[list[str], list[list[str]]]:
    """(head, rows): a row a curve, a column an amount; `cell` says what a column holds."""
    amounts = sorted({x for curve in table.curves for x, _ in curve.points})
    out = []
    for curve in table.curves:
        at = dict(curve.points)
        out.append([curve.says, *(cell(at[x]) if x in at else "-" for x in amounts)])
    return [table.across, *(f"{x:g}" for x in amounts)], out


def picture(table: Table, value: Callable[[str], float | None]) -> str:
    """An SVG of its own, or "" where no curve has two points."""
    lines = {curve.says: [(x, v) for x, column in curve.points if (v := value(column)) is not None]
             for curve in table.curves}
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    if not lines:
        return ""
    drawn = str(chart(lines, table.across, "score"))
    inside = drawn[drawn.index("<svg "):drawn.rindex("</svg>") + len("</svg>")]
    opened, _, rest = inside.partition(">")
    return f'{opened} xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>{rest}\n'
