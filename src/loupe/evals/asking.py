"""Which questions a benchmark asks of its records: all of them, or a few of each picture drawn by a fixed seed."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from tqdm import tqdm

from loupe.errors import ImageError
from loupe.evals.boxes_asked import Found, questions
from loupe.evals.grid import squares
from loupe.evals.jitter import jittered
from loupe.evals.rotations import rotations
from loupe.evals.spec import Benchmark
from loupe.evals.things import scene_of
from loupe.record import Record
from loupe.regions import Box, Mask
from loupe.sample import Sample
from loupe.tasks import task
from loupe.tasks.base import Task, mention

SEED = 0  # of every choice among questions


def order(count: int) -> list[int]:
    """0 .. count - 1 in a random order that is always the same; the first N are a random choice."""
    return np.random.default_rng([SEED, count]).permutation(count).tolist()


def few(records: Sequence[Record], count: int) -> list[Record]:
    """So many of the records, in their order; those whose picture does not decode are left out."""
    out = []
    for k in sorted(order(len(records))[:count]):
        try:
            out.append(records[k])
        except ImageError:  # the reader counts it where it looked for the picture
            continue
    return out


def ask(what: Benchmark, records: Sequence[Record], found: Found | None = None) -> Iterator[Sample]:
    """Every question in the records' order; with `draw` pictures in a fixed random order, a few questions of each.

    found: boxes of a detector, for benchmarks that ask about those."""
    asked = _asked(what, records, found)
    if what.circular:
        asked = (turned for sample in asked for turned in rotations(sample))
    for sample in asked:
        yield jittered(sample, what.jitter, what.jitter_seed)


def _asked(what: Benchmark, records: Sequence[Record], found: Found | None) -> Iterator[Sample]:
    if what.boxes:
        yield from questions(what, records, order(len(records))[:what.pictures or None], found)
        return
    asking = task(what.task, **what.task_options)
    if what.draw is None:
        for record in tqdm(records, desc=f"questions of {what.name}", unit="picture", delay=2, disable=None,
                           leave=False):
            yield from (s for s in _every(what, asking, record) if _large(s, what.least_area))
        return
    seen, left = Counter(), what.most
    shown = tqdm(order(len(records)), desc=f"questions of {what.name}", unit="picture", delay=2, disable=None,
                 leave=False)
    for position in shown:
        if left == 0:
            return
        try:
            record = records[position]
        except ImageError:  # the reader counts it where it looked for the picture
            continue
        some = [s for s in map(partial(_behind, what, record), _drawn(what, asking, record, seen)) if s][:left]
        left = None if left is None else left - len(some)
        yield from some


def value_of(sample: Sample, key: str) -> str:
    """What a sample counts as in a balanced choice."""
    return str(sample.extra.get(key, ""))


def _drawn(what: Benchmark, asking: Task, record: Record, seen: Counter) -> Iterator[Sample]:
    """`draw` different questions; balanced, those whose kind was drawn least so far."""
    rng = np.random.default_rng([SEED, zlib.crc32(f"{record.id}/{what.name.partition('~')[0]}".encode())])
    if what.form == "colours":
        yield squares(record, what.grid, **what.task_options)
        return
    pool = _every(what, asking, record)
    pool = [pool[int(k)] for k in rng.permutation(len(pool))]
    for _ in range(min(what.draw, len(pool))):
        rank = {value: (number, rng.random()) for value, number in
                {value_of(s, what.balance): seen[value_of(s, what.balance)] for s in pool}.items()}
        chosen = min(pool, key=lambda s: rank[value_of(s, what.balance)]) if what.balance else pool[0]
        pool.remove(chosen)
        seen[value_of(chosen, what.balance)] += 1
        yield chosen


def _behind(what: Benchmark, record: Record, sample: Sample) -> Sample | None:
    """The question behind a solved one about the same picture, if `what` wants that; None where none can be asked."""
    if not what.behind:
        return sample
    rng = np.random.default_rng([SEED, zlib.crc32(f"{sample.id}/behind".encode())])
    for name in rng.permutation(what.behind).tolist():
        first = task(name)(record, rng)
        if first is not None and first.id != sample.id:
            return replace(sample, turns=(*first.turns, *sample.turns))
    return None


def _every(what: Benchmark, asking: Task, record: Record) -> list[Sample]:
    kinds = {mention(p.text): p.kind for p in record.phrases if p.refers}
    if what.expressions:
        phrases = tuple(p for p in record.phrases if p.kind in what.expressions)
        record = replace(record, phrases=phrases)
    if what.draw is not None and not what.balance:
        rng = np.random.default_rng([SEED, zlib.crc32(f"{record.id}/{what.task}".encode())])
        posed = {s.id: s for s in (asking.pose(record, rng) for _ in range(what.draw)) if s is not None}
        samples = list(posed.values())
    else:
        samples = asking.every(record)
    out = []
    for s in samples:
        more = {"expression": kinds[s.extra["phrase"]]} if what.expressions and s.extra.get("phrase") in kinds else {}
        if what.scene:
            more["scene"] = scene_of(record)
        if what.form == "mask":
            meant = next((o for o in record.objects if o.id == s.extra.get("object")), None)
            if meant is None or not meant.shape:
                continue
            whole = isinstance(meant.shape, Mask)
            more["truth"] = meant.shape if whole else Mask.from_polygons(meant.shape, record.width, record.height)
            more["alike"] = tuple(o.box for o in record.objects if not o.crowd and set(o.names) & set(meant.names))
        out.append(replace(s, extra={**s.extra, **more}) if more else s)
    return out


def _large(sample: Sample, least: float) -> bool:
    truth = sample.extra.get("truth")
    return not least or (isinstance(truth, Box) and truth.area > least)
