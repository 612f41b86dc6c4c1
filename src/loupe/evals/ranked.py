"""Options that are never shown: the model weighs each as its answer, and the most probable one is taken.

So a model that was never taught the form of an answer is asked for what it sees, not for the form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from loupe.errors import ConfigError
from loupe.image import Image
from loupe.predictor import Predictor, seen
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
                    raise ConfigError("a question has no options to weigh", got=s.id, where="form ranked",
                                      expected="options, as multiple-choice asks about",
                                      do="leave out the form, or questions without options")
            view = weighing(self.predictor, tuple(dict.fromkeys(s.images for s in some)))
            solved = [replace(s, turns=(*s.turns, Turn("assistant", (option,))))
                      for s in some for option in s.extra["options"]]
            weights = iter(view.weigh(solved))
            for s in some:
                yield _best(s.extra["options"], list(islice(weights, len(s.extra["options"]))))


def weighing(predictor: Predictor, looks: Sequence[tuple[Image, ...]] = ()):
    """What weighs answers about these looks; a ConfigError where the predictor cannot."""
    view = seen(predictor, looks)
    if not hasattr(view, "weigh"):
        raise ConfigError("this model cannot weigh answers", got=predictor.name, expected="a checkpoint of loupe or of "
                          "transformers", do="ask for letters instead: iconqa-test, iconqa-val")
    return view


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
