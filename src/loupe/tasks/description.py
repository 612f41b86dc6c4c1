"""A region to words about it (region description; Pink §3.2, grounding caption)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from loupe.record import Phrase, Record
from loupe.regions import Region
from loupe.tasks.base import Case, Task, pick
from loupe.tasks.forms import check_forms, drawn, each
from loupe.tasks.grammar import telling
from loupe.tasks.grounding import about, check_phrases, first_few, needs, phrases


@dataclass(frozen=True, kw_only=True)
class Description(Task):
    name = "description"
    placeholders = {"": ("region",), "plain": ("region",)}
    plain = {"": "plain"}
    phrases: str = "any"  # as in grounding
    kinds: tuple[str, ...] = ()  # as in grounding
    longest: bool = False  # of each region's phrases only the one of most words, which tells most of what it is like
    per_kind: int | None = None
    forms: tuple[str, ...] = ()  # how the region is given, one at random; none: as annotated

    def __post_init__(self):
        check_phrases(self.phrases, self.per_kind)
        check_forms(self.forms)

    @property
    def needs(self) -> frozenset[str]:
        return needs(self.phrases)

    def choose(self, record: Record, rng: np.random.Generator):
        chosen = pick(self.known(record), rng)
        if chosen is None:
            return None
        key, phrase = chosen
        found = drawn(record, phrase.region, self.forms, rng, phrase.object or "")
        if found is None:
            return None
        every = phrases(record, self.phrases)
        return self.case(key, phrase, [p.text.strip() for _, p in every if p.region == phrase.region], *found)

    def cases(self, record: Record):
        same = defaultdict(list)
        for _, phrase in phrases(record, self.phrases):
            same[phrase.region].append(phrase.text.strip())
        for key, phrase in first_few(self.known(record), self.per_kind):
            for form, region in each(record, phrase.region, self.forms, f"{self.name}/{key}", phrase.object or ""):
                yield self.case(key, phrase, same[phrase.region], form, region)

    def known(self, record: Record) -> list[tuple[str, Phrase]]:
        """(key, phrase) of what may be said."""
        found = phrases(record, self.phrases, self.kinds)
        if not self.longest:
            return found
        of_region = defaultdict(list)
        for key, phrase in found:
            of_region[phrase.region].append((key, phrase))
        return [max(same, key=lambda known: telling(known[1].text)) for same in of_region.values()]

    def case(self, key: str, phrase: Phrase, same: list[str], form: str, region: Region) -> Case:
        """`same`: every phrase for this very region."""
        text = phrase.text.strip()
        extra = {"references": tuple(same), **about(phrase), **({"form": form} if form else {})}
        return Case(f"{key}:{form}" if form else key, {"region": region}, (text,), text, extra=extra)
