"""The protocol every model answers to: samples in, answers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from loupe.sample import Answer, Problem, Sample


class Predictor(Protocol):
    """A trained model, a baseline, a foreign model, an endpoint.

    `answer` takes samples whose last turn is the user's and yields one Answer each, in order. A sample that
    cannot be answered (a picture that does not decode) yields an Answer with a problem; it never ends the run.
    Neighbouring samples with the same images are answered from one look.
    """

    name: str

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]: ...


def unanswered(error: Exception, kind: str = "picture") -> Answer:
    """The Answer to a question that could not be asked: nothing said, and why."""
    return Answer((), (Problem(kind, str(error), 0),))
