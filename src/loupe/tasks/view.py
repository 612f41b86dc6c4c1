"""What several tasks work out about one record, worked out once: the last few records are remembered."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

import numpy as np

from loupe.record import Object, Record
from loupe.regions import Box, iou
from loupe.tasks.base import pick, single
from loupe.tasks.classes import absent, by_class
from loupe.tasks.looks import looks
from loupe.tasks.outlines import Outlines, meets

KEPT = 4
SAME_PLACE = 0.7  # two boxes with this IoU cannot be told apart by pointing
CLEAR = 0.02  # of the longer side: how far apart boxes are that lie clearly beside or above one another
SIDES = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}  # words -> axis, direction
SPOKEN = {"left of": "to the left of", "right of": "to the right of", "above": "above", "below": "below"}


class View:
    """Facts about one record; every method is a pure function of it."""

    def __init__(self, record: Record):
        self.record = record
        self.single = single(record)
        self.by_id = record.object_by_id()
        self.outlines = Outlines(record)
        self._nouns: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._alone: dict[str, bool] = {}

    @cached_property
    def classes(self) -> dict[str, list[Object]]:
        return by_class(self.record)

    @cached_property
    def absent(self) -> list[str]:
        return absent(self.record)

    @cached_property
    def pointed(self) -> list[Object]:
        """The objects one can mean by their box: no other of another name fills about the same place."""
        return [o for o in self.single if self.alone(o)]

    def alone(self, o: Object) -> bool:
        if o.id not in self._alone:
            self._alone[o.id] = o.box.area > 0 and not any(
                other is not o and meets(o.box, other.box) and iou(o.box, other.box) >= SAME_PLACE
                and not set(o.names) & set(other.names) for other in self.record.objects)
        return self._alone[o.id]

    def nouns(self, o: Object) -> tuple[tuple[str, ...], ...]:
        """The shortest choices of looks that leave only this object, as (word, ..., name); none where all looks fail.

        Only for exhaustive records: there, a look that is not said of a thing is not a look it has.
        """
        if o.id not in self._nouns:
            self._nouns[o.id] = self._shortest(o) if self.record.exhaustive else ()
        return self._nouns[o.id]

    def noun(self, o: Object, rng: np.random.Generator, without: str = "") -> str:
        """A noun that means this object alone and says nothing of the sort `without`; "" if there is none."""
        known = self.nouns(o)
        if without:
            known = [words for words in known if not set(words[:-1]) & set(looks(o)[without])]
        return " ".join(pick(list(known), rng) or ())

    def _shortest(self, o: Object) -> tuple[tuple[str, ...], ...]:
        rivals = [other for other in self.record.objects if other is not o and set(other.names) & set(o.names)]
        known = [(sort, words[0]) for sort, words in looks(o).items() if len(words) == 1]
        for length in range(len(known) + 1):
            fit = [tuple(word for _, word in chosen) + (o.name,) for chosen in combinations(known, length)
                   if all(any(word not in looks(other)[sort] for sort, word in chosen) for other in rivals)]
            if fit:
                return tuple(fit)
        return ()

    def side(self, a: Object, b: Object) -> str:
        """"left of", "right of", "above" or "below", where a lies clearly so of b and not at a slant; else ""."""
        gaps = {way: self.gap(a.box, b.box, axis, sign) for way, (axis, sign) in SIDES.items()}
        ways = [way for way, gap in gaps.items() if gap >= 0]
        return ways[0] if len(ways) == 1 and gaps[ways[0]] >= self.margin else ""

    def sides(self, a: Object, b: Object) -> list[str]:
        """All of SIDES in which a lies clearly of b: none, one, or two at a slant."""
        return [way for way, (axis, sign) in SIDES.items() if self.gap(a.box, b.box, axis, sign) >= self.margin]

    @property
    def margin(self) -> float:
        return CLEAR * max(self.record.width, self.record.height)

    @staticmethod
    def gap(a: Box, b: Box, axis: int, sign: int) -> float:
        """Pixels between a and b, if a lies on that side of b; negative where they overlap or it does not."""
        p, q = a.xyxy, b.xyxy
        return p[axis] - q[axis + 2] if sign > 0 else q[axis] - p[axis + 2]


_kept: tuple[View, ...] = ()


def view(record: Record) -> View:
    """The record's View; a record seen just before (the very same value) is not looked at again."""
    global _kept
    for known in _kept:
        if known.record is record:
            return known
    made = View(record)
    _kept = (made, *_kept[:KEPT - 1])
    return made
