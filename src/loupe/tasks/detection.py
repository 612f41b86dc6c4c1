"""Where are all objects of a class (Pink §3.2), or all things that words of a sentence mean (MiniGPT-v2)?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError
from loupe.record import Record
from loupe.regions import Region
from loupe.sample import Part, Regions
from loupe.tasks.base import NONE, Case, pick
from loupe.tasks.classes import ClassTask, check_order, ordered
from loupe.tasks.drawn import check_some, shuffled
from loupe.tasks.mentions import mentions, named, told

CLASSES, SAID = ("name", "region"), ("phrase", "sentence")


@dataclass(frozen=True, kw_only=True)
class Detection(ClassTask):
    """kinds: of CLASSES, how a class of objects is given; or, of a record's sentences, of SAID: a "phrase" is answered
    by all boxes it means, a "sentence" by each of its phrases with its boxes. The truth is boxes in either case."""

    name = "detection"
    placeholders = {kind: (kind,) for kind in (*CLASSES, *SAID)}
    most: int | None = 20  # longer lists of boxes are not asked for
    order: str = "area"  # of the objects of a class

    def __post_init__(self):
        check_order(self.order)
        check_some("kind of detection", self.kinds, (*CLASSES, *SAID))
        if self.said and set(self.kinds) & set(CLASSES):
            raise ConfigError("kinds of detection that do not go together", got=", ".join(self.kinds),
                              expected=f"some of {CLASSES}, or some of {SAID}")

    @property
    def said(self) -> bool:
        return bool(set(self.kinds) & set(SAID))

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"sentences" if self.said else "objects"})

    def choose(self, record: Record, rng: np.random.Generator) -> Case | None:
        if not self.said:
            return super().choose(record, rng)
        for kind in shuffled(self.kinds, rng):
            case = pick(list(self._told(record, kind)), rng)
            if case is not None:
                return case
        return None

    def cases(self, record: Record) -> Iterator[Case]:
        if not self.said:
            return super().cases(record)
        return (case for kind in self.kinds for case in self._told(record, kind))

    def case(self, name, objects, asked):
        boxes = tuple(o.box for o in ordered(objects, self.order))
        answer = (Regions(boxes),) if boxes else (NONE,)
        extra = {"name": name}
        if asked is None:
            return Case(f"name:{name}", {"name": name}, answer, boxes, "name", extra)
        return Case(f"region:{name}:{asked.id}", {"region": asked.box}, answer, boxes, "region", extra)

    def _told(self, record: Record, kind: str) -> Iterator[Case]:
        """Questions about words of the record's sentences."""
        if kind == "phrase":
            asked = [(f"phrase:{words}", words, (Regions(regions, words),), regions)
                     for words, regions in named(record).items()]
        else:
            asked = [(f"sentence:{k}", sentence.text.strip(), *_listed(mentions(sentence)))
                     for k, sentence in enumerate(told(record))]
        for key, text, answer, truth in asked:
            if self.most is None or len(truth) <= self.most:
                yield Case(key, {kind: text}, answer, truth, kind, {"name": text})


def _listed(known: list[tuple[str, tuple[Region, ...]]]) -> tuple[tuple[Part, ...], tuple[Region, ...]]:
    """(parts of the answer, all regions): each phrase with its regions behind it."""
    parts: list[Part] = []
    for k, (words, regions) in enumerate(known):
        parts += [f", {words} " if k else f"{words} ", Regions(regions, words)]
    return tuple(parts), tuple(region for _, regions in known for region in regions)
