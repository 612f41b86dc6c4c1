"""Printed words: what stands in a region, and where a word stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from loupe.record import Record, Word
from loupe.regions import Region
from loupe.sample import Regions
from loupe.tasks.base import Case, Task, pick
from loupe.tasks.drawn import check_some
from loupe.tasks.forms import check_forms, drawn, each

KINDS = ("read", "find")


@dataclass(frozen=True, kw_only=True)
class Reading(Task):
    """"read": a region, or what carries the word, to the word; "find": a word that stands once, to its box."""

    name = "reading"
    needs = frozenset({"words"})
    placeholders = {"read": ("region",), "find": ("word",)}
    kinds: tuple[str, ...] = KINDS
    by_object: float = 0.5  # share of words asked for by the object that carries them alone
    forms: tuple[str, ...] = ()  # how a region to be read is given, one at random; none: as annotated

    def __post_init__(self):
        check_some("kind of question", self.kinds, KINDS)
        check_forms(self.forms)

    def choose(self, record: Record, rng: np.random.Generator):
        found = list(self._known(record))
        kind = pick([kind for kind in self.kinds if any(each == kind for each, *_ in found)], rng)
        chosen = pick([each for each in found if each[0] == kind], rng)
        if chosen is None:
            return None
        _, k, word, carrier = chosen
        carrier = carrier if rng.random() < self.by_object else None
        region, about = self._place(word, carrier)
        found = drawn(record, region, self.forms, rng, about) if kind == "read" else ("", region)
        return self.case(kind, k, word, carrier, *found) if found else None

    def cases(self, record: Record):
        for kind, k, word, carrier in self._known(record):
            for carried in (None, carrier) if kind == "read" and carrier is not None else (None,):
                region, about = self._place(word, carried)
                shown = each(record, region, self.forms if kind == "read" else (), f"{self.name}/{k}", about)
                yield from (self.case(kind, k, word, carried, form, place) for form, place in shown)

    @staticmethod
    def _place(word: Word, carrier: Region | None) -> tuple[Region, str]:
        """The region to be read, and the id of the object it is."""
        return (word.region, "") if carrier is None else (carrier, word.object or "")

    def _known(self, record: Record):
        """(kind, index, word, box of the object that carries this word alone)."""
        often = Counter(word.text.strip().casefold() for word in record.words)
        carried = Counter(word.object for word in record.words)
        boxes = {o.id: o.box for o in record.objects if not o.crowd}
        for k, word in enumerate(record.words):
            if not word.text.strip():
                continue
            carrier = boxes.get(word.object) if word.object is not None and carried[word.object] == 1 else None
            if "read" in self.kinds:
                yield "read", k, word, carrier
            if "find" in self.kinds and often[word.text.strip().casefold()] == 1:
                yield "find", k, word, None

    def case(self, kind: str, k: int, word: Word, carrier: Region | None, form: str, region: Region) -> Case:
        text = word.text.strip()
        about = {"object": word.object} if word.object else {}
        if kind == "find":
            box = word.region.box
            return Case(f"find:{k}", {"word": text}, (Regions((box,)),), box, kind, about)
        key = ":".join(part for part in (f"read:{k}", "object" if carrier is not None else "", form) if part)
        return Case(key, {"region": region}, (text,), text, kind, {**about, **({"form": form} if form else {})})
