"""How many objects of a class are there? Pink §3.2, object counting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from loupe.record import Record
from loupe.tasks.base import Case
from loupe.tasks.classes import ClassTask
from loupe.tasks.drawn import check_some, fixed
from loupe.tasks.view import view


@dataclass(frozen=True, kw_only=True)
class Counting(ClassTask):
    """form: how the object whose class is counted is given, a "box" or a "point" (PointQA's LookTwice)."""

    name = "counting"
    needs = frozenset({"objects"})
    placeholders = {"name": ("name",), "region": ("region",)}
    form: str = "box"

    def __post_init__(self):
        check_some("form of region", (self.form,), ("box", "point"))

    def choose(self, record: Record, rng: np.random.Generator):
        case = super().choose(record, rng)
        return case if case is None or self.form == "box" else self._at_point(record, case, rng)

    def cases(self, record: Record) -> Iterator[Case]:
        for case in super().cases(record):
            if self.form == "point":
                case = self._at_point(record, case, fixed(record, self.name, case.key))
            if case is not None:
                yield case

    def case(self, name, objects, asked):
        number = str(len(objects))
        extra = {"name": name}
        if asked is None:
            return Case(f"name:{name}", {"name": name}, (number,), number, "name", extra)
        if self.form == "point":
            extra["object"] = asked.id
        return Case(f"region:{name}:{asked.id}", {"region": asked.box}, (number,), number, "region", extra)

    def _at_point(self, record: Record, case: Case, rng: np.random.Generator) -> Case | None:
        """Asked by a place on the object alone; None where it has none."""
        if case.kind != "region":
            return case
        known = view(record)
        point = known.outlines.point(record.object_by_id()[case.extra["object"]], rng)
        return replace(case, key=case.key.replace("region", "point", 1), fields={"region": point}) if point else None
