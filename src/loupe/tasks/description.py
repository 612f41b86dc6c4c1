"""A region to words about it (region description; Pink §3.2, grounding caption)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from loupe.record import Phrase, Record
from loupe.tasks.base import Case, Task, pick
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

    def choose(self, record: Record, rng: np.random.Generator):
        known = phrases(record, self.phrases)
        chosen = pick(known, rng)
        if chosen is None:
            return None
        return self.case(*chosen, [p.text.strip() for _, p in known if p.region == chosen[1].region])

    def cases(self, record: Record):
        known, same = phrases(record, self.phrases), defaultdict(list)
        for _, phrase in known:
            same[phrase.region].append(phrase.text.strip())
        return (self.case(key, phrase, same[phrase.region]) for key, phrase in known)

    def case(self, key: str, phrase: Phrase, same: list[str]) -> Case:
        """`same`: every phrase for this very region."""
        text = phrase.text.strip()
        about = {"object": phrase.object} if phrase.object else {}
        return Case(key, {"region": phrase.region}, (text,), text, extra={"references": tuple(same), **about})
