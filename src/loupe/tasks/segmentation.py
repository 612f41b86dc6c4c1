"""Does a place lie on the thing meant? Masks by questions about locations (PAE-LaMM §3.1, segmentation)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError
from loupe.record import Object, Record
from loupe.regions import Box, Point
from loupe.tasks.base import Case, mention, pick
from loupe.tasks.drawn import DrawnTask, fixed
from loupe.tasks.grounding import check_phrases, needs, phrases
from loupe.tasks.view import View, view

TRIES = 12  # places tried for one on the object or near its edge
IN_BOX = 0.75  # share of the places drawn anywhere that lie in the box a question gives
NEAR = 0.04  # spread around the edge, share of the longer side


@dataclass(frozen=True, kw_only=True)
class Segmentation(DrawnTask):
    """Places are drawn anywhere, on the object, and near its edge: a mask is good when all three are answered well.

    Things without an annotated outline are not asked about. `boxed` is the share of questions that mean the thing by
    its box in place of a phrase, as one asks who was told where it is; in evaluation all are so where it is 1.
    """

    name = "segmentation"
    placeholders = {"": ("phrase", "region"), "box": ("thing", "region")}
    phrases: str = "any"  # as in grounding; only phrases of known objects that fit them alone
    anywhere: float = 0.4
    inside: float = 0.3
    near: float = 0.3
    boxed: float = 0.0
    each: int = 4  # places of each thing in evaluation, all of them drawn anywhere

    def __post_init__(self):
        check_phrases(self.phrases)
        if not 0 <= self.boxed <= 1:
            raise ConfigError("boxed is a share of the questions", got=self.boxed, expected="0 to 1")
        shares = self.anywhere, self.inside, self.near
        if min(shares) < 0 or sum(shares) <= 0:
            raise ConfigError("places are drawn from shares", got=shares, expected="0 or more, one above 0")

    @property
    def needs(self) -> frozenset[str]:
        return (needs(self.phrases) if self.boxed < 1 else frozenset()) | {"objects"}

    def choose(self, record: Record, rng: np.random.Generator):
        boxed = self.boxed > 0 and bool(rng.random() < self.boxed)
        chosen = pick(self.boxes(record) if boxed else self.meant(record), rng)
        if chosen is None:
            return None
        key, thing, o = chosen
        known, draw = view(record), rng.random() * (self.anywhere + self.inside + self.near)
        if draw < self.anywhere:
            point = within(record, o.box, rng) if boxed and rng.random() < IN_BOX else anywhere(record, rng)
        elif draw < self.anywhere + self.inside:
            point = known.outlines.point(o, rng) or anywhere(record, rng)
        else:
            point = beside(known, o, rng)
        return self.case(known, key, thing, o, point)

    def cases(self, record: Record):
        known, seen = view(record), set()
        for key, thing, o in self.boxes(record) if self.boxed >= 1 else self.meant(record):
            if o.id in seen:
                continue
            seen.add(o.id)
            rng = fixed(record, self.name, o.id)
            yield from {c.key: c for c in (self.case(known, key, thing, o, anywhere(record, rng))
                                           for _ in range(self.each))}.values()

    def meant(self, record: Record) -> list[tuple[str, str, Object]]:
        """(key, phrase, object) for phrases that mean one object with an outline."""
        objects = view(record).by_id
        found = [(key, mention(p.text), objects[p.object]) for key, p in phrases(record, self.phrases)
                 if p.refers and p.object in objects]
        return [each for each in found if each[2].shape]

    def boxes(self, record: Record) -> list[tuple[str, Box, Object]]:
        """(key, box, object) for outlined things that no other shares its box with."""
        return [(f"box:{o.id}", o.box, o) for o in view(record).pointed if o.shape]

    def case(self, known: View, key: str, thing: str | Box, o: Object, point: Point) -> Case:
        on = bool(known.outlines.on(o, np.array([point.x]), np.array([point.y]))[0])
        truth = "yes" if on else "no"
        key = f"{key}:{point.x:g},{point.y:g}"
        if isinstance(thing, Box):
            return Case(key, {"thing": thing, "region": point}, (truth,), truth, "box", {"object": o.id})
        return Case(key, {"phrase": thing, "region": point}, (truth,), truth,
                    extra={"phrase": thing, "object": o.id})


def anywhere(record: Record, rng: np.random.Generator) -> Point:
    """A pixel's centre, each as likely."""
    x, y = rng.integers(0, (record.width, record.height))
    return Point(int(x) + 0.5, int(y) + 0.5)


def within(record: Record, box: Box, rng: np.random.Generator) -> Point:
    """A pixel's centre in the box, each as likely."""
    x, y = (int(rng.integers(int(low), max(int(low) + 1, min(math.ceil(high), side))))
            for low, high, side in ((box.x1, box.x2, record.width), (box.y1, box.y2, record.height)))
    return Point(x + 0.5, y + 0.5)


def beside(known: View, o: Object, rng: np.random.Generator) -> Point:
    """A pixel near the object's edge: of several places close to one another, some on and some off the object."""
    record, box = known.record, o.box
    spread = max(1.0, NEAR * max(record.width, record.height))
    around = Box(box.x1 - spread, box.y1 - spread, box.x2 + spread, box.y2 + spread)
    x = np.clip(np.floor(rng.uniform(around.x1, around.x2, TRIES)), 0, record.width - 1) + 0.5
    y = np.clip(np.floor(rng.uniform(around.y1, around.y2, TRIES)), 0, record.height - 1) + 0.5
    moved = rng.uniform(-spread, spread, (2, TRIES))
    mx, my = np.clip(x + moved[0], 0, record.width - 0.01), np.clip(y + moved[1], 0, record.height - 0.01)
    crossing = np.flatnonzero(known.outlines.on(o, x, y) != known.outlines.on(o, mx, my))
    k = int(crossing[0]) if len(crossing) else 0
    return Point(float(x[k]), float(y[k]))
