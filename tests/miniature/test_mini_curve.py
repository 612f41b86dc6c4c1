"""The picture in docs/models.md is that of the table below it."""

from __future__ import annotations

import re
from pathlib import Path

from loupe.evals.miniature import GOALS
from loupe.evals.page import chart
from loupe.reproduce.curves import STYLE

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = ("grounding", "point", "counting", "description", "words")
ASKED = {"grounding": "mini-grounding", "presence": "mini-presence", "relation": "mini-relation", "point": "mini-point",
         "detection": "mini-detection", "counting": "mini-counting", "description": "mini-description",
         "words": "mini-reading", "coarse": "mini-coarse", "masks": "mini-masks", "pixels": "mini-pixels"}


def table() -> tuple[list[dict[str, str]], dict[str, str]]:
    """(rows, goals), each {column: value}."""
    text = (DOCS / "models.md").read_text("utf-8")
    part = text[text.index("| thousand pictures |"):].split("\n\n")[0]
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines())
    rows = [dict(zip(head, line)) for line in lines]
    return rows[:-1], rows[-1]


def drawn() -> str:
    """To write it anew: python -c "from tests.miniature.test_mini_curve import *; PICTURE.write_text(drawn())"."""
    rows, _ = table()
    curves = {name: [(float(row["thousand pictures"]), float(row[name])) for row in rows] for name in SHOWN}
    whole = str(chart(curves, "thousand pictures", "%"))
    opened, _, rest = re.search(r"<svg .*</svg>", whole, re.DOTALL).group().partition(">")
    return f'{opened} xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>{rest}\n'


PICTURE = DOCS / "images" / "mini-curve.svg"


def test_the_picture_is_the_tables():
    assert PICTURE.read_text("utf-8") == drawn()


def test_goals_are_the_judging_worlds():
    _, said = table()
    goals = {goal.benchmark: round(100 * goal.must) for goal in GOALS}
    assert {name: float(said[name]) for name in ASKED} == {name: goals[asked] for name, asked in ASKED.items()}
