"""Open questions about the picture, as annotated."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.tasks.base import Case, Task


@dataclass(frozen=True, kw_only=True)
class OpenQuestion(Task):
    """`chosen`: questions with answers to choose from are asked as well, without them; extra["options"] holds them."""

    name = "question"
    needs = frozenset({"questions"})
    placeholders = {"": ("question",), "plain": ("question",)}
    plain = {"": "plain"}
    chosen: bool = False

    def cases(self, record: Record):
        for k, q in enumerate(record.questions):
            text, answers = q.text.strip(), tuple(a.strip() for a in q.answers if a.strip())
            if text and answers and q.region is None and (self.chosen or not q.options):
                extra = {"references": answers, **({"capability": q.topics} if q.topics else {}),
                         **({"options": q.options} if q.options else {})}
                yield Case(q.id or str(k), {"question": text}, answers[:1], answers[0], extra=extra,
                           judged={"votes": q.votes} if q.votes else {})
