"""Options that are never shown: the model weighs each as its answer, and the most probable one is taken.

So a model that was never taught the form of an answer is asked for what it sees, not for the form.
"ranked" takes the probability as it is, "calibrated" what the picture adds to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from loupe.blind import Blind
from loupe.errors import ConfigError
from loupe.predictor import Predictor, weighing
from loupe.sample import Answer, Problem, Sample, Turn

TOGETHER = 16  # questions whose pictures are kept in sight at once


class Ranked:
    """A predictor that answers with the option (extra["options"]) of the greatest log-probability, its stop included.

    Sums over tokens, as they are: a longer option is not helped. A ConfigError where the predictor cannot weigh.
    """

    def __init__(self, predictor: Predictor, grid: int = 0):
        self.predictor, self.name = predictor, predictor.name

    @property
    def identity(self) -> dict:
        return {**getattr(self.predictor, "identity", {}), "ranked": True}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        samples = iter(samples)
        while some := list(islice(samples, TOGETHER)):
            for s in some:
                if not s.extra.get("options"):
                    raise ConfigError("a question has no options to weigh", got=s.id, where="answers that are weighed",
                                      expected="options, as multiple-choice asks about",
                                      do="leave out the form, or questions without options")
            solved = [replace(s, turns=(*s.turns, Turn("assistant", (option,))))
                      for s in some for option in s.extra["options"]]
            weights = iter(self._weights(solved))
            for s in some:
                yield _best(s.extra["options"], list(islice(weights, len(s.extra["options"]))))

    def _weights(self, solved: list[Sample]) -> Iterable[float | None]:
        return weighing(self.predictor, tuple(dict.fromkeys(s.images for s in solved))).weigh(solved)


class Calibrated(Ranked):
    """A predictor that answers with the option whose log-probability the picture raises most: from what it is behind a
    grey picture of the same size and the same words.

    What a model likes to say whatever it is shown decides no answer then, which it does where a form of answers was
    never taught (the contextual calibration of arXiv 2102.09690, as the pointwise mutual information of 2104.08315).
    Shown grey pictures alone it takes the first option.
    """

    @property
    def identity(self) -> dict:
        return {**super().identity, "calibrated": True}

    def _weights(self, solved: list[Sample]) -> Iterator[float | None]:
        for seen, unseen in zip(super()._weights(solved), Blind(self.predictor).weigh(solved), strict=True):
            yield None if seen is None or unseen is None else seen - unseen


WEIGHED = {"ranked": Ranked, "calibrated": Calibrated}  # forms of a benchmark


def closed(samples: Iterable[Sample], among: Mapping[str, Sequence[str]]) -> Iterator[Sample]:
    """The questions with the answers of their kind as extra["options"]; a ConfigError where the true one is none of
    them."""
    for s in samples:
        options = tuple(among.get(str(s.extra.get("kind", "")), among.get("", ())))
        if s.extra["truth"] not in options:
            raise ConfigError("the true answer is not among those that are weighed", got=repr(s.extra["truth"]),
                              expected=", ".join(options) or "answers of this kind of question", where=f"{s.id}: among")
        yield replace(s, extra={**s.extra, "options": options})


def _best(options: Iterable[str], weights: list[float | None]) -> Answer:
    known = [(weight, option) for weight, option in zip(weights, options) if weight is not None]
    if not known:
        return Answer((), (Problem("picture", "the question cannot be asked", 0),))
    said = max(known, key=lambda pair: pair[0])[1]
    return Answer((said,), raw=said)
