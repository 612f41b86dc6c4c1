"""Which descriptions are true of their box alone, where the world says so. The run itself never looks here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from loupe.bootstrapping.pair import Pair
from loupe.evals.description import fit, parse
from loupe.evals.things import Scene, scene_of
from loupe.record import Object, Record
from loupe.regions import iou

SAME = 0.9  # IoU from which an annotated box and a true one are the same
RIGHT, LOOSE, WRONG, STRANGE = "right", "not this one alone", "wrong", "words outside the grammar"


@dataclass(frozen=True)
class Verdict:
    """said: RIGHT, LOOSE (true of the box, but of another too), WRONG or STRANGE. kind: how it tells the box apart."""

    said: str
    kind: str = ""

    @property
    def right(self) -> bool:
        return self.said == RIGHT


def verdicts(pairs: Sequence[Pair], records: Iterable[Record]) -> list[tuple[Verdict | None, ...]]:
    """A verdict for every candidate of every pair; None where the true records do not know the box.

    Records are joined by id, objects by id and place. A description is right if it is proven to mean its object and no
    other (loupe.evals.description), or is one of the annotated phrases that single it out.
    """
    by_record: dict[str, list[int]] = {}
    for position, pair in enumerate(pairs):
        by_record.setdefault(pair.record, []).append(position)
    out: list[tuple[Verdict | None, ...]] = [(None,) * len(pair.candidates) for pair in pairs]
    for record in tqdm(records, desc="judging descriptions", unit="picture", delay=2, disable=None, leave=False):
        members = by_record.get(record.id)
        if not members:
            continue
        scene = Scene(scene_of(record))
        for position in members:
            thing = _thing(pairs[position], record)
            if thing is not None:
                out[position] = tuple(verdict(c.text, thing, record, scene) for c in pairs[position].candidates)
    return out


def verdict(text: str, thing: Object, record: Record, scene: Scene) -> Verdict:
    said = parse(text)
    kind = "" if said is None else said.kind or ("attribute" if said.noun.looks else "name")
    if _tidy(text) in {_tidy(p.text) for p in record.phrases if p.refers and p.object == thing.id}:
        return Verdict(RIGHT, kind)
    fitting = fit(text, scene)
    if fitting is None:
        return Verdict(STRANGE)
    if fitting.only(thing.id):
        return Verdict(RIGHT, kind)
    return Verdict(LOOSE if thing.id in fitting.loose else WRONG, kind)


def _thing(pair: Pair, record: Record) -> Object | None:
    known = record.object_by_id().get(pair.object)
    if known is not None and iou(known.box, pair.box) >= SAME:
        return known
    near = max(record.objects, key=lambda o: iou(o.box, pair.box), default=None)
    return near if near is not None and iou(near.box, pair.box) >= SAME else None


def _tidy(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")
