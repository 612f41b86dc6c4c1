"""All objects in a quadrant around a reference (Pink §3.2, coarse visual spatial reasoning).

Quadrants compare centres: "top-left" holds the objects whose centre lies left of and above the reference's. A centre
exactly level with the reference's on either axis lies in no quadrant.

Beyond Pink's three kinds of answers, "steps" goes the way a person does: where the reference is, then what lies
there, each by box and name. Only the names are judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Object, Record
from loupe.regions import Region, centre, iou
from loupe.sample import Part, Regions
from loupe.tasks.base import NONE, Case, Task, mention, pick, single
from loupe.tasks.classes import check_order, ordered
from loupe.tasks.grounding import check_phrases, phrases
from loupe.tasks.listing import KINDS, check_kinds, listed

STEPS = "steps"

POSITIONS = {"top-left": (-1, -1), "top-right": (1, -1), "bottom-left": (-1, 1), "bottom-right": (1, 1)}
SAME = 0.5  # an object whose box has this IoU with the region of a phrase is taken for the thing itself


@dataclass(frozen=True)
class Reference:
    key: str
    said: str | Region  # what stands in the question
    region: Region
    object: str | None


@dataclass(frozen=True, kw_only=True)
class CoarsePosition(Task):
    name = "coarse-position"
    needs = frozenset({"objects"})
    placeholders = dict.fromkeys((*KINDS, STEPS), ("position", "reference"))
    kinds: tuple[str, ...] = KINDS
    by_phrase: float = 0.5  # share of references given in words, where there are phrases (Pink's release: half)
    phrases: str = "any"  # which, as in grounding
    empty: float | None = None  # share of empty answers where there is a choice; None: as it falls (Pink)
    order: str = "area"
    most: int | None = 20

    def __post_init__(self):
        check_kinds(self.kinds, (*KINDS, STEPS))
        check_order(self.order)
        check_phrases(self.phrases)

    def choose(self, record: Record, rng: np.random.Generator):
        boxes, words = by_box(record), by_words(record, self.phrases)
        reference = pick(words if words and (not boxes or rng.random() < self.by_phrase) else boxes, rng)
        if reference is None:
            return None
        known = self.positions(record, reference)
        if self.empty is not None and len({bool(objects) for objects in known.values()}) == 2:
            wanted = rng.random() >= self.empty
            known = {position: objects for position, objects in known.items() if bool(objects) == wanted}
        position = pick(sorted(known), rng)
        return self.case(reference, position, known[position], pick(list(self.kinds), rng)) if position else None

    def cases(self, record: Record):
        for reference in by_box(record) + by_words(record, self.phrases):
            for position, objects in self.positions(record, reference).items():
                for kind in self.kinds:
                    yield self.case(reference, position, objects, kind)

    def positions(self, record: Record, reference: Reference) -> dict[str, list[Object]]:
        """Position -> its objects, for the positions that can be asked: no crowd reaches in, not too many objects."""
        middle = centre(reference.region)
        found = {}
        for position, (right, down) in POSITIONS.items():
            if any(_reaches(o, middle, right, down) for o in record.objects if o.crowd):
                continue
            objects = [o for o in single(record) if not _is(o, reference) and _lies(o, middle, right, down)]
            if self.most is None or len(objects) <= self.most:
                found[position] = ordered(objects, self.order)
        return found

    def case(self, reference: Reference, position: str, objects: list[Object], kind: str) -> Case:
        if kind == STEPS:
            answer, truth = stepwise(reference, objects), tuple(o.name for o in objects)
        else:
            answer, truth = listed(objects, kind)
        fields = {"position": position, "reference": reference.said}
        return Case(f"{kind}:{position}:{reference.key}", fields, answer, truth, kind)


def stepwise(reference: Reference, objects: list[Object]) -> tuple[Part, ...]:
    parts: list[Part] = [Regions((reference.region.box,)), ":"]
    for o in objects:
        parts += [" ", Regions((o.box,)), f" {o.name}"]
    return tuple(parts) if objects else (parts[0], f": {NONE}")


def by_box(record: Record) -> list[Reference]:
    return [Reference(f"box:{o.id}", o.box, o.box, o.id) for o in single(record)]


def by_words(record: Record, which: str) -> list[Reference]:
    if not single(record):  # no objects annotated: an empty quadrant would mean nothing
        return []
    return [Reference(key, mention(p.text), p.region, p.object) for key, p in phrases(record, which)]


def _is(o: Object, reference: Reference) -> bool:
    if reference.object is not None:
        return o.id == reference.object
    return iou(o.box, reference.region.box) >= SAME


def _lies(o: Object, middle, right: int, down: int) -> bool:
    at = o.box.centre
    return (at.x - middle.x) * right > 0 and (at.y - middle.y) * down > 0


def _reaches(o: Object, middle, right: int, down: int) -> bool:
    x, y = (o.box.x2 if right > 0 else o.box.x1), (o.box.y2 if down > 0 else o.box.y1)
    return (x - middle.x) * right > 0 and (y - middle.y) * down > 0
