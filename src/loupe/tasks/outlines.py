"""Where each object of a record lies: places that are on one object alone, places on none, outlines of few corners."""

from __future__ import annotations

import math

import numpy as np

from loupe import contour
from loupe.record import Object, Record
from loupe.regions import Box, Mask, Point, Polygon, area, holds

ACROSS = 64  # places along a side at which an object is looked at
CLEARLY = 2.0  # an object this many times larger may lie behind: what stands in front of it is meant
CORNERS = 8  # of a polygon in a question


class Outlines:
    """Outlines are the annotated ones; an object without one is taken to fill its box."""

    def __init__(self, record: Record):
        self.record = record
        self._arrays: dict[str, np.ndarray] = {}
        self._places: dict[str, np.ndarray] = {}
        self._polygons: dict[str, Polygon] = {}
        self._free: np.ndarray | None = None

    def array(self, o: Object) -> np.ndarray:
        """Pixels of an object whose shape is a Mask, bool [height, width]."""
        if o.id not in self._arrays:
            self._arrays[o.id] = o.shape.array()
        return self._arrays[o.id]

    def on(self, o: Object, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Do these places (pixels, inside the picture) lie on the object? Boolean, shaped as x."""
        if isinstance(o.shape, Mask):
            inside = self.array(o)
            rows, columns = y.astype(int), x.astype(int)
            if inside.shape == (self.record.height, self.record.width):
                return inside[rows, columns]
            return holds(o.shape, x, y)
        if o.shape:
            found = holds(o.shape[0], x, y)
            for polygon in o.shape[1:]:
                found = found | holds(polygon, x, y)
            return found
        return holds(o.box, x, y)

    def places(self, o: Object) -> np.ndarray:
        """[N, 2] pixel centres on this object and on no other that could be meant; inner ones, where there are any.

        Where two overlap the smaller one is meant, if it is clearly smaller; else neither is.
        """
        if o.id not in self._places:
            self._places[o.id] = self._look(o)
        return self._places[o.id]

    def point(self, o: Object, rng: np.random.Generator) -> Point | None:
        """A place on this object alone; None if it has none."""
        return _one(self.places(o), rng)

    def free(self, rng: np.random.Generator) -> Point | None:
        """A place clearly on no object at all; None if there is none."""
        if self._free is None:
            x, y, _ = self._grid(Box(0, 0, self.record.width, self.record.height))
            empty = ~np.any([self.on(o, x, y) for o in self.record.objects], axis=0) if self.record.objects else x >= 0
            empty = _inner(empty)
            self._free = np.stack([x[empty], y[empty]], 1)
        return _one(self._free, rng)

    def polygon(self, o: Object) -> Polygon | None:
        """The outline with few corners; of several pieces the largest, without an outline the box's corners."""
        if o.id not in self._polygons:
            self._polygons[o.id] = self._traced(o)
        return self._polygons[o.id]

    def _traced(self, o: Object) -> Polygon | None:
        if isinstance(o.shape, Mask):
            rings = contour.rings(self.array(o))[0]
            ring = max(rings, key=_shoelace, default=())
        elif o.shape:
            ring = max(o.shape, key=area).points
        else:
            box = o.box
            ring = ((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))
        return simplified(ring) if len(ring) > 2 and o.box.area > 0 else None

    def _look(self, o: Object) -> np.ndarray:
        x, y, step = self._grid(o.box)
        mine = self.on(o, x, y)
        for other in self.record.objects:
            if other is not o and _meet(o.box, other.box) and not self._behind(other, o):
                mine = mine & ~self.on(other, x, y)
        inner = _inner(mine, alone=True)
        chosen = inner if inner.any() else mine
        return np.stack([x[chosen], y[chosen]], 1)

    def _behind(self, other: Object, o: Object) -> bool:
        """May the other one lie behind without being meant?"""
        return not other.crowd and size(other) >= CLEARLY * size(o) > 0

    def _grid(self, box: Box) -> tuple[np.ndarray, np.ndarray, int]:
        """Centres of the pixels inside a box, every one of them or fewer in large boxes: x, y [rows, columns], step."""
        width, height = self.record.width, self.record.height
        x1, y1 = max(0, math.ceil(box.x1 - 0.5)), max(0, math.ceil(box.y1 - 0.5))
        x2, y2 = min(width, math.ceil(box.x2 - 0.5)), min(height, math.ceil(box.y2 - 0.5))
        step = max(1, -(-max(x2 - x1, y2 - y1) // ACROSS))
        first = step // 2
        xs, ys = np.arange(x1 + min(first, max(0, x2 - x1 - 1)), x2, step), np.arange(
            y1 + min(first, max(0, y2 - y1 - 1)), y2, step)
        x = np.broadcast_to(xs[None] + 0.5, (len(ys), len(xs)))
        return x, np.broadcast_to(ys[:, None] + 0.5, x.shape), step


def size(o: Object) -> float:
    """Square pixels of the outline, else of the box."""
    if isinstance(o.shape, Mask):
        return o.shape.area
    return sum(map(area, o.shape)) if o.shape else o.box.area


def simplified(ring, most: int = CORNERS) -> Polygon:
    """At most `most` of a ring's corners: again and again the one farthest from the sides so far."""
    at = np.asarray(ring, float)
    first = int(np.argmin(at.sum(1)))
    at = np.roll(at, -first, 0)
    far = int(np.argmax(((at - at[0]) ** 2).sum(1)))
    closed = np.concatenate([at, at[:1]])
    enough = 0.02 * float(np.ptp(at, 0).max())
    sides = [_farthest(closed, 0, far), _farthest(closed, far, len(at))]
    while len(sides) < most:
        gap, k, a, b = max(sides)
        if gap <= enough and len(sides) > 2:
            break
        if k < 0:
            break
        sides.remove((gap, k, a, b))
        sides += [_farthest(closed, a, k), _farthest(closed, k, b)]
    kept = sorted(a for _, _, a, _ in sides)
    return Polygon(tuple((float(x), float(y)) for x, y in (at[kept] if len(kept) > 2 else at[:most])))


def _farthest(at: np.ndarray, a: int, b: int) -> tuple[float, int, int, int]:
    """(distance, index, a, b) of the corner between a and b farthest from the straight line; index -1: none."""
    if b - a < 2:
        return -1.0, -1, a, b
    way = at[b] - at[a]
    off = at[a + 1:b] - at[a]
    length = math.hypot(*way)
    gaps = np.abs(off[:, 0] * way[1] - off[:, 1] * way[0]) / length if length else np.hypot(off[:, 0], off[:, 1])
    k = int(np.argmax(gaps))
    return float(gaps[k]), a + 1 + k, a, b


def _inner(inside: np.ndarray, alone: bool = False) -> np.ndarray:
    """Those whose four neighbours are inside too; `alone`: what lies outside the array is no neighbour to keep."""
    padded = np.pad(inside, 1, constant_values=not alone)
    return inside & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def _meet(a: Box, b: Box) -> bool:
    return a.x1 < b.x2 and b.x1 < a.x2 and a.y1 < b.y2 and b.y1 < a.y2


def _one(places: np.ndarray, rng: np.random.Generator) -> Point | None:
    if not len(places):
        return None
    x, y = places[int(rng.integers(len(places)))]
    return Point(float(x), float(y))


def _shoelace(ring) -> float:
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1])))
