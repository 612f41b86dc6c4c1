"""Which kinds of things the picture shows, by class name (ChatSpot §3.3: detection data for whole pictures)."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.record import Record
from loupe.regions import area
from loupe.tasks.base import Case, Task, single


@dataclass(frozen=True, kw_only=True)
class Inventory(Task):
    """One question a picture, answered with its class names, the class of the largest object first.

    Crowds count: their class is there. A record that is not exhaustive is not asked about.
    """

    name = "inventory"
    needs = frozenset({"objects"})
    placeholders = {"": ()}
    most: int = 12  # pictures of more classes are not asked about

    def cases(self, record: Record):
        crowds = [o for o in record.objects if o.crowd and o.name]
        objects = sorted((*single(record), *crowds), key=lambda o: (-area(o.box), o.box.xyxy, o.id))
        names = tuple(dict.fromkeys(o.name for o in objects))
        if record.exhaustive and 0 < len(names) <= self.most:
            yield Case("", {}, (", ".join(names),), names)
