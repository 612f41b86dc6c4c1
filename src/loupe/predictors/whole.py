"""Trivial predictors of a whole mask or a whole picture, where models are asked place by place. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError, ImageError
from loupe.evals.grid import FILTER, means
from loupe.image import downsampled
from loupe.predictor import Predictor, unanswered
from loupe.regions import Colour, Mask, pixels
from loupe.sample import Answer, Found, Sample

GREY = (128, 128, 128)


@dataclass(frozen=True)
class Filled:
    """The box that another predictor says, and the mask that fills it."""

    name: str
    box: Predictor
    whole = True  # asked once for a mask, not place by place

    @property
    def identity(self) -> dict:
        return getattr(self.box, "identity", {})

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            (said,) = self.box.answer([sample])
            if said.found:
                mask = Mask.from_array(pixels(said.found[0].region, *sample.images[0].size))
                said = Answer((said.found[0], Found(mask)))
            yield said


@dataclass(frozen=True)
class TrueBox:
    """The box around the true mask."""

    name = "true-box"

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        return (Answer((Found(sample.extra["truth"].box),)) for sample in samples)


@dataclass(frozen=True)
class Painted:
    """say: the colour of every place, [places, 3] or one [3] for all of them, in 0..255."""

    name: str
    say: Callable[[Sample], np.ndarray]
    about: str = ""
    whole = True

    @property
    def identity(self) -> dict:
        return {"about": self.about} if self.about else {}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            places = len(sample.extra["truth"])
            try:
                said = np.broadcast_to(np.rint(self.say(sample)).reshape(-1, 3), (places, 3))
            except ImageError as error:
                yield unanswered(error)
                continue
            yield Answer(tuple(Colour(*map(int, colour)) for colour in said))


def grey() -> Painted:
    """The middle of 0..255 everywhere."""
    return Painted("grey", lambda sample: np.array(GREY))


def mean_colour(samples: Iterable[Sample]) -> Painted:
    """The mean of the true colours of training pictures, everywhere."""
    seen = [np.mean([(c.r, c.g, c.b) for c in s.extra["truth"]], 0) for s in samples]
    if not seen:
        raise ConfigError("mean-colour has nothing to be fitted on", got="no true colour", expected="training pictures")
    colour = np.mean(seen, 0)
    return Painted("mean-colour", lambda sample: colour, f"{np.rint(colour).astype(int).tolist()}")


def picture_mean() -> Painted:
    """Of each picture its mean colour: told, not seen."""
    return Painted("picture-mean", lambda sample: _means(sample)["image mean"])


def patch_mean() -> Painted:
    """Of each place the mean of the 8 x 8th of its picture: told, not seen."""
    return Painted("patch-mean", lambda sample: _means(sample)["patch mean"])


def _means(sample: Sample) -> dict[str, np.ndarray]:
    size, places = sample.extra["size"], len(sample.extra["truth"])
    small = downsampled(sample.images[0], size, sample.extra.get("filter", FILTER))
    return means(small, round(places**0.5))
