"""Open questions about the picture, as annotated."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.tasks.base import Case, Task


@dataclass(frozen=True, kw_only=True)
class OpenQuestion(Task):
    name = "question"
    needs = frozenset({"questions"})
    placeholders = {"": ("question",), "plain": ("question",)}
    plain = {"": "plain"}

    def cases(self, record: Record):
        for k, q in enumerate(record.questions):
            text, answers = q.text.strip(), tuple(a.strip() for a in q.answers if a.strip())
            if text and answers and q.region is None and not q.options:  # region-question, multiple-choice
                extra = {"references": answers, **({"capability": q.topics} if q.topics else {})}
                yield Case(q.id or str(k), {"question": text}, answers[:1], answers[0], extra=extra,
                           judged={"votes": q.votes} if q.votes else {})
