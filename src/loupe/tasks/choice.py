"""Questions with three or four answers to choose from; the right one stands at every letter equally often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.sample import Regions
from loupe.tasks.base import Case, pick
from loupe.tasks.drawn import DrawnTask, check_some, shuffled
from loupe.tasks.looks import look
from loupe.tasks.presence import colours_but, elsewhere
from loupe.tasks.statement import pairs
from loupe.tasks.view import SIDES, View, view

KINDS = ("name", "colour", "number", "relation")
LETTERS = "ABCDEFGH"
MARKS = ("A", "(a)")  # how options are told apart: "A red, B blue"; "(a) red (b) blue" (Lyrics, Appendix A)


@dataclass(frozen=True, kw_only=True)
class Choice(DrawnTask):
    """The answer is a letter; extra["options"] holds what they stand for, in order."""

    name = "choice"
    needs = frozenset({"objects"})
    placeholders = {"name": ("region", "options"), "colour": ("region", "options"), "number": ("name", "options"),
                    "relation": ("subject", "object", "options")}
    KINDS = KINDS
    kinds: tuple[str, ...] = KINDS
    marks: str = "A"  # of MARKS

    def __post_init__(self):
        check_some("kind of choice", self.kinds, KINDS)
        check_some("way to mark options", (self.marks,), MARKS)

    def draw(self, record: Record, rng: np.random.Generator, kind: str):
        known = view(record)
        if kind == "relation":
            return self._relation(known, rng)
        if kind == "number":
            return self._number(known, rng)
        for o in shuffled(known.pointed, rng):
            right = o.name if kind == "name" else look(o, "colour")
            wrong = other_names(known, o) if kind == "name" else colours_but(record, {right}) if right else []
            if len(wrong) >= 2:
                return self._case(kind, o.id, {"region": o.box}, right, wrong, rng)
        return None

    def _number(self, known: View, rng: np.random.Generator) -> Case | None:
        name = pick(sorted(known.classes), rng) if known.record.exhaustive else None
        if name is None:
            return None
        count = len(known.classes[name])
        near = [str(n) for n in range(max(0, count - 3), count + 4) if n != count]
        return self._case("number", name, {"name": name}, str(count), near, rng)

    def _relation(self, known: View, rng: np.random.Generator) -> Case | None:
        for a, b in pairs(known, rng):
            way = known.side(a, b)
            if way and known.alone(a) and known.alone(b):
                wrong = [other for other in SIDES if other != way]
                fields = {"subject": Regions((a.box,)), "object": Regions((b.box,))}
                return self._case("relation", f"{a.id}:{b.id}", fields, way, wrong, rng)
        return None

    def _case(self, kind: str, key: str, fields: dict, right: str, wrong: list[str], rng) -> Case:
        """`wrong`: at least two answers that are untrue; two or three of them are shown."""
        count = min(len(wrong) + 1, 3 + int(rng.random() < 0.5))
        options = shuffled(wrong, rng)[:count - 1]
        at = int(rng.integers(count))
        options.insert(at, right)
        shown, letter = lettered(options, self.marks), marked(at, self.marks)
        extra = {"kind": kind, "options": tuple(options), "right": right}
        return Case(f"{kind}:{key}:{'|'.join(options)}", {**fields, "options": shown}, (letter,), letter,
                    kind, extra)


def lettered(options: Sequence[str], marks: str = "A") -> str:
    """How options stand in a question: "A red, B blue"."""
    between = ", " if marks == "A" else " "
    return between.join(f"{marked(k, marks)} {option}" for k, option in enumerate(options[:len(LETTERS)]))


def marked(k: int, marks: str = "A") -> str:
    """The mark of option k: "A", or "(a)"."""
    return LETTERS[k] if marks == "A" else f"({LETTERS[k].lower()})"


def other_names(known: View, o: Object) -> list[str]:
    """Names this object does not go by, nor anything that overlaps it: of the picture, and those looked for."""
    return elsewhere(known, o, list(dict.fromkeys([*(other.name for other in known.single), *known.absent])))
