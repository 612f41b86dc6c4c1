"""What can be true between two things, by geometry alone, and the words for it.

Every predicate has a strict reading (it is said) and a loose one (somebody might say it): an expression that uses a
predicate is only written when no rival fulfils even the loose one. Lengths are shares of the picture's shorter side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loupe.world.chance import choose
from loupe.world.scene import Scene, Thing


class Pair:
    """The geometry between thing `a` and thing `b` of one scene; dx, dy lead from a to b."""

    def __init__(self, scene: Scene, a: Thing, b: Thing):
        self.scene, self.a, self.b = scene, a, b
        side = scene.side
        p, q = a.box, b.box
        self.dx = ((q.x1 + q.x2) - (p.x1 + p.x2)) / 2 / side
        self.dy = ((q.y1 + q.y2) - (p.y1 + p.y2)) / 2 / side
        self.gap = math.hypot(max(q.x1 - p.x2, p.x1 - q.x2, 0), max(q.y1 - p.y2, p.y1 - q.y2, 0)) / side
        self.pixel = 1 / side
        self.front = a.layer > b.layer

    @cached_property
    def overlap(self) -> float:
        """Pixels where the whole outlines overlap, as a share of the smaller thing."""
        if self.gap > 0.05:
            return 0.0
        return int(np.count_nonzero(self.a.whole & self.b.whole)) / min(self.a.area, self.b.area)

    @cached_property
    def within(self) -> float:
        """Share of a's visible pixels that lie inside b's outline, b's holes filled."""
        if self.gap > 0:
            return 0.0
        mine = np.count_nonzero(self.a.mask)
        return int(np.count_nonzero(self.a.mask & self.b.solid)) / mine

    @cached_property
    def growth(self) -> float:
        """How many times larger a is than b: the smaller of the ratios by whole and by visible area."""
        seen = np.count_nonzero(self.a.mask) / np.count_nonzero(self.b.mask)
        return min(self.a.area / self.b.area, seen)

    @cached_property
    def shrink(self) -> float:
        seen = np.count_nonzero(self.b.mask) / np.count_nonzero(self.a.mask)
        return min(self.b.area / self.a.area, seen)

    @cached_property
    def contact(self) -> bool:
        """Outlines meet along an edge or a corner and do not overlap."""
        if self.gap > 1.5 * self.pixel or self.overlap > 0:
            return False
        a, b = self.a.whole, self.b.whole
        grown = a.copy()
        grown[1:] |= a[:-1]
        grown[:-1] |= a[1:]
        wide = grown.copy()
        wide[:, 1:] |= grown[:, :-1]
        wide[:, :-1] |= grown[:, 1:]
        return bool((wide & b).any())

    @cached_property
    def holding(self) -> list[Predicate]:
        """The predicates whose strict reading is true of a and b."""
        return [predicate for predicate in PREDICATES if predicate.strict(self)]


Test = Callable[[Pair], bool]


@dataclass(frozen=True)
class Predicate:
    name: str
    strict: Test
    loose: Test
    forms: tuple[str, ...]  # the first is the usual one
    weight: float  # how often a relation of this kind is annotated
    refers: bool = True  # used to tell things apart


PREDICATES = (
    Predicate("left", lambda p: p.dx > 0.1 and p.dx >= abs(p.dy), lambda p: p.dx > -0.02,
              ("left of", "to the left of", "on the left of", "on the left side of"), 5),
    Predicate("right", lambda p: p.dx < -0.1 and -p.dx >= abs(p.dy), lambda p: p.dx < 0.02,
              ("right of", "to the right of", "on the right of", "on the right side of"), 5),
    Predicate("above", lambda p: p.dy > 0.1 and p.dy >= abs(p.dx), lambda p: p.dy > -0.02,
              ("above", "over", "higher than"), 5),
    Predicate("below", lambda p: p.dy < -0.1 and -p.dy >= abs(p.dx), lambda p: p.dy < 0.02,
              ("below", "under", "beneath", "lower than"), 5),
    Predicate("near", lambda p: 0 < p.gap < 0.06, lambda p: p.gap < 0.17,
              ("next to", "near", "beside", "close to", "by"), 3),
    Predicate("inside", lambda p: p.within > 0.97 and (p.front or p.overlap == 0), lambda p: p.within > 0.3,
              ("inside", "in", "within"), 3),
    Predicate("on", lambda p: p.within > 0.97 and p.front and p.overlap > 0.9, lambda p: p.within > 0.3,
              ("on", "drawn on"), 3),
    Predicate("around", lambda p: Pair(p.scene, p.b, p.a).within > 0.97 and (not p.front or p.overlap == 0),
              lambda p: Pair(p.scene, p.b, p.a).within > 0.3, ("around", "surrounding", "containing"), 3),
    Predicate("front", lambda p: p.front and p.overlap > 0.05, lambda p: p.front and p.overlap > 0,
              ("in front of", "overlapping", "partly covering", "covering part of"), 3),
    Predicate("behind", lambda p: not p.front and p.overlap > 0.05, lambda p: not p.front and p.overlap > 0,
              ("behind", "partly hidden by", "partly covered by"), 3),
    Predicate("touching", lambda p: p.contact, lambda p: p.gap < 0.04 or p.overlap > 0,
              ("touching", "in contact with", "against", "leaning against"), 4),
    Predicate("larger", lambda p: p.growth > 1.6, lambda p: p.shrink < 1.05,
              ("larger than", "bigger than"), 1),
    Predicate("smaller", lambda p: p.shrink > 1.6, lambda p: p.growth < 1.05, ("smaller than",), 1),
    Predicate("far", lambda p: math.hypot(p.dx, p.dy) > 0.62, lambda p: math.hypot(p.dx, p.dy) > 0.48,
              ("far from", "far away from", "a long way from"), 0.8),
    Predicate("level", lambda p: abs(p.dy) < 0.025 and abs(p.dx) > 0.2, lambda p: abs(p.dy) < 0.1,
              ("level with", "side by side with"), 0.8),
    Predicate("stacked", lambda p: abs(p.dx) < 0.025 and p.dy > 0.2, lambda p: abs(p.dx) < 0.1 and p.dy > 0,
              ("straight above", "right above", "directly above"), 0.8),
    Predicate("upper-left", lambda p: p.dx > 0.15 and p.dy > 0.15, lambda p: p.dx > -0.02 and p.dy > -0.02,
              ("above and to the left of", "up and left of"), 0.5),
    Predicate("upper-right", lambda p: p.dx < -0.15 and p.dy > 0.15, lambda p: p.dx < 0.02 and p.dy > -0.02,
              ("above and to the right of", "up and right of"), 0.5),
    Predicate("lower-left", lambda p: p.dx > 0.15 and p.dy < -0.15, lambda p: p.dx > -0.02 and p.dy < 0.02,
              ("below and to the left of", "down and left of"), 0.5),
    Predicate("lower-right", lambda p: p.dx < -0.15 and p.dy < -0.15, lambda p: p.dx < 0.02 and p.dy < 0.02,
              ("below and to the right of", "down and right of"), 0.5),
    Predicate("colour", lambda p: p.a.colour == p.b.colour, lambda p: p.a.colour == p.b.colour,
              ("the same colour as", "as {colour} as", "matching"), 0.6, refers=False),
    Predicate("kind", lambda p: p.a.name == p.b.name and p.a.size == p.b.size, lambda p: p.a.name == p.b.name,
              ("the same shape as", "like"), 0.4, refers=False),
)


def form(predicate: Predicate, pair: Pair, rng: np.random.Generator) -> str:
    """Words for a predicate: mostly the usual ones."""
    words = predicate.forms[0] if rng.random() < 0.55 else choose(rng, predicate.forms)
    return words.replace("{colour}", pair.a.colour)
