"""The objects of a picture as a judge of words needs them: what they are, how they look, where they lie.

A scene goes with every question it is needed for (`Sample.extra["scene"]`), so that kept answers can be judged again
without the data. Hidden outlines are not in a record: `whole` guesses them from what is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from loupe.record import Object, Record
from loupe.regions import Box, Mask, pixels
from loupe.world.paint import COLOURS, TEXTURES
from loupe.world.predicates import Pair

SIZES = ("small", "medium", "large")
LOOKS = {**dict.fromkeys(SIZES, "size"), **dict.fromkeys(TEXTURES, "texture"), **dict.fromkeys(COLOURS, "colour")}
UNSAID = {"size": "medium", "texture": "plain"}  # what an object is when its attributes do not say


@dataclass(eq=False)
class Thing:
    """One whole object, with the geometry that world.predicates asks for. Things of a picture lie in layers: a later
    one in front, as the world writes them."""

    id: str
    names: tuple[str, ...]
    looks: dict[str, str]  # "size", "texture", "colour" -> what it is
    box: Box
    layer: int
    scene: Scene = field(repr=False)
    shape: Mask | None = field(default=None, repr=False)
    word: str = ""

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def size(self) -> str:
        return self.looks["size"]

    @property
    def colour(self) -> str:
        return self.looks.get("colour", "")

    @cached_property
    def mask(self) -> np.ndarray:
        """Bool [height, width], what is seen of it (all of its box where no outline is annotated)."""
        return pixels(self.shape or self.box, self.scene.width, self.scene.height)

    @cached_property
    def whole(self) -> np.ndarray:
        """`mask` and the pixels of things in front that lie within its convex hull."""
        front = np.zeros_like(self.mask)
        for other in self.scene.things[self.layer + 1:]:
            front |= other.mask
        return self.mask | (front & hull(self.mask)) if front.any() else self.mask

    @cached_property
    def solid(self) -> np.ndarray:
        """`whole` with its holes filled."""
        return filled(self.whole)

    @cached_property
    def area(self) -> int:
        return int(np.count_nonzero(self.whole))


class Scene:
    """A picture's things. `stated`: annotated relations as (subject id, predicate, object id)."""

    def __init__(self, data: Mapping):
        self.width, self.height = data["width"], data["height"]
        self.side = min(self.width, self.height)
        self.stated = {tuple(triplet) for triplet in data.get("relations", ())}
        self.things: list[Thing] = []
        for layer, o in enumerate(data["objects"]):
            looks = dict(UNSAID) | {LOOKS[word]: word for word in o["attributes"] if word in LOOKS}
            self.things.append(Thing(o["id"], tuple(o["names"]), looks, o["place"], layer, self, o.get("shape"),
                                     o.get("word", "")))
        self._pairs: dict[tuple[str, str], Pair] = {}

    def pair(self, a: Thing, b: Thing) -> Pair:
        if (a.id, b.id) not in self._pairs:
            self._pairs[a.id, b.id] = Pair(self, a, b)
        return self._pairs[a.id, b.id]


def scene_of(record: Record) -> dict:
    """What a judge needs of a record, as values that predictions on disk can hold."""
    words = {w.object: w.text for w in record.words if w.object is not None}
    single = [o for o in record.objects if o.names and not o.crowd and o.part_of is None]
    known = {o.id for o in single}
    return {"width": record.width, "height": record.height, "objects": [_plain(o, words) for o in single],
            "relations": [[r.subject, r.predicate, r.object] for r in record.relations
                          if r.subject in known and r.object in known]}


def rivalled(extra: Mapping) -> bool:
    """Is there another object of the class of the one a question (with its scene) is about?"""
    things = extra.get("scene", {}).get("objects", ())
    names = next((set(o["names"]) for o in things if o["id"] == extra.get("object")), set())
    return sum(bool(names & set(o["names"])) for o in things) > 1


def _plain(o: Object, words: dict[str, str]) -> dict:
    plain = {"id": o.id, "names": list(o.names), "attributes": list(o.attributes), "place": o.box}
    if isinstance(o.shape, Mask):
        plain["shape"] = o.shape
    return plain | ({"word": words[o.id]} if o.id in words else {})


def hull(mask: np.ndarray) -> np.ndarray:
    """Bool [height, width]: the pixels whose centres lie in the convex hull of the mask's centres."""
    ys, xs = np.nonzero(mask)
    ends = [(float(x), float(y)) for y in np.unique(ys) for x in (xs[ys == y].min(), xs[ys == y].max())]
    ring = _half(ends)[:-1] + _half(ends[::-1])[:-1]
    inside = np.ones(mask.shape, bool)
    gy, gx = np.mgrid[:mask.shape[0], :mask.shape[1]]
    if len(ring) < 3:
        return mask.copy()
    for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1]):
        inside &= (x2 - x1) * (gy - y1) - (y2 - y1) * (gx - x1) >= -1e-9
    return inside


def _half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Half of a convex ring through points sorted by row (Andrew's monotone chain, axes exchanged)."""
    out: list[tuple[float, float]] = []
    for x, y in points:
        while len(out) > 1 and ((out[-1][0] - out[-2][0]) * (y - out[-2][1])
                                - (out[-1][1] - out[-2][1]) * (x - out[-2][0])) <= 0:
            out.pop()
        out.append((x, y))
    return out


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask and every pixel from which no way of side steps leads outside it to the border."""
    outside = np.zeros(tuple(n + 2 for n in mask.shape), bool)
    free = np.ones_like(outside)
    free[1:-1, 1:-1] = ~mask
    outside[0, 0] = True
    while True:
        grown = outside.copy()
        for axis in (0, 1):
            for way in (1, -1):
                grown |= _swept(grown, free, axis, way)
        if (grown == outside).all():
            return ~outside[1:-1, 1:-1]
        outside = grown


def _swept(reached: np.ndarray, free: np.ndarray, axis: int, way: int) -> np.ndarray:
    """Everything reached by going straight from `reached` through free pixels."""
    a, b = (np.moveaxis(v, axis, 0)[::way] for v in (reached & free, free))
    out = np.zeros_like(a)
    row = np.zeros(a.shape[1:], bool)
    for k in range(len(a)):
        row = (row | a[k]) & b[k]
        out[k] = row
    return np.moveaxis(out[::way], 0, axis)
