"""A subject and a predicate to all objects related so (Pink §3.2, visual relation reasoning 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.tasks.classes import by_class, check_order, ordered
from loupe.tasks.listing import KINDS, check_kinds, listed
from loupe.tasks.relation import RelationTask, triplets
from loupe.tasks.task import Case, pick


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
        groups = {(s.id, p): (s, p) for s, p, _ in self.kept(record, rng) if self.answers(record, s, p)}
        chosen = pick(list(groups.values()), rng)
        if chosen is None:
            return None
        words = names_for(record, chosen[0]) if rng.random() < self.by_phrase else []
        return self.case(record, *chosen, pick(words, rng), pick(list(self.kinds), rng))

    def cases(self, record: Record):
        for subject, predicate in {(s.id, p): (s, p) for s, p, _ in triplets(record)}.values():
            if self.answers(record, subject, predicate):
                for kind in self.kinds:
                    yield self.case(record, subject, predicate, None, kind)
                    for words in names_for(record, subject):
                        yield self.case(record, subject, predicate, words, kind)

    def answers(self, record: Record, subject: Object, predicate: str) -> list[Object]:
        """Objects related so, in order; empty if they cannot all be named or are too many to list."""
        found = {o.id: o for s, p, o in triplets(record) if s.id == subject.id and p == predicate}
        if any(not o.name for o in found.values()) or (self.most is not None and len(found) > self.most):
            return []
        return ordered(list(found.values()), self.order)

    def case(self, record: Record, subject: Object, predicate: str, words: str | None, kind: str) -> Case:
        answer, truth = listed(self.answers(record, subject, predicate), kind)
        key = f"{kind}:{subject.id}:{predicate}" + (f":{words}" if words else "")
        return Case(key, {"subject": words or subject.box, "predicate": predicate}, answer, truth, kind)


def names_for(record: Record, subject: Object) -> list[str]:
    """Words that single the subject out: phrases about it that refer; else its name, if no other object has it."""
    words = [p.text.strip() for p in record.phrases if p.object == subject.id and p.refers and p.text.strip()]
    if not words and [o.id for o in by_class(record).get(subject.name, [])] == [subject.id]:
        words = [f"the {subject.name}"]
    return list(dict.fromkeys(words))
