"""The picture in a sentence in which every thing named is followed by its box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError
from loupe.record import Object, Record, Sentence
from loupe.regions import area
from loupe.sample import Part, Regions
from loupe.tasks.base import Case, Task, pick
from loupe.tasks.drawn import shuffled
from loupe.tasks.grammar import article
from loupe.tasks.looks import described
from loupe.tasks.mentions import boxed, mentions, told
from loupe.tasks.relation import triplets
from loupe.tasks.view import SPOKEN, View, view

ORDERS = ("left", "drawn")


@dataclass(frozen=True, kw_only=True)
class GroundedCaption(Task):
    """One of the record's sentences as it is written; in a record that has none, whole things, two and two with what
    holds between them. The truth alternates: box, words, box, words."""

    name = "grounded-caption"
    needs = frozenset({"objects", "sentences"})
    placeholders = {"": ()}
    order: str = "left"  # "left": left to right by centre; "drawn": by chance (evaluation: always left to right)
    most: int = 8  # of more things the largest are named

    def __post_init__(self):
        if self.order not in ORDERS:
            raise ConfigError("unknown order of things", got=repr(self.order), expected=" or ".join(ORDERS))
        if self.most < 1:
            raise ConfigError("nothing is left to name", got=self.most, expected="1 or more")

    def choose(self, record: Record, rng: np.random.Generator):
        if written := told(record):
            return pick(list(enumerated(written)), rng)
        things = self.things(record)
        if not things:
            return None
        if self.order == "drawn":
            things = shuffled(things, rng)
        return self.case(record, things)

    def cases(self, record: Record):
        if written := told(record):
            yield from enumerated(written)
        elif things := self.things(record):
            yield self.case(record, things)

    def every(self, record: Record):
        """One question, however many sentences there are."""
        return super().every(record)[:1]

    def things(self, record: Record) -> list[Object]:
        """What is named, left to right."""
        known = view(record)
        whole = [o for o in known.pointed if o.part_of is None]
        largest = sorted(whole, key=lambda o: (-area(o.box), o.id))[:self.most]
        return sorted(largest, key=lambda o: (o.box.centre.x, o.box.xyxy, o.id))

    def case(self, record: Record, things: list[Object]) -> Case:
        known, parts, truth = view(record), [], []
        between = {(a.id, b.id): predicate for a, predicate, b in reversed(triplets(record))}
        for k, o in enumerate(things):
            words = article(described(o), o.name)
            shown = words if k else words[:1].upper() + words[1:]
            parts += [shown + " ", Regions((o.box,), words)]
            truth += [o.box, words]
            if k + 1 == len(things):
                parts.append(".")
            else:
                joint = joined(known, between, o, things[k + 1]) if k % 2 == 0 else ""
                parts.append(f" {joint} " if joint else " and " if k + 2 == len(things) and k % 2 == 0 else ", ")
        key = "left" if things == self.things(record) else "-".join(o.id for o in things)
        return Case(key, {}, merged(parts), tuple(truth))


def enumerated(written: list[Sentence]) -> Iterator[Case]:
    for k, sentence in enumerate(written):
        truth = tuple(v for words, regions in mentions(sentence) for region in regions for v in (region, words))
        yield Case(f"sentence:{k}", {}, boxed(sentence), truth)


def joined(known: View, between: dict[tuple[str, str], str], a: Object, b: Object) -> str:
    """The annotated predicate from a to b, else a clear place of a beside b in words, else nothing."""
    return between.get((a.id, b.id)) or SPOKEN.get(known.side(a, b), "")


def merged(parts: list[Part]) -> tuple[Part, ...]:
    """Neighbouring texts joined."""
    out: list[Part] = []
    for part in parts:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)
