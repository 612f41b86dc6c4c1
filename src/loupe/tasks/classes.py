"""Objects of a record by class name, and which class to ask for: shared by counting, detection and grounding."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError
from loupe.record import Object, Record
from loupe.regions import area
from loupe.tasks.base import Task, pick, single


def by_class(record: Record) -> dict[str, list[Object]]:
    """Class name -> its objects, synonyms counted under each of their names that some object goes by.

    A class of which the picture holds a crowd is left out: its number is unknown.
    """
    crowded = {name for o in record.objects if o.crowd for name in o.names}
    said = {o.name for o in single(record)} - crowded
    found = defaultdict(list)
    for o in single(record):
        for name in dict.fromkeys(o.names):
            if name in said:
                found[name].append(o)
    return dict(found)


def absent(record: Record) -> list[str]:
    """Class names that were looked for and are not there; empty where the record does not promise that."""
    if not record.exhaustive:
        return []
    present = {name for o in record.objects for name in o.names}
    return [name for name in dict.fromkeys(record.vocabulary) if name not in present]


def ordered(objects: list[Object], order: str) -> list[Object]:
    """"area": smallest first, as Pink's release; "left": left to right by centre. Ties by place, then id."""
    first = (lambda o: area(o.box)) if order == "area" else (lambda o: o.box.centre.x)
    return sorted(objects, key=lambda o: (first(o), o.box.xyxy, o.id))


def check_order(order: str) -> None:
    if order not in ("area", "left"):
        raise ConfigError("unknown order of boxes", got=repr(order), expected="'area' or 'left'")


@dataclass(frozen=True, kw_only=True)
class ClassTask(Task):
    """A question about all objects of one class, asked by its name or by one of them."""

    kinds: tuple[str, ...] = ("name", "region")
    absent: float = 0.2  # share of questions for a class that is not there, where the record can say so
    flatten: bool = True  # first choose a number that occurs, then a class that often (Pink's release); else any class
    most: int | None = None  # classes with more objects are not asked for

    def choose(self, record: Record, rng: np.random.Generator):
        missing = absent(record) if "name" in self.kinds else []
        known = {name: objects for name, objects in by_class(record).items()
                 if self.most is None or len(objects) <= self.most}
        if missing and (not known or rng.random() < self.absent):
            return self.case(pick(missing, rng), [], None)
        names = sorted(known)
        if self.flatten and names:
            number = pick(sorted({len(objects) for objects in known.values()}), rng)
            names = [name for name in names if len(known[name]) == number]
        name = pick(names, rng)
        if name is None:
            return None
        asked = pick(known[name], rng) if pick(list(self.kinds), rng) == "region" else None
        return self.case(name, known[name], asked)

    def cases(self, record: Record):
        for name, objects in sorted(by_class(record).items()):
            if self.most is not None and len(objects) > self.most:
                continue
            if "name" in self.kinds:
                yield self.case(name, objects, None)
            if "region" in self.kinds:
                yield from (self.case(name, objects, o) for o in objects)
        if "name" in self.kinds:
            yield from (self.case(name, [], None) for name in absent(record))

    def case(self, name: str, objects: list[Object], asked: Object | None):
        """The question for class `name` with exactly these objects, asked by name or by the object `asked`."""
        raise NotImplementedError
