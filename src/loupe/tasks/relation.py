"""Two boxes to the predicate between them (Pink §3.2, visual relation reasoning 1); damping of frequent predicates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.tasks.base import Case, Task, pick

FREQUENT = ("on", "has", "wearing", "of", "in")  # Pink's release keeps them with probability 0.2


def triplets(record: Record) -> list[tuple[Object, str, Object]]:
    """Annotated relations whose two ends are known, different, single things; each once, in file order."""
    known = {o.id: o for o in record.objects if not o.crowd}
    found = {}
    for r in record.relations:
        if r.predicate and r.subject != r.object and r.subject in known and r.object in known:
            found[r] = known[r.subject], r.predicate, known[r.object]
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class RelationTask(Task):
    """A question drawn from relations; frequent predicates are kept with probability `keep` (1.0: always)."""

    needs = frozenset({"objects", "relations"})
    damped: tuple[str, ...] = FREQUENT
    keep: float = 0.2

    def kept(self, record: Record, rng: np.random.Generator) -> list[tuple[Object, str, Object]]:
        return [t for t in triplets(record) if t[1] not in self.damped or rng.random() < self.keep]


@dataclass(frozen=True, kw_only=True)
class RelationOf(RelationTask):
    name = "relation"
    placeholders = {"": ("subject", "object")}

    def choose(self, record: Record, rng: np.random.Generator):
        chosen = pick(self.kept(record, rng), rng)
        return self.case(chosen, predicates(record)) if chosen else None

    def cases(self, record: Record):
        between = predicates(record)
        yield from (self.case(t, between) for t in triplets(record))

    def case(self, triplet: tuple[Object, str, Object], between: dict[tuple[str, str], tuple[str, ...]]) -> Case:
        subject, predicate, thing = triplet
        key = f"{subject.id}:{predicate}:{thing.id}"
        fields = {"subject": subject.box, "object": thing.box}
        return Case(key, fields, (predicate,), predicate, extra={"references": between[subject.id, thing.id]})


def predicates(record: Record) -> dict[tuple[str, str], tuple[str, ...]]:
    """(subject id, object id) -> every predicate annotated between them."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for subject, predicate, thing in triplets(record):
        found[subject.id, thing.id].append(predicate)
    return {pair: tuple(words) for pair, words in found.items()}


