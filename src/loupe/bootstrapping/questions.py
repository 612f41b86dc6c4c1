"""The two questions: what is in this box, and where is what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from loupe.bootstrapping.filters import Work
from loupe.errors import LoupeError
from loupe.image import Image
from loupe.record import Object
from loupe.regions import Box
from loupe.sample import Answer, Sample, Turn
from loupe.tasks import task
from loupe.tasks.base import identity


def replies(ask: Callable[[Sequence[Sample]], Iterable], samples: Sequence[Sample]) -> list:
    """What a predictor says to each sample; another number of replies is a LoupeError."""
    said = list(ask(samples))
    if len(said) != len(samples):
        raise LoupeError("the predictor gave another number of answers than it was asked for", got=len(said),
                         expected=len(samples), do="yield one answer for each sample, in order")
    return said


def grounding(work: Work, phrase: str, wording: int = 0, image: Image | None = None) -> Sample:
    """`image`: another view of the picture."""
    turn = Turn("user", task("grounding").wordings()[wording].fill(phrase=phrase))
    return Sample((image or work.record.image,), (turn,), "grounding", identity(work.record, "grounding", phrase),
                  work.record.id)


def description(work: Work, thing: Object, number: int = 0, wording: int = 0) -> Sample:
    """`number` tells several descriptions of one box apart."""
    turn = Turn("user", task("description").wordings()[wording].fill(region=thing.box))
    return Sample((work.record.image,), (turn,), "description",
                  identity(work.record, "description", f"{thing.id}/{number}"), work.record.id)


def answered(sample: Sample, *parts) -> Sample:
    """The sample with its answer."""
    turns = (*sample.turns, Turn("assistant", tuple(parts)))
    return Sample(sample.images, turns, sample.task, sample.id, sample.record)


def first_box(answer: Answer) -> tuple[Box | None, float | None, str]:
    """(the first box of an answer, its probability, why there is none)."""
    for found in answer.found:
        if isinstance(found.region, Box):
            return found.region, found.score, ""
    return None, None, answer.problems[0].kind if answer.problems else "no box"
