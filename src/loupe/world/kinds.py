"""What the miniature world holds: the classes, drawn as signed distances in a unit square, and the parts they have.

Every outline is a function of (u, v) in [-1, 1] x [-1, 1] (v down) that is negative inside, in units of the radius.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]


def disc(cx: float, cy: float, radius: float, stretch: float = 1.0) -> Outline:
    return lambda u, v: np.hypot((u - cx) / stretch, v - cy) - radius


def slab(x1: float, y1: float, x2: float, y2: float) -> Outline:
    cx, cy, hw, hh = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
    return lambda u, v: np.maximum(np.abs(u - cx) - hw, np.abs(v - cy) - hh)


def hull(*points: tuple[float, float]) -> Outline:
    """A convex polygon, its points clockwise on the screen."""
    sides = []
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1]):
        length = math.hypot(x2 - x1, y2 - y1)
        nx, ny = (y2 - y1) / length, (x1 - x2) / length
        sides.append((nx, ny, nx * x1 + ny * y1))

    def outline(u, v):
        nx, ny, at = sides[0]
        out = nx * u + ny * v - at
        for nx, ny, at in sides[1:]:
            np.maximum(out, nx * u + ny * v - at, out=out)
        return out
    return outline


def either(*outlines: Outline) -> Outline:
    def outline(u, v):
        out = outlines[0](u, v)
        for other in outlines[1:]:
            out = np.minimum(out, other(u, v))
        return out
    return outline


def without(outline: Outline, hole: Outline) -> Outline:
    return lambda u, v: np.maximum(outline(u, v), -hole(u, v))


def star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Five points: the angle folded into one half point, then one straight side."""
    fifth = 2 * math.pi / 5
    turn = np.abs((np.arctan2(u, -(v - 0.06)) + fifth / 2) % fifth - fifth / 2)
    far = np.hypot(u, v - 0.06)
    inner = 0.47
    tip, dent = (1.04, 0.0), (inner * math.cos(fifth / 2), inner * math.sin(fifth / 2))
    length = math.hypot(tip[0] - dent[0], tip[1] - dent[1])
    nx, ny = (dent[1] - tip[1]) / length, (tip[0] - dent[0]) / length
    return far * np.cos(turn) * nx + far * np.sin(turn) * ny - (tip[0] * nx + tip[1] * ny)


@dataclass(frozen=True)
class Leaf:
    """One painted layer. `part` names it as a part of the whole; without a name it is only paint."""

    outline: Outline
    part: str = ""
    colour: str = "main"  # "main", "second", "third", or the name of a colour
    textured: bool = False
    side: str = ""  # "left" or "right" of two equal parts


@dataclass(frozen=True)
class Kind:
    """A class of things; `solid` is its outline with holes filled, where it has any."""

    name: str
    group: str
    leaves: tuple[Leaf, ...]
    synonyms: tuple[str, ...] = ()
    solid: Outline | None = None
    turn: float = 0.0  # largest rotation, radians
    flip: bool = False
    written: tuple[float, float, float, float] | None = None  # where a word fits
    plural: str = ""

    @property
    def composed(self) -> bool:
        return any(leaf.part for leaf in self.leaves)

    @property
    def many(self) -> str:
        return self.plural or self.name + "s"


def _shape(name: str, outline: Outline, **fields) -> Kind:
    return Kind(name, "shape", (Leaf(outline, textured=True),), **fields)


SHAPES = (
    _shape("circle", disc(0, 0, 0.98), synonyms=("disc",), written=(-0.8, -0.4, 0.8, 0.4)),
    _shape("square", slab(-0.88, -0.88, 0.88, 0.88), turn=0.2, written=(-0.86, -0.5, 0.86, 0.5)),
    _shape("triangle", hull((0, -0.95), (1, 0.8), (-1, 0.8)), turn=0.3),
    _shape("diamond", hull((0, -1), (0.72, 0), (0, 1), (-0.72, 0))),
    _shape("star", star, turn=0.4),
    _shape("heart", either(disc(-0.46, -0.36, 0.52), disc(0.46, -0.36, 0.52),
                           hull((-0.46, -0.36), (0.46, -0.36), (0.86, -0.03), (0, 0.96), (-0.86, -0.03)))),
    _shape("moon", without(disc(0, 0, 0.98), disc(0.52, -0.12, 0.78)), synonyms=("crescent",), turn=0.5, flip=True),
    _shape("cross", either(slab(-0.34, -0.98, 0.34, 0.98), slab(-0.98, -0.34, 0.98, 0.34)), synonyms=("plus sign",),
           turn=0.25, plural="crosses"),
    _shape("ring", without(disc(0, 0, 0.98), disc(0, 0, 0.55)), solid=disc(0, 0, 0.98)),
    _shape("arrow", either(hull((0.15, -0.85), (1, 0), (0.15, 0.85)), slab(-1, -0.32, 0.3, 0.32)), turn=0.3, flip=True),
)

COMPOSED = (
    Kind("house", "building", (
        Leaf(slab(-0.82, -0.2, 0.82, 1), textured=True),
        Leaf(hull((-1, -0.14), (0, -1), (1, -0.14)), "roof", "second"),
        Leaf(slab(-0.58, 0.2, -0.04, 1), "door", "third"),
        Leaf(slab(0.12, 0.06, 0.62, 0.56), "window", "white")), flip=True),
    Kind("car", "vehicle", (
        Leaf(either(slab(-1, -0.05, 1, 0.5), hull((-0.62, 0), (-0.4, -0.6), (0.42, -0.6), (0.72, 0))), textured=True),
        Leaf(hull((-0.42, -0.04), (-0.29, -0.46), (0.33, -0.46), (0.52, -0.04)), "window", "second"),
        Leaf(disc(-0.52, 0.48, 0.34), "wheel", "black", side="left"),
        Leaf(disc(0.52, 0.48, 0.34), "wheel", "black", side="right")), flip=True),
    Kind("tree", "plant", (
        Leaf(slab(-0.2, 0.2, 0.2, 1), "trunk", "brown"),
        Leaf(either(disc(-0.36, -0.02, 0.46), disc(0.36, -0.02, 0.46), disc(0, -0.46, 0.52)), "crown", "main", True))),
    Kind("person", "person", (
        Leaf(either(slab(-0.34, 0.3, -0.03, 1), slab(0.03, 0.3, 0.34, 1)), "trousers", "second"),
        Leaf(either(slab(-0.4, -0.36, 0.4, 0.42), hull((-0.4, -0.36), (-0.36, 0), (-0.56, 0.3), (-0.72, 0.2)),
                    hull((0.4, -0.36), (0.72, 0.2), (0.56, 0.3), (0.36, 0))), "shirt", "main", True),
        Leaf(disc(0, -0.66, 0.32), "head", "third"),), synonyms=("figure",), plural="people"),
    Kind("flower", "plant", (
        Leaf(slab(-0.13, 0.1, 0.13, 1), "stem", "green"),
        Leaf(either(*(disc(0.44 * math.cos(k * math.pi / 3), -0.3 + 0.44 * math.sin(k * math.pi / 3), 0.27)
                      for k in range(6)), disc(0, -0.3, 0.42)), textured=False),
        Leaf(disc(0, -0.3, 0.29), "core", "second"))),
    Kind("boat", "vehicle", (
        Leaf(slab(-0.11, -0.9, 0.01, 0.4), "", "brown"),
        Leaf(hull((0.06, -0.95), (0.95, 0.22), (0.06, 0.22)), "sail", "second"),
        Leaf(hull((-1, 0.3), (1, 0.3), (0.62, 0.92), (-0.66, 0.92)), "hull", "main", True)), flip=True),
    Kind("fish", "animal", (
        Leaf(hull((0.4, 0), (1, -0.55), (1, 0.55)), "tail", "second"),
        Leaf(disc(-0.2, 0, 0.52, 1.5), textured=True),
        Leaf(disc(-0.56, -0.12, 0.13), "", "white"), Leaf(disc(-0.58, -0.12, 0.065), "", "black")),
         flip=True, plural="fish"),
    Kind("sign", "sign", (
        Leaf(slab(-0.13, 0.2, 0.13, 1), "post", "brown"),
        Leaf(slab(-0.98, -0.72, 0.98, 0.3), "", "main")),
         synonyms=("signpost",), written=(-0.94, -0.7, 0.94, 0.28)),
)

KINDS = {kind.name: kind for kind in SHAPES + COMPOSED}
PARTS = tuple(sorted({leaf.part for kind in COMPOSED for leaf in kind.leaves if leaf.part}))
CROWDS = ("circle", "diamond", "star", "heart", "square")  # shapes that stand in crowds
CLASSES = tuple(KINDS)  # in the order of their category ids
