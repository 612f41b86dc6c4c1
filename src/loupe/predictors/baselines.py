"""Predictors that never look: what a score must beat. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError, ImageError, unknown_name
from loupe.predictor import unanswered
from loupe.regions import Box, Region
from loupe.sample import Answer, Found, Sample

Fractions = tuple[float, float, float, float]  # x1, y1, x2, y2 of the picture's sides


@dataclass(frozen=True)
class FixedBox:
    """Always the same box, as fractions of the picture."""

    name: str
    fractions: Fractions

    @property
    def identity(self) -> dict:
        return {"fractions": [round(v, 9) for v in self.fractions]}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            try:
                width, height = sample.images[0].size
            except ImageError as error:
                yield unanswered(error)
                continue
            x1, y1, x2, y2 = self.fractions
            yield Answer((Found(Box(x1 * width, y1 * height, x2 * width, y2 * height)),))


@dataclass(frozen=True)
class FixedText:
    """Always the same words."""

    name: str
    text: str

    @property
    def identity(self) -> dict:
        return {"text": self.text}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for _ in samples:
            yield Answer((self.text,), (), self.text)


def whole_image() -> FixedBox:
    return FixedBox("whole-image", (0.0, 0.0, 1.0, 1.0))


def centre_box() -> FixedBox:
    """Half of each side, in the middle."""
    return FixedBox("centre-box", (0.25, 0.25, 0.75, 0.75))


def mean_box(samples: Iterable[Sample]) -> FixedBox:
    """The mean of the true boxes of training questions, edge by edge, as fractions of their pictures."""
    seen = []
    for sample in samples:
        truth = sample.extra.get("truth")
        if not isinstance(truth, Region):
            continue
        try:
            width, height = sample.images[0].size
        except ImageError:
            continue
        x1, y1, x2, y2 = truth.box.xyxy
        seen.append((x1 / width, y1 / height, x2 / width, y2 / height))
    if not seen:
        raise ConfigError("mean-box has nothing to be fitted on", got="no true box", expected="training questions")
    return FixedBox("mean-box", tuple(float(v) for v in np.mean(seen, 0)))


def majority(samples: Iterable[Sample]) -> FixedText:
    """The most frequent true text of training questions; of several, the first in order of letters."""
    said = Counter(sample.extra["truth"] for sample in samples if isinstance(sample.extra.get("truth"), str))
    if not said:
        raise ConfigError("majority has nothing to be fitted on", got="no true text", expected="training questions")
    return FixedText("majority", min(said, key=lambda text: (-said[text], text)))


BASELINES: dict[str, Callable] = {"whole-image": whole_image, "centre-box": centre_box, "mean-box": mean_box,
                                  "majority": majority}
FITTED = ("mean-box", "majority")  # need training questions
FOR = {"referring": ("whole-image", "centre-box", "mean-box"), "numbers": ("majority",), "words": ("majority",)}


def baseline(name: str, samples: Iterable[Sample] | None = None) -> FixedBox | FixedText:
    """The named baseline; those of FITTED need training questions."""
    if name not in BASELINES:
        raise unknown_name("baseline", name, BASELINES)
    if name not in FITTED:
        return BASELINES[name]()
    if samples is None:
        raise ConfigError(f"{name} has nothing to be fitted on", do=f"evaluate a model: {name} is shown beside it")
    return BASELINES[name](samples)
