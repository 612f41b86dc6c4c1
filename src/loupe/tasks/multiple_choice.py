"""Annotated questions with answers to choose from (MMBench, ScienceQA, AI2D)."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.tasks.base import Case, Task
from loupe.tasks.choice import LETTERS, MARKS, lettered, marked
from loupe.tasks.drawn import check_some


@dataclass(frozen=True, kw_only=True)
class Lettered(Task):
    """An annotated question that is answered by the letter of an option."""

    needs = frozenset({"questions"})
    placeholders = {"": ("question", "options")}
    marks: str = "A"  # of MARKS

    def __post_init__(self):
        check_some("way to mark options", (self.marks,), MARKS)


@dataclass(frozen=True, kw_only=True)
class MultipleChoice(Lettered):
    """The answer is a letter; extra["options"] holds what they stand for, extra["topic"] what it is about."""

    name = "multiple-choice"

    def cases(self, record: Record):
        for k, q in enumerate(record.questions):
            right = next((i for i, option in enumerate(q.options) if q.answers and option == q.answers[0]), None)
            if right is None or len(q.options) > len(LETTERS) or not q.text.strip():
                continue
            extra = {"options": q.options, "right": q.options[right], **({"topic": q.topics[0]} if q.topics else {})}
            fields = {"question": q.text.strip(), "options": lettered(q.options, self.marks)}
            letter = marked(right, self.marks)
            yield Case(q.id or str(k), fields, (letter,), letter, extra=extra)
