"""Is it there? By name in the picture, or by name in a box; half of the answers are no."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError
from loupe.record import Object, Record
from loupe.tasks.base import Case, mention, pick
from loupe.tasks.drawn import DrawnTask, check_some, shuffled
from loupe.tasks.grammar import article, could_be
from loupe.tasks.looks import APART, looks
from loupe.tasks.outlines import meets
from loupe.tasks.view import View, view

KINDS = ("name", "box")


@dataclass(frozen=True, kw_only=True)
class Presence(DrawnTask):
    """A no is easy (a class that is not there) or hard (another colour; the name of another object at this box).

    Looks are named as often in questions to be denied as in those to be affirmed.
    """

    name = "presence"
    needs = frozenset({"objects"})
    placeholders = {"name": ("thing",), "box": ("thing", "region")}
    KINDS = KINDS
    kinds: tuple[str, ...] = KINDS
    described: float = 0.5  # share of questions that name a look beside the class, where one is annotated
    hard: float = 0.5  # share of hard questions among those to be denied, where there are any
    expressions: float = 0.0  # share of questions by name that say a referring expression, where some are annotated

    def __post_init__(self):
        check_some("kind of question", self.kinds, KINDS)
        if not 0 <= self.expressions <= 1:
            raise ConfigError("expressions is a share of the questions", got=self.expressions, expected="0 to 1")

    def draw(self, record: Record, rng: np.random.Generator, kind: str):
        known = view(record)
        if kind == "name" and self.expressions and rng.random() < self.expressions:
            case = self._expressed(known, rng)
            if case:
                return case
        described = bool(rng.random() < self.described)
        untrue = (self._not_there if kind == "name" else self._not_here)(known, rng, described)
        if untrue is None:  # only true questions would give the answer away
            return None
        o, thing, why = untrue
        if rng.random() < 0.5:
            return self._case(kind, thing, o, "no", why)
        o = pick(known.single if kind == "name" else known.pointed, rng)
        return self._case(kind, worded(o, o.name, described, rng), o, "yes", "")

    def _expressed(self, known: View, rng: np.random.Generator) -> Case | None:
        """An expression of an object, or the same with a class in its place that is nowhere in the picture: whatever
        the expression relates it to, nothing fits."""
        absent = pick(known.absent, rng) if known.record.exhaustive else None
        for p in shuffled([p for p in known.record.phrases if p.refers and p.object in known.by_id], rng):
            o, text = known.by_id[p.object], mention(p.text)
            said = re.compile(rf"\b{re.escape(o.name)}\b")
            if absent is None or len(said.findall(text)) != 1:
                continue
            if rng.random() < 0.5:
                return self._case("name", text, o, "yes", "")
            return self._case("name", said.sub(lambda _: absent, text), o, "no", "expression")
        return None

    def _case(self, kind: str, thing: str, o: Object, truth: str, why: str) -> Case:
        extra = {"thing": thing, **({"why": why} if why else {})}
        if kind == "name":
            return Case(f"name:{thing}", {"thing": thing}, (truth,), truth, kind, extra)
        return Case(f"box:{thing}:{o.id}", {"thing": thing, "region": o.box}, (truth,), truth, kind, extra)

    def _not_there(self, known: View, rng: np.random.Generator, described: bool) -> tuple[Object, str, str] | None:
        """(whose looks are named, the thing, why it is not there). Hard ones all name a look."""
        o = pick(known.single, rng) if known.record.exhaustive else None
        if o is None:
            return None
        if described and rng.random() * self.described < self.hard:
            taken = {looks(other)["colour"] for other in known.record.objects if set(o.names) & set(other.names)}
            if all(len(some) == 1 for some in taken):
                colour = pick(colours_but(known.record, {some[0] for some in taken}), rng)
                if colour:
                    return o, worded(o, o.name, True, rng, colour), "colour"
        name = pick(known.absent, rng)
        return (o, worded(o, name, described, rng), "absent") if name else None

    def _not_here(self, known: View, rng: np.random.Generator, described: bool) -> tuple[Object, str, str] | None:
        """(whose box, the thing that is not there, why)."""
        hard = bool(rng.random() < self.hard)
        for o in shuffled(known.pointed, rng):
            if hard and described:
                colour = self._other_colour(known, o, rng)
                if colour:
                    return o, worded(o, o.name, True, rng, colour), "colour"
            others = list(dict.fromkeys(other.name for other in known.single if other is not o))
            for names, why in ((others, "elsewhere"), (known.absent, "absent"))[::1 if hard else -1]:
                name = pick(elsewhere(known, o, names), rng)
                if name:
                    return o, worded(o, name, described, rng), why
        return None

    def _other_colour(self, known: View, o: Object, rng: np.random.Generator) -> str | None:
        if len(looks(o)["colour"]) != 1:
            return None
        taken = {colour for other in known.record.objects for colour in looks(other)["colour"]
                 if other is o or (meets(other.box, o.box) and set(other.names) & set(o.names))}
        return pick(colours_but(known.record, taken), rng)


def worded(o: Object, name: str, described: bool, rng: np.random.Generator, colour: str = "") -> str:
    """"a star", or with looks of `o`, its colour or all: "a large red star"; `colour` stands in place of its own."""
    if not described:
        return article(name)
    words = {sort: some[0] for sort, some in looks(o).items() if some}
    if colour:
        words["colour"] = colour
    if "colour" in words and rng.random() < 0.5:
        words = {"colour": words["colour"]}
    return article(" ".join([*words.values(), name]))


def elsewhere(known: View, o: Object, names: list[str]) -> list[str]:
    """The names nothing that reaches into this object's box goes by, nor could go by."""
    here = {name for other in known.record.objects if other is o or meets(other.box, o.box) for name in other.names}
    if known.record.exhaustive:
        return [name for name in names if name not in here]
    return [name for name in names if not any(could_be(name, other) for other in here)]


def colours_but(record: Record, taken: set[str]) -> list[str]:
    """Colours that differ from all of the taken ones.

    An exhaustive record names colours from a closed list: all those of the picture differ, and others are taken only
    where it has fewer than two more. Elsewhere only colours nobody mixes up count as different.
    """
    if not record.exhaustive:
        return sorted(set(APART) - taken) if taken <= set(APART) else []
    seen = {colour for o in record.objects for colour in looks(o)["colour"]} - taken
    return sorted(seen if len(seen) > 1 else seen | set(APART) - taken)
