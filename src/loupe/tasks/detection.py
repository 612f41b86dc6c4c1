"""Where are all objects of a class? Pink §3.2, object detection."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.sample import Regions
from loupe.tasks.base import NONE, Case
from loupe.tasks.classes import ClassTask, check_order, ordered


@dataclass(frozen=True, kw_only=True)
class Detection(ClassTask):
    name = "detection"
    needs = frozenset({"objects"})
    placeholders = {"name": ("name",), "region": ("region",)}
    most: int | None = 20  # longer lists of boxes are not asked for
    order: str = "area"

    def __post_init__(self):
        check_order(self.order)

    def case(self, name, objects, asked):
        boxes = tuple(o.box for o in ordered(objects, self.order))
        answer = (Regions(boxes),) if boxes else (NONE,)
        extra = {"name": name}
        if asked is None:
            return Case(f"name:{name}", {"name": name}, answer, boxes, "name", extra)
        return Case(f"region:{name}:{asked.id}", {"region": asked.box}, answer, boxes, "region", extra)
