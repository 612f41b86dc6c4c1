"""Baselines that do not look, for pictures and masks put together from many questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from loupe.evals import open_questions
from loupe.evals.benchmark import Questions, Shelf
from loupe.plain import Roots
from loupe.predictor import Predictor
from loupe.predictors.baselines import FixedBox, centre_box, mean_box
from loupe.predictors.beside import FITTED_ON
from loupe.regions import Colour, Mask, pixels
from loupe.sample import Answer, Found, Sample


@dataclass(frozen=True)
class Flat:
    """Every place has one colour: the mean of training pictures."""

    colour: Colour
    name = "mean colour"

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        return (Answer((self.colour,)) for _ in samples)


@dataclass(frozen=True)
class Filled:
    """A box that is always the same, and a mask that fills it."""

    box: FixedBox
    whole = True  # asked once for a mask, not place by place

    @property
    def name(self) -> str:
        return f"{self.box.name}, filled"

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            (said,) = self.box.answer([sample])
            region = said.found[0].region
            yield Answer((said.found[0], Found(Mask.from_array(pixels(region, *sample.images[0].size)))))


def unseeing(questions: Questions, roots: Roots, shelf: Shelf | None = None) -> dict[str, Predictor]:
    """By name; fitted on the benchmark's training split where it has one."""
    what = questions.benchmark
    if what.form not in ("mask", "colours"):
        return {}
    train = open_questions(what, roots, "any", split=what.fit, shelf=shelf, most=FITTED_ON).samples if what.fit else ()
    if what.form == "mask":
        return {each.name: each for each in map(Filled, (centre_box(), *((mean_box(train),) if train else ())))}
    colours = [(c.r, c.g, c.b) for s in train[:FITTED_ON] for c in s.extra["truth"]] or [(128, 128, 128)]
    flat = Flat(Colour(*(int(v) for v in np.rint(np.mean(colours, 0)))))
    return {flat.name: flat}
