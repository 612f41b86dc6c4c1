"""Questions about a region drawn as a point, a box or a polygon: what is it, what colour, texture, size, all of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.regions import Region
from loupe.tasks.base import Case, Task, pick
from loupe.tasks.drawn import check_some, fixed, shuffled
from loupe.tasks.forms import FORMS
from loupe.tasks.looks import check_unsaid, described, look, looks
from loupe.tasks.view import View, view

ASKS = ("name", "colour", "texture", "size", "all")
NOTHING = "nothing"  # said of a place that is on none of the objects


@dataclass(frozen=True, kw_only=True)
class RegionQuestion(Task):
    """extra["kind"] is "FORM-ASK", as in "point-colour"."""

    name = "region"
    needs = frozenset({"objects"})
    placeholders = dict.fromkeys(ASKS, ("region",))
    forms: tuple[str, ...] = FORMS
    asks: tuple[str, ...] = ASKS
    unsaid: tuple[tuple[str, str], ...] = ()  # (sort of look, word said of things without one), as ("texture", "plain")
    nothing: float = 0.03  # share of questions about a point on nothing, where the record is exhaustive

    def __post_init__(self):
        check_some("form of region", self.forms, FORMS)
        check_some("thing to ask of a region", self.asks, ASKS)
        check_unsaid(self.unsaid)

    def choose(self, record: Record, rng: np.random.Generator):
        known = view(record)
        if self._may_be_nothing(record) and rng.random() < self.nothing:
            case = self._nothing(known, rng)
            if case:
                return case
        for o in shuffled(known.single, rng):
            ask = pick(self.possible(o), rng)
            for form in shuffled(self.forms, rng) if ask else ():
                region = place(known, o, form, rng)
                if region is not None:
                    return self.case(o, form, ask, region)
        return None

    def cases(self, record: Record):
        known = view(record)
        for o in known.single:
            asks = self.possible(o)
            for form in self.forms if asks else ():
                region = place(known, o, form, fixed(record, self.name, o.id, form))
                if region is not None:
                    yield from (self.case(o, form, ask, region) for ask in asks)
        if self._may_be_nothing(record):
            case = self._nothing(known, fixed(record, self.name, NOTHING))
            if case:
                yield case

    def possible(self, o: Object) -> list[str]:
        """What of `asks` the annotation of this object answers."""
        return [ask for ask in self.asks if ask == "name" or self.answer(o, ask)]

    def answer(self, o: Object, ask: str) -> str:
        if ask == "name":
            return o.name
        if ask == "all":
            words = looks(o).values()
            return described(o) if any(words) and all(len(some) < 2 for some in words) else ""
        return look(o, ask, dict(self.unsaid))

    def case(self, o: Object, form: str, ask: str, region: Region) -> Case:
        text = self.answer(o, ask)
        also = {"name": o.names, "all": tuple(described(o, name) for name in o.names)}.get(ask, (text,))
        around = {"box": o.box} if form == "point" else {}
        extra = {"kind": f"{form}-{ask}", "object": o.id, "references": also, **around}
        return Case(f"{form}:{ask}:{o.id}", {"region": region}, (text,), text, ask, extra)

    def _may_be_nothing(self, record: Record) -> bool:
        return (record.exhaustive and bool(record.objects) and self.nothing > 0 and "point" in self.forms
                and "name" in self.asks)

    def _nothing(self, known: View, rng: np.random.Generator) -> Case | None:
        point = known.outlines.free(rng)
        if point is None:
            return None
        return Case("point:name:", {"region": point}, (NOTHING,), NOTHING, "name", {"kind": "point-nothing"})


def place(known: View, o: Object, form: str, rng: np.random.Generator) -> Region | None:
    """The object as a region of that form; None where the region would not mean this object alone."""
    if form == "point":
        return known.outlines.point(o, rng)
    if not known.alone(o):
        return None
    return o.box if form == "box" else known.outlines.polygon(o)
