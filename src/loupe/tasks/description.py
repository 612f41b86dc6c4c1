"""A region to words about it (region description; Pink §3.2, grounding caption)."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.tasks.base import Case, Task
from loupe.tasks.grounding import check_phrases, needs, phrases


@dataclass(frozen=True, kw_only=True)
class Description(Task):
    name = "description"
    placeholders = {"": ("region",)}
    phrases: str = "any"  # as in grounding

    def __post_init__(self):
        check_phrases(self.phrases)

    @property
    def needs(self) -> frozenset[str]:
        return needs(self.phrases)

    def cases(self, record: Record):
        known = phrases(record, self.phrases)
        for key, phrase in known:
            text = phrase.text.strip()
            same = tuple(p.text.strip() for _, p in known if p.region == phrase.region)
            yield Case(key, {"region": phrase.region}, (text,), text,
                       extra={"references": same, **({"object": phrase.object} if phrase.object else {})})
