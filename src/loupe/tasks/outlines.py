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

Steps = tuple[int, int, int]  # first pixel, end, step: a row or column of places


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
            rows, columns = self._grid(Box(0, 0, self.record.width, self.record.height))
            empty = np.ones((len(range(*rows)), len(range(*columns))), bool)
            for o in self.record.objects:
                empty &= ~self._at(o, rows, columns)
            self._free = _listed(_inner(empty), rows, columns)
        return _one(self._free, rng)

    def polygon(self, o: Object) -> Polygon | None:
        """The outline with few corners; of several pieces the largest, without an outline the box's corners."""
        if o.id not in self._polygons:
            self._polygons[o.id] = self._traced(o)
        return self._polygons[o.id]

    def _traced(self, o: Object) -> Polygon | None:
        if isinstance(o.shape, Mask):
            rings = contour.rings(self.array(o))[0]
            ring = max(rings, key=_shoelace, default=()) if len(rings) != 1 else rings[0]
        elif o.shape:
            ring = max(o.shape, key=area).points
        else:
            box = o.box
            ring = ((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))
        return simplified(ring) if len(ring) > 2 and o.box.area > 0 else None

    def _look(self, o: Object) -> np.ndarray:
        rows, columns = self._grid(o.box)
        mine = self._at(o, rows, columns)
        for other in self.record.objects:
            if other is not o and meets(o.box, other.box) and not self._behind(other, o):
                mine = mine & ~self._at(other, rows, columns)
        inner = _inner(mine)
        inner[:1] = inner[-1:] = False  # what lies beyond the box is not the object
        inner[:, :1] = inner[:, -1:] = False
        return _listed(inner if inner.any() else mine, rows, columns)

    def _behind(self, other: Object, o: Object) -> bool:
        """May the other one lie behind without being meant?"""
        return not other.crowd and size(other) >= CLEARLY * size(o) > 0

    def _grid(self, box: Box) -> tuple[Steps, Steps]:
        """The pixels with their centre inside a box, all of them or every so many in large boxes: rows, columns."""
        x1, y1 = max(0, math.ceil(box.x1 - 0.5)), max(0, math.ceil(box.y1 - 0.5))
        x2 = min(self.record.width, math.ceil(box.x2 - 0.5))
        y2 = min(self.record.height, math.ceil(box.y2 - 0.5))
        step = max(1, -(-max(x2 - x1, y2 - y1) // ACROSS))
        return ((y1 + min(step // 2, max(0, y2 - y1 - 1)), max(y1, y2), step),
                (x1 + min(step // 2, max(0, x2 - x1 - 1)), max(x1, x2), step))

    def _at(self, o: Object, rows: Steps, columns: Steps) -> np.ndarray:
        """Which of these pixels lie on the object: boolean [rows, columns]."""
        if isinstance(o.shape, Mask) and (o.shape.width, o.shape.height) == (self.record.width, self.record.height):
            return self.array(o)[slice(*rows), slice(*columns)]
        x, y = np.arange(*columns)[None] + 0.5, np.arange(*rows)[:, None] + 0.5
        return self.on(o, *np.broadcast_arrays(x, y))


def size(o: Object) -> float:
    """Square pixels of the outline, else of the box."""
    if isinstance(o.shape, Mask):
        return o.shape.area
    return sum(map(area, o.shape)) if o.shape else o.box.area


def simplified(ring) -> Polygon:
    """At most CORNERS of a ring's corners: again and again the one farthest from the sides so far."""
    at = [(float(x), float(y)) for x, y in ring]
    first = min(range(len(at)), key=lambda k: at[k][0] + at[k][1])
    at = at[first:] + at[:first + 1]  # closed
    (x0, y0), last = at[0], len(at) - 1
    far = max(range(1, last), key=lambda k: (at[k][0] - x0) ** 2 + (at[k][1] - y0) ** 2)
    enough = 0.02 * max(max(v) - min(v) for v in zip(*at))
    sides = [_farthest(at, 0, far), _farthest(at, far, last)]
    while len(sides) < CORNERS:
        widest = max(sides)
        gap, k, a, b = widest
        if k < 0 or (gap <= enough and len(sides) > 2):
            break
        sides.remove(widest)
        sides += [_farthest(at, a, k), _farthest(at, k, b)]
    kept = sorted(a for _, _, a, _ in sides)
    return Polygon(tuple(at[k] for k in kept) if len(kept) > 2 else tuple(at[:min(CORNERS, last)]))


def _farthest(at: list[tuple[float, float]], a: int, b: int) -> tuple[float, int, int, int]:
    """(distance, index, a, b) of the corner between a and b farthest from the straight line; index -1: none."""
    if b - a < 2:
        return -1.0, -1, a, b
    (x, y), (x2, y2) = at[a], at[b]
    wx, wy = x2 - x, y2 - y
    length = math.hypot(wx, wy)
    if length:
        gaps = [abs((px - x) * wy - (py - y) * wx) for px, py in at[a + 1:b]]
    else:
        length, gaps = 1.0, [math.hypot(px - x, py - y) for px, py in at[a + 1:b]]
    gap = max(gaps)
    return gap / length, a + 1 + gaps.index(gap), a, b


def _inner(inside: np.ndarray) -> np.ndarray:
    """Those whose neighbours to the four sides are inside too, as far as there are any."""
    out = inside.copy()
    out[1:] &= inside[:-1]
    out[:-1] &= inside[1:]
    out[:, 1:] &= inside[:, :-1]
    out[:, :-1] &= inside[:, 1:]
    return out


def _listed(inside: np.ndarray, rows: Steps, columns: Steps) -> np.ndarray:
    """[N, 2] centres (x, y) of the pixels that are True."""
    at = np.argwhere(inside)
    return np.stack([columns[0] + columns[2] * at[:, 1], rows[0] + rows[2] * at[:, 0]], 1) + 0.5


def meets(a: Box, b: Box) -> bool:
    """Do two boxes share more than an edge?"""
    return a.x1 < b.x2 and b.x1 < a.x2 and a.y1 < b.y2 and b.y1 < a.y2


def _one(places: np.ndarray, rng: np.random.Generator) -> Point | None:
    if not len(places):
        return None
    x, y = places[int(rng.integers(len(places)))]
    return Point(float(x), float(y))


def _shoelace(ring) -> float:
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1])))
