"""Annotated questions that are answered by one of several regions (Visual7W's "Which ...?")."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.sample import Part, Regions
from loupe.tasks.base import Case
from loupe.tasks.choice import LETTERS, marked
from loupe.tasks.drawn import fixed, shuffled
from loupe.tasks.multiple_choice import Lettered


@dataclass(frozen=True, kw_only=True)
class WhichRegion(Lettered):
    """The answer is a letter (Pink: boxes as options); their order is drawn once for each question.

    extra["choices"]: the regions in the order shown; extra["right"]: the right one.
    """

    name = "which-region"

    def cases(self, record: Record):
        for k, q in enumerate(record.questions):
            if not q.text.strip() or not 1 < len(q.choices) <= len(LETTERS):
                continue
            key = q.id or str(k)
            shown = shuffled(q.choices, fixed(record, self.name, key))
            options: list[Part] = []
            for place, region in enumerate(shown):
                options += [f"{', ' if place else ''}{marked(place, self.marks)} ", Regions((region,))]
            letter = marked(shown.index(q.choices[0]), self.marks)
            extra = {"choices": tuple(shown), "right": q.choices[0]}
            yield Case(key, {"question": q.text.strip(), "options": tuple(options)}, (letter,), letter, extra=extra)
