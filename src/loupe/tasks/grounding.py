"""Words to the region they mean (referring expression comprehension; Pink §3.2, visual grounding)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError, unknown_name
from loupe.record import Phrase, Record
from loupe.sample import Regions
from loupe.tasks.base import Case, Task, mention, pick
from loupe.tasks.classes import by_class

PHRASES = ("any", "refers", "unique")


def phrases(record: Record, which: str, kinds: tuple[str, ...] = ()) -> list[tuple[str, Phrase]]:
    """(key, phrase), by choice of
    "refers": annotated phrases that single their region out;
    "unique": the class names that exactly one object of an exhaustive record goes by, and no crowd;
    "any": every annotated phrase; "unique" in a record that has none.
    kinds: only phrases of these kinds (`Phrase.kind`), where any are given.
    """
    if kinds:
        return [each for each in phrases(record, which) if each[1].kind in kinds]
    if which == "unique" or (which == "any" and not record.phrases):
        if not record.exhaustive:
            return []
        return [(f"unique:{name}", Phrase(name, objects[0].box, True, objects[0].id))
                for name, objects in sorted(by_class(record).items()) if len(objects) == 1]
    crowds = {o.id for o in record.objects if o.crowd}
    return [(f"phrase:{p.id or k}", p) for k, p in enumerate(record.phrases)
            if p.text.strip() and p.object not in crowds and (p.refers or which == "any")]


def needs(which: str) -> frozenset[str]:
    return {"refers": frozenset({"phrases"}), "unique": frozenset({"objects"}), "any": frozenset()}[which]


def first_few(known: list[tuple[str, Phrase]], per_kind: int | None) -> list[tuple[str, Phrase]]:
    """At most `per_kind` phrases of each kind, in order; None: all."""
    if per_kind is None:
        return known
    count: Counter[str] = Counter()
    return [each for each in known if count.update((each[1].kind,)) or count[each[1].kind] <= per_kind]


def check_phrases(which: str, per_kind: int | None = None) -> None:
    if which not in PHRASES:
        raise unknown_name("choice of phrases", which, PHRASES)
    if per_kind is not None and per_kind < 1:
        raise ConfigError("no phrase is left", got=f"per_kind {per_kind}", expected="1 or more, or None")


def about(phrase: Phrase) -> dict[str, str]:
    """What is known of a phrase beside its words and region: its object, its kind."""
    return {**({"object": phrase.object} if phrase.object else {}), **({"kind": phrase.kind} if phrase.kind else {})}


@dataclass(frozen=True, kw_only=True)
class Grounding(Task):
    name = "grounding"
    placeholders = {"": ("phrase",)}
    phrases: str = "any"  # one of PHRASES
    kinds: tuple[str, ...] = ()  # only phrases of these kinds; empty: all
    per_kind: int | None = None  # so many of each kind and picture in evaluation; None: all

    def __post_init__(self):
        check_phrases(self.phrases, self.per_kind)

    @property
    def needs(self) -> frozenset[str]:
        return needs(self.phrases)

    def choose(self, record: Record, rng: np.random.Generator):
        chosen = pick(phrases(record, self.phrases, self.kinds), rng)
        return self.case(*chosen) if chosen else None

    def cases(self, record: Record):
        known = first_few(phrases(record, self.phrases, self.kinds), self.per_kind)
        return (self.case(key, phrase) for key, phrase in known)

    def case(self, key: str, phrase: Phrase) -> Case:
        text = mention(phrase.text)
        extra = {"phrase": text, **about(phrase)}
        return Case(key, {"phrase": text}, (Regions((phrase.region,)),), phrase.region, extra=extra)
