"""The protocol every model answers to: samples in, answers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from loupe.errors import ConfigError
from loupe.image import Image
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


class Seen(Protocol):
    """Pictures a predictor keeps in sight, or none yet: several rounds of questions on them cost one look each.

    `answer` is that of a Predictor. What else a predictor can do it may leave out:
    `weigh` takes samples that end with an answer and yields the log-probability of that answer (natural, the sum over
    its tokens), None where the question cannot be asked; `sampled` draws answers at a temperature, each by a seed of
    its own made of `seed` and the sample's id, with the scores of an undisturbed model.
    """

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]: ...

    def weigh(self, samples: Iterable[Sample]) -> Iterator[float | None]: ...

    def sampled(self, samples: Iterable[Sample], temperature: float, seed: int = 0) -> Iterator[Answer]: ...


def seen(predictor: Predictor, looks: Sequence[tuple[Image, ...]]) -> Seen | Predictor:
    """The predictor with these looks kept, where it has a method `seen` for that; else the predictor itself."""
    keep = getattr(predictor, "seen", None)
    return predictor if keep is None else keep(looks)


def weighing(predictor: Predictor, looks: Sequence[tuple[Image, ...]] = ()) -> Seen:
    """What weighs answers about these looks; a ConfigError where the predictor cannot."""
    view = seen(predictor, looks)
    if not hasattr(view, "weigh"):
        raise ConfigError("this model cannot weigh answers", got=predictor.name, expected="a checkpoint of loupe or of "
                          "transformers", do="ask for letters instead: iconqa-test, iconqa-val")
    return view


def able(predictor: Predictor, what: str) -> bool:
    """Does it know how to `weigh` answers, or to draw them (`sampled`)?"""
    return getattr(seen(predictor, ()), what, None) is not None
