"""Predictors that never look: what a score must beat. No torch."""

from __future__ import annotations

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


BASELINES: dict[str, Callable] = {"whole-image": whole_image, "centre-box": centre_box, "mean-box": mean_box}


def baseline(name: str, samples: Iterable[Sample] | None = None) -> FixedBox:
    """The named baseline; "mean-box" needs training questions to be fitted on."""
    if name not in BASELINES:
        raise unknown_name("baseline", name, BASELINES)
    if name != "mean-box":
        return BASELINES[name]()
    if samples is None:
        raise ConfigError("mean-box has nothing to be fitted on", do="evaluate a model: mean-box is shown beside it")
    return mean_box(samples)
