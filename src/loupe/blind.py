"""A model that is asked without being shown: what words alone give away. No torch."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from PIL import Image as Pillow

from loupe.errors import ConfigError, ImageError
from loupe.image import Image
from loupe.predictor import Predictor, unanswered, weighing
from loupe.sample import Answer, Sample

GREY = (128, 128, 128)
MODULES = ("tower", "refiner", "detector", "segmenter")


class Blind:
    """The same model, each picture replaced by a grey one of its size."""

    def __init__(self, predictor: Predictor):
        self.predictor, self.name = predictor, f"{predictor.name}, blind"

    @property
    def identity(self) -> dict:
        return {**getattr(self.predictor, "identity", {}), "blind": True}

    def shortened(self, answer: int) -> Blind:
        short = getattr(self.predictor, "shortened", None)
        return Blind(short(answer)) if short else self

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        return self._answer(samples, self.predictor.answer)

    def dense(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        return self._answer(samples, getattr(self.predictor, "dense", self.predictor.answer))

    def weigh(self, samples: Iterable[Sample]) -> Iterator[float | None]:
        """As `loupe.predictor.Seen` does, of grey pictures."""
        def weighed(shown: list[Sample]) -> Iterable[float | None]:
            return weighing(self.predictor, tuple(dict.fromkeys(s.images for s in shown))).weigh(shown)

        for value in self._answer(samples, weighed):
            yield None if isinstance(value, Answer) else value

    def _answer(self, samples: Iterable[Sample], ask) -> Iterator:
        waiting: list[Sample | ImageError] = []
        for sample in samples:
            try:
                waiting.append(replace(sample, images=tuple(grey(*image.size) for image in sample.images)))
            except ImageError as error:
                waiting.append(error)
        answers = iter(ask([s for s in waiting if isinstance(s, Sample)]))
        for s in waiting:
            yield next(answers) if isinstance(s, Sample) else unanswered(s)


def without(predictor: Predictor, *modules: str) -> Predictor:
    """The same model, a blank picture shown to some of its modules alone: "tower" (what visual queries see), "refiner"
    (what grounding queries see, and its spatial text), of the latter "detector" or "segmenter" (Lyrics, Table 5)."""
    shade = getattr(predictor, "without", None)
    if shade is None:
        raise ConfigError("this model's modules cannot be shown different pictures", got=predictor.name,
                          expected="a checkpoint of loupe", do="Blind shows it none at all")
    return shade(*modules)


def grey_of(image: Image) -> Image:
    """A blank picture of the same size."""
    return grey(*image.size)


@cache
def grey(width: int, height: int) -> Image:
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), GREY).save(buffer, "PNG")
    return Image(data=buffer.getvalue())
