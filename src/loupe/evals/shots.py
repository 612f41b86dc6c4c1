"""Solved examples before a question, each with a picture of its own (Lyrics §5.6: drawn at random, several seeds).

The picture asked about is the sample's first, as regions of answers lie on the first picture; it stands last in the
text. Examples are other questions of the same task, worded as the question is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from loupe.errors import ConfigError, ImageError
from loupe.evals.spec import Benchmark
from loupe.record import Record
from loupe.sample import ImageMark, Part, Regions, Sample, Turn
from loupe.tasks import task

TRIES = 50  # records looked at for one example
SEEDS = 5  # Table 6: "averaged scores for five different seeds"


def shown(what: Benchmark, samples: Sequence[Sample], records: Sequence[Record]) -> tuple[Sample, ...]:
    """`samples` with `what.shots` examples each, drawn from `records` by `what.shots_seed` and the question's id.

    Truths, ids and the questions' own words stay. No example is on the picture asked about.
    """
    if not what.shots:
        return tuple(samples)
    if not len(records):
        raise ConfigError("there are no records to draw examples from", got="none", where=what.name)
    asking, out = task(what.task, **what.task_options), []
    for sample in samples:
        rng = np.random.default_rng([what.shots_seed, zlib.crc32(sample.id.encode())])
        out.append(before([_example(asking, records, sample, rng, what.name) for _ in range(what.shots)], sample))
    return tuple(out)


def before(examples: Sequence[Sample], sample: Sample) -> Sample:
    """One sample of all their turns: example k on picture k, the question on picture 0."""
    images, turns = [sample.images[0]], []
    for number, example in enumerate(examples, 1):
        images.append(example.images[0])
        turns += _on(number, example.turns)
    return replace(sample, images=tuple(images), turns=(*turns, *_on(0, sample.turns)))


def _on(number: int, turns: Sequence[Turn]) -> list[Turn]:
    """The turns with their regions on that picture, which is marked before the first words."""
    moved = [Turn(turn.role, tuple(_moved(part, number) for part in turn.parts)) for turn in turns]
    return [replace(moved[0], parts=(ImageMark(number), *moved[0].parts)), *moved[1:]]


def _moved(part: Part, number: int) -> Part:
    if not isinstance(part, Regions):
        return part
    return replace(part, regions=tuple(replace(region, image=number) for region in part.regions))


def _example(asking: Callable, records: Sequence[Record], sample: Sample, rng: np.random.Generator,
             name: str) -> Sample:
    for _ in range(TRIES):
        try:
            record = records[int(rng.integers(len(records)))]
        except ImageError:  # the reader counts it where it looked for the picture
            continue
        seed = int(rng.integers(2**31))
        solved = asking(record, np.random.default_rng(seed))
        posed = asking.pose(record, np.random.default_rng(seed))  # the same question in the fixed wording
        if solved is None or posed is None or len(solved.images) != 1 or record.image == sample.images[0]:
            continue
        if solved.id == posed.id and len(solved.turns) == len(posed.turns) + 1:
            solved = replace(solved, turns=(*posed.turns, solved.turns[-1]))
        return solved
    raise ConfigError("no record gives an example", got=f"{TRIES} records looked at", where=name,
                      expected=f"questions of the task {asking.name!r} with answers")
