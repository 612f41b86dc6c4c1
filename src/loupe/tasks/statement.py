"""True or false? Statements of looks, relations, places and numbers; half of them are untrue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.sample import Part, Regions
from loupe.tasks.base import Case, pick
from loupe.tasks.drawn import DrawnTask, check_some, shuffled
from loupe.tasks.grammar import CONTRARY, many, number, plural
from loupe.tasks.looks import SORTS, look
from loupe.tasks.presence import colours_but
from loupe.tasks.relation import triplets
from loupe.tasks.saying import said
from loupe.tasks.view import SIDES, SPOKEN, View, view

KINDS = ("attribute", "relation", "position", "count")
CONTRASTS = {"size": (("small", "large"), ("little", "big"), ("tall", "short"), ("long", "short")),
             "texture": (("striped", "dotted"), ("wooden", "metal"), ("checked", "dotted"))}


@dataclass(frozen=True, kw_only=True)
class Statement(DrawnTask):
    """Whether a statement is true is drawn first, so that no kind of statement gives its answer away."""

    name = "statement"
    needs = frozenset({"objects"})
    placeholders = {"": ("statement",)}
    KINDS = KINDS
    kinds: tuple[str, ...] = KINDS
    by_box: float = 0.5  # share of things given by their box where words would do

    def __post_init__(self):
        check_some("kind of statement", self.kinds, KINDS)

    def draw(self, record: Record, rng: np.random.Generator, kind: str):
        known, true = view(record), bool(rng.random() < 0.5)
        found = getattr(self, f"_{kind}")(known, rng, true)
        if found is None:
            return None
        key, statement = found
        truth = "true" if true else "false"
        return Case(f"{kind}:{key}", {"statement": statement}, (truth,), truth, extra={"kind": kind})

    def _attribute(self, known: View, rng: np.random.Generator, true: bool):
        for o in shuffled(known.single, rng):
            sort = pick([sort for sort in SORTS if others(known.record, o, sort)], rng)
            subject = said(known, o, rng, self.by_box, sort) if sort else None
            if subject:
                word = look(o, sort) if true else pick(others(known.record, o, sort), rng)
                return f"{key(o, subject)}:{word}", (*subject, f" {be(o.name)} {word}")
        return None

    def _relation(self, known: View, rng: np.random.Generator, true: bool):
        """Only predicates that have a contrary, else the predicate would say whether it is true."""
        for a, predicate, b in shuffled([t for t in triplets(known.record) if t[1] in CONTRARY and t[0].name
                                         and t[2].name], rng):
            words = predicate if true else CONTRARY[predicate]
            found = self._pair(known, rng, a, b, words)
            if found:
                return found
        return None

    def _position(self, known: View, rng: np.random.Generator, true: bool):
        for a, b in pairs(known, rng):
            way = pick(known.sides(a, b), rng)
            if way:
                axis, sign = SIDES[way]
                if not true:
                    way = next(other for other, where in SIDES.items() if where == (axis, -sign))
                found = self._pair(known, rng, a, b, SPOKEN[way])
                if found:
                    return found
        return None

    def _pair(self, known: View, rng: np.random.Generator, a: Object, b: Object, words: str):
        one, other = said(known, a, rng, self.by_box), said(known, b, rng, self.by_box)
        if one is None or other is None:
            return None
        return f"{key(a, one)}:{words}:{key(b, other)}", (*one, f" {be(a.name)} {words} ", *other)

    def _count(self, known: View, rng: np.random.Generator, true: bool):
        if not known.record.exhaustive:
            return None
        names = sorted(known.classes)
        there = bool(names) and (rng.random() < 0.85 or not known.absent)
        name = pick(names if there else known.absent, rng)
        if name is None:
            return None
        count = len(known.classes[name]) if there else 0
        if not true:
            count += 1 if count == 0 or rng.random() < 0.5 else -1
        words = f"{number(count)} {name if count == 1 else plural(name)}"
        return words, (f"there {'is' if count == 1 and not many(name) else 'are'} exactly {words}"
                       if count else f"there are {words}",)


def pairs(known: View, rng: np.random.Generator, tries: int = 12):
    """Ordered pairs of different objects by chance."""
    things = known.single
    for _ in range(tries if len(things) > 1 else 0):
        i, j = (int(v) for v in rng.integers(0, (len(things), len(things) - 1)))
        yield things[i], things[j + (j >= i)]


def others(record: Record, o: Object, sort: str) -> list[str]:
    """Words of this sort that are untrue of an object with exactly one such word."""
    word = look(o, sort)
    if not word:
        return []
    if sort == "colour":
        return colours_but(record, {word})
    return [b if word == a else a for a, b in CONTRASTS[sort] if word in (a, b)]


def key(o: Object, subject: tuple[Part, ...]) -> str:
    return f"{o.id}@" if any(isinstance(part, Regions) for part in subject) else f"{o.id}"


def be(name: str) -> str:
    return "are" if many(name) else "is"
