"""How many objects of a class are there? Pink §3.2, object counting."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.tasks.base import Case
from loupe.tasks.classes import ClassTask


@dataclass(frozen=True, kw_only=True)
class Counting(ClassTask):
    name = "counting"
    needs = frozenset({"objects"})
    placeholders = {"name": ("name",), "region": ("region",)}

    def case(self, name, objects, asked):
        number = str(len(objects))
        extra = {"name": name}
        if asked is None:
            return Case(f"name:{name}", {"name": name}, (number,), number, "name", extra)
        return Case(f"region:{name}:{asked.id}", {"region": asked.box}, (number,), number, "region", extra)
