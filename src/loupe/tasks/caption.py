"""The picture in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.tasks.base import Case, Task


@dataclass(frozen=True, kw_only=True)
class Caption(Task):
    name = "caption"
    needs = frozenset({"captions"})
    placeholders = {"": (), "plain": ()}
    plain = {"": "plain"}

    def cases(self, record: Record):
        captions = tuple(text.strip() for text in record.captions if text.strip())
        yield from (Case(str(k), {}, (text,), text, extra={"references": captions}) for k, text in enumerate(captions))

    def every(self, record: Record):
        """One question, however many captions there are."""
        return super().every(record)[:1]
