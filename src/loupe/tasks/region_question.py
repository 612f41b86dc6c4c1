"""Annotated questions about a region: how many of these, what is written here (PointQA, VizWiz grounding)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Question, Record
from loupe.regions import Point, Region
from loupe.tasks.base import Case, Task, pick
from loupe.tasks.forms import check_forms, drawn, each


@dataclass(frozen=True, kw_only=True)
class AskedOfRegion(Task):
    """extra["form"]: how the region is given; extra["wording"]: which of the file's wordings of one question it is."""

    name = "region-question"
    needs = frozenset({"questions"})
    placeholders = {"": ("question", "region")}
    forms: tuple[str, ...] = ()  # of FORMS, one at random; none: as annotated
    kinds: tuple[str, ...] = ()  # of Question.kind; none: all

    def __post_init__(self):
        check_forms(self.forms)

    def choose(self, record: Record, rng: np.random.Generator):
        chosen = pick(list(self._asked(record)), rng)
        if chosen is None:
            return None
        k, q = chosen
        found = drawn(record, q.region, self.forms, rng, point=q.point)
        return self.case(k, q, *found) if found else None

    def cases(self, record: Record):
        for k, q in self._asked(record):
            for form, region in each(record, q.region, self.forms, f"{self.name}/{k}", point=q.point):
                yield self.case(k, q, form, region)

    def _asked(self, record: Record):
        for k, q in enumerate(record.questions):
            whole = q.region is not None and q.text.strip() and any(a.strip() for a in q.answers)
            if whole and (not self.kinds or q.kind in self.kinds):
                yield k, q

    def case(self, k: int, q: Question, form: str, region: Region) -> Case:
        answers = tuple(a.strip() for a in q.answers if a.strip())
        key = ":".join(part for part in (q.id or str(k), form) if part)
        around = q.region.box if isinstance(region, Point) and not isinstance(q.region, Point) else None
        extra = {"references": answers, "form": form, "wording": q.kind, "box": around}
        return Case(key, {"question": q.text.strip(), "region": region}, answers[:1], answers[0],
                    extra={name: value for name, value in extra.items() if value})
