"""Annotated sentences that are to be judged: true or false of the picture (VSR), hateful or not (Hateful Memes)."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.tasks.base import Case, Task, mention

KINDS = ("statement", "hateful")  # of Question.kind


@dataclass(frozen=True, kw_only=True)
class Judgement(Task):
    """The answer is one of two words; extra["topic"] is the relation that is stated, where the file says it."""

    name = "judgement"
    needs = frozenset({"questions"})
    placeholders = {"statement": ("statement",), "hateful": ("words",)}

    def cases(self, record: Record):
        for k, q in enumerate(record.questions):
            if q.kind not in KINDS or not q.text.strip() or not q.answers:
                continue
            said = mention(q.text) if q.kind == "statement" else q.text.strip()
            extra = {"kind": q.kind, **({"topic": q.topics[0]} if q.topics else {})}
            yield Case(q.id or str(k), {self.placeholders[q.kind][0]: said}, q.answers[:1], q.answers[0], q.kind, extra)
