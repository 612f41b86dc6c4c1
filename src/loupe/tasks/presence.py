"""Is it there? By name in the picture, or by name in a box; half of the answers are no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.regions import Box
from loupe.tasks.base import Case, pick
from loupe.tasks.drawn import DrawnTask, check_some
from loupe.tasks.grammar import article, could_be
from loupe.tasks.looks import APART, looks
from loupe.tasks.outlines import meets
from loupe.tasks.view import View, view

KINDS = ("name", "box")


@dataclass(frozen=True, kw_only=True)
class Presence(DrawnTask):
    """A no is easy (a class that is not there) or hard (another colour; the name of another object at this box)."""

    name = "presence"
    needs = frozenset({"objects"})
    placeholders = {"name": ("thing",), "box": ("thing", "region")}
    KINDS = KINDS
    kinds: tuple[str, ...] = KINDS
    described: float = 0.5  # share of true questions that name a look beside the class, where one is annotated
    hard: float = 0.5  # share of hard questions among the untrue ones, where there are any

    def __post_init__(self):
        check_some("kind of question", self.kinds, KINDS)

    def draw(self, record: Record, rng: np.random.Generator, kind: str):
        known = view(record)
        find = self._no_name if kind == "name" else self._no_box
        untrue = find(known, rng)
        if untrue is None:  # only true questions would give the answer away
            return None
        if rng.random() < 0.5:
            return untrue
        o = pick(known.single if kind == "name" else known.pointed, rng)
        return None if o is None else self._case(kind, self._thing(o, rng), o.box, o.id, "yes", "")

    def _thing(self, o: Object, rng: np.random.Generator) -> str:
        words = looks(o)
        sorts = [sort for sort, some in words.items() if some]
        if not sorts or rng.random() >= self.described:
            return article(o.name)
        colour_only = "colour" in sorts and rng.random() < 0.5
        said = [words[sort][0] for sort in sorts if not colour_only or sort == "colour"]
        return article(" ".join([*said, o.name]))

    def _case(self, kind: str, thing: str, region: Box, key: str, truth: str, why: str) -> Case:
        extra = {"thing": thing, **({"why": why} if why else {})}
        if kind == "name":
            return Case(f"name:{thing}", {"thing": thing}, (truth,), truth, kind, extra)
        return Case(f"box:{thing}:{key}", {"thing": thing, "region": region}, (truth,), truth, kind, extra)

    def _no_name(self, known: View, rng: np.random.Generator) -> Case | None:
        if not known.record.exhaustive:
            return None
        first = rng.random() < self.hard
        for hard in (first, not first):
            name = self._wrong_colour(known, rng) if hard else pick(known.absent, rng)
            if name:
                thing = article(name)
                return self._case("name", thing, None, "", "no", "colour" if hard else "absent")
        return None

    def _wrong_colour(self, known: View, rng: np.random.Generator) -> str:
        """A class that is there with a colour none of its things has; every one must have exactly one colour."""
        name = pick(sorted(known.classes), rng)
        same = [o for o in known.record.objects if name in o.names]
        colours = {looks(o)["colour"] for o in same}
        if name is None or any(len(some) != 1 for some in colours):
            return ""
        colour = pick(colours_but(known.record, {some[0] for some in colours}), rng)
        return f"{colour} {name}" if colour else ""

    def _no_box(self, known: View, rng: np.random.Generator) -> Case | None:
        o = pick(known.pointed, rng)
        if o is None:
            return None
        first = rng.random() < self.hard
        for hard in (first, not first):
            if not hard:
                name, why = pick(self._elsewhere(known, o, known.absent), rng), "absent"
            elif rng.random() < 0.5 and len(looks(o)["colour"]) == 1:
                name, why = self._recoloured(known, o, rng), "colour"
            else:
                others = dict.fromkeys(other.name for other in known.single if other is not o)
                name, why = pick(self._elsewhere(known, o, list(others)), rng), "elsewhere"
            if name:
                return self._case("box", article(name), o.box, o.id, "no", why)
        return None

    def _elsewhere(self, known: View, o: Object, names: list[str]) -> list[str]:
        """The names nothing that reaches into this object's box goes by, nor could go by."""
        here = {name for other in known.record.objects if other is o or meets(other.box, o.box) for name in other.names}
        if known.record.exhaustive:
            return [name for name in names if name not in here]
        return [name for name in names if not any(could_be(name, other) for other in here)]

    def _recoloured(self, known: View, o: Object, rng: np.random.Generator) -> str:
        taken = {colour for other in known.record.objects for colour in looks(other)["colour"]
                 if other is o or (meets(other.box, o.box) and set(other.names) & set(o.names))}
        colour = pick(colours_but(known.record, taken), rng)
        return f"{colour} {o.name}" if colour else ""


def colours_but(record: Record, taken: set[str]) -> list[str]:
    """Colours that things of none of the taken ones have.

    An exhaustive record names colours from a closed list, so that all those of the picture differ; elsewhere only
    colours nobody mixes up count as different.
    """
    if not record.exhaustive and not taken <= set(APART):
        return []
    seen = {colour for o in record.objects for colour in looks(o)["colour"]} if record.exhaustive else set()
    return sorted((seen | set(APART)) - taken)
