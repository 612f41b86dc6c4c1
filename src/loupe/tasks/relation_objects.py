"""A subject and a predicate to all objects related so (Pink §3.2, visual relation reasoning 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.tasks.base import Case, mention, pick
from loupe.tasks.classes import by_class, check_order, ordered
from loupe.tasks.listing import KINDS, check_kinds, listed
from loupe.tasks.relation import RelationTask, triplets


@dataclass(frozen=True, kw_only=True)
class RelationObjects(RelationTask):
    name = "relation-objects"
    placeholders = dict.fromkeys(KINDS, ("subject", "predicate"))
    kinds: tuple[str, ...] = KINDS
    by_phrase: float = 0.5  # share of subjects given in words, where there are words that single them out
    order: str = "area"
    most: int | None = 20

    def __post_init__(self):
        check_kinds(self.kinds)
        check_order(self.order)

    def choose(self, record: Record, rng: np.random.Generator):
        known = self.lists(record)
        kept = dict.fromkeys((s.id, p) for s, p, _ in self.kept(record, rng) if (s.id, p) in known)
        chosen = pick(list(kept), rng)
        if chosen is None:
            return None
        subject, objects = known[chosen]
        words = names_for(record, subject) if rng.random() < self.by_phrase else []
        return self.case(subject, chosen[1], objects, pick(words, rng), pick(list(self.kinds), rng))

    def cases(self, record: Record):
        for (_, predicate), (subject, objects) in self.lists(record).items():
            for kind in self.kinds:
                for words in [None, *names_for(record, subject)]:
                    yield self.case(subject, predicate, objects, words, kind)

    def lists(self, record: Record) -> dict[tuple[str, str], tuple[Object, list[Object]]]:
        """(subject id, predicate) -> subject and all objects related so, in order; without the lists that cannot be
        named in full or are too long."""
        found: dict = {}
        for subject, predicate, thing in triplets(record):
            found.setdefault((subject.id, predicate), (subject, []))[1].append(thing)
        return {key: (subject, ordered(objects, self.order)) for key, (subject, objects) in found.items()
                if all(o.name for o in objects) and (self.most is None or len(objects) <= self.most)}

    def case(self, subject: Object, predicate: str, objects: list[Object], words: str | None, kind: str) -> Case:
        answer, truth = listed(objects, kind)
        key = f"{kind}:{subject.id}:{predicate}" + (f":{words}" if words else "")
        return Case(key, {"subject": words or subject.box, "predicate": predicate}, answer, truth, kind)


def names_for(record: Record, subject: Object) -> list[str]:
    """Words that single the subject out: phrases about it that refer; else its name, if no other object has it."""
    words = [mention(p.text) for p in record.phrases if p.object == subject.id and p.refers and p.text.strip()]
    if not words and [o.id for o in by_class(record).get(subject.name, [])] == [subject.id]:
        words = [f"the {subject.name}"]
    return list(dict.fromkeys(words))
