"""Options that are never shown: the model weighs each as its answer, and the most probable one is taken.

So a model that was never taught the form of an answer is asked for what it sees, not for the form.
"ranked" takes the probability as it is, "calibrated" by how much it is more than for other questions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from loupe.errors import ConfigError
from loupe.predictor import Predictor, weighing
from loupe.sample import Answer, Problem, Sample, Turn

TOGETHER = 16  # questions whose pictures are kept in sight at once
Weights = list[float | None]  # log-probability of each option; None of one that cannot be weighed


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
        return (_best(options, weights) for options, weights in self._weighed(samples))

    def _weighed(self, samples: Iterable[Sample]) -> Iterator[tuple[tuple[str, ...], Weights]]:
        samples = iter(samples)
        while some := list(islice(samples, TOGETHER)):
            for s in some:
                if not s.extra.get("options"):
                    raise ConfigError("a question has no options to weigh", got=s.id, where="answers that are weighed",
                                      expected="options, as multiple-choice asks about",
                                      do="leave out the form, or questions without options")
            solved = [replace(s, turns=(*s.turns, Turn("assistant", (option,))))
                      for s in some for option in s.extra["options"]]
            weights = iter(weighing(self.predictor, tuple(dict.fromkeys(s.images for s in solved))).weigh(solved))
            for s in some:
                yield tuple(s.extra["options"]), list(islice(weights, len(s.extra["options"])))


class Calibrated(Ranked):
    """A predictor that answers with the option whose probability among the options is the most times what it is on
    average over all questions with these options (batch calibration, arXiv 2309.17249, Eq. 3 to 5).

    What a model likes to say whatever it is asked decides no answer then, which it does where a form of answers was
    never taught. Each answer depends on all questions. A ConfigError of options that one question of many has alone.
    """

    whole = True

    @property
    def identity(self) -> dict:
        return {**super().identity, "calibrated": "batch"}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        asked = list(self._weighed(samples))
        shares = defaultdict(list)
        for options, weights in asked:
            if None not in weights:
                shares[options].append(_shares(weights))
        lonely = next((options for options, rows in shares.items() if len(rows) == 1), None)
        if lonely is not None and len(asked) > 1:
            raise ConfigError("options that one question has alone cannot be calibrated", got=" | ".join(lonely)[:80],
                              expected="the same options for many questions", do='say form: "ranked"')
        usual = {options: np.log(np.mean(np.exp(rows), 0)) for options, rows in shares.items()}
        for options, weights in asked:
            yield _best(options, weights if None in weights else list(_shares(weights) - usual[options]))


WEIGHED = {"ranked": Ranked, "calibrated": Calibrated}  # forms of a benchmark


def closed(samples: Iterable[Sample], among: Mapping[str, Sequence[str]]) -> Iterator[Sample]:
    """The questions with the answers of their kind as extra["options"], or of the only list the true one stands in,
    as VQAv2 tells answers that are yes or no, numbers and others; a ConfigError where there is none."""
    for s in samples:
        truth, kind = s.extra["truth"], str(s.extra.get("kind", ""))
        fitting = [options for options in among.values() if truth in options]
        options = tuple(among.get(kind) or among.get("") or (fitting[0] if len(fitting) == 1 else ()))
        if truth not in options:
            raise ConfigError("the true answer is not among those that are weighed", got=repr(truth),
                              expected=", ".join(options) or "in one of the lists of answers", where=f"{s.id}: among")
        yield replace(s, extra={**s.extra, "options": options})


def _shares(weights: Weights) -> np.ndarray:
    """Log-probabilities among the options: [options]."""
    return np.asarray(weights) - np.logaddexp.reduce(weights)


def _best(options: Iterable[str], weights: Weights) -> Answer:
    known = [(weight, option) for weight, option in zip(weights, options) if weight is not None]
    if not known:
        return Answer((), (Problem("picture", "the question cannot be asked", 0),))
    said = max(known, key=lambda pair: pair[0])[1]
    return Answer((said,), raw=said)
