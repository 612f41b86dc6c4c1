"""Words to the region they mean (referring expression comprehension; Pink §3.2, visual grounding)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.errors import unknown_name
from loupe.record import Phrase, Record
from loupe.sample import Regions
from loupe.tasks.base import Case, Task, mention, pick
from loupe.tasks.classes import by_class

PHRASES = ("any", "refers", "unique")


def phrases(record: Record, which: str) -> list[tuple[str, Phrase]]:
    """(key, phrase), by choice of
    "refers": annotated phrases that single their region out;
    "unique": the class names that exactly one object of an exhaustive record goes by, and no crowd;
    "any": every annotated phrase; "unique" in a record that has none.
    """
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


def check_phrases(which: str) -> None:
    if which not in PHRASES:
        raise unknown_name("choice of phrases", which, PHRASES)


@dataclass(frozen=True, kw_only=True)
class Grounding(Task):
    name = "grounding"
    placeholders = {"": ("phrase",)}
    phrases: str = "any"  # one of PHRASES

    def __post_init__(self):
        check_phrases(self.phrases)

    @property
    def needs(self) -> frozenset[str]:
        return needs(self.phrases)

    def choose(self, record: Record, rng: np.random.Generator):
        chosen = pick(phrases(record, self.phrases), rng)
        return self.case(*chosen) if chosen else None

    def cases(self, record: Record):
        return (self.case(key, phrase) for key, phrase in phrases(record, self.phrases))

    def case(self, key: str, phrase: Phrase) -> Case:
        text = mention(phrase.text)
        about = {"object": phrase.object} if phrase.object else {}
        return Case(key, {"phrase": text}, (Regions((phrase.region,)),), phrase.region, extra={"phrase": text, **about})
