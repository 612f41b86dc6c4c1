"""A region to words about it (region description; Pink §3.2, grounding caption)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from loupe.record import Phrase, Record
from loupe.tasks.base import Case, Task, pick
from loupe.tasks.grounding import about, check_phrases, first_few, needs, phrases


@dataclass(frozen=True, kw_only=True)
class Description(Task):
    name = "description"
    placeholders = {"": ("region",)}
    phrases: str = "any"  # as in grounding
    kinds: tuple[str, ...] = ()  # as in grounding
    per_kind: int | None = None

    def __post_init__(self):
        check_phrases(self.phrases, self.per_kind)

    @property
    def needs(self) -> frozenset[str]:
        return needs(self.phrases)

    def choose(self, record: Record, rng: np.random.Generator):
        chosen = pick(phrases(record, self.phrases, self.kinds), rng)
        if chosen is None:
            return None
        every, region = phrases(record, self.phrases), chosen[1].region
        return self.case(*chosen, [p.text.strip() for _, p in every if p.region == region])

    def cases(self, record: Record):
        same = defaultdict(list)
        for _, phrase in phrases(record, self.phrases):
            same[phrase.region].append(phrase.text.strip())
        known = first_few(phrases(record, self.phrases, self.kinds), self.per_kind)
        return (self.case(key, phrase, same[phrase.region]) for key, phrase in known)

    def case(self, key: str, phrase: Phrase, same: list[str]) -> Case:
        """`same`: every phrase for this very region."""
        text = phrase.text.strip()
        extra = {"references": tuple(same), **about(phrase)}
        return Case(key, {"region": phrase.region}, (text,), text, extra=extra)
