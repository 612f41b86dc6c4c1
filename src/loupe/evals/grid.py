"""Whole masks and pictures from questions about the places of a grid: one sample in, grid x grid questions asked.

Any predictor can be asked so; questions about one picture come one after another, so that they share its look. One
with a method `dense` (for many short questions on one picture; the same answers as `answer`) is asked by that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product

import numpy as np

from loupe.errors import ConfigError
from loupe.evals.ladder import ladder
from loupe.evals.metrics.exact import tidy
from loupe.evals.metrics.reconstruction import errors
from loupe.evals.ranked import WEIGHED
from loupe.evals.spec import Benchmark
from loupe.image import downsampled
from loupe.predictor import Predictor
from loupe.record import Record
from loupe.regions import Box, Colour, Mask, Point, contains
from loupe.sample import Answer, Found, Problem, Sample, user
from loupe.tasks import question
from loupe.tasks.base import identity
from loupe.world.noise import floor

TOGETHER = 16  # pictures asked about before the first is put together
WORD = 6  # tokens that hold "yes" or "no" and what ends an answer
FILTER = "bicubic"
PATCHES = 8  # of a side; the patch mean is that of the patch a place lies in


class Grid:
    """A predictor asked about grid x grid places of every picture."""

    def __init__(self, predictor: Predictor, grid: int):
        self.predictor, self.name, self.grid = predictor, predictor.name, grid

    @property
    def identity(self) -> dict:
        return {**getattr(self.predictor, "identity", {}), "grid": self.grid}


class Masks(Grid):
    """Asks where the referent is, then of every place of the grid whether it lies on it; `inside`: of those in the box
    that was said alone, and of none where no box was. `boxed`: on the thing in that box, in place of the phrase."""

    def __init__(self, predictor: Predictor, grid: int, inside: bool = False, boxed: bool = False):
        super().__init__(predictor, grid)
        self.inside, self.boxed = inside, boxed

    @property
    def identity(self) -> dict:
        return {**super().identity, **{name: True for name in ("inside", "boxed") if getattr(self, name)}}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for some in _windows(samples):
            wheres = list(self.predictor.answer(some))
            cells = [self._cells(s, where) for s, where in zip(some, wheres)]
            asked = (q for s, where, mine in zip(some, wheres, cells) for q in self._questions(s, where, mine))
            answers = _densely(_short(self.predictor), asked)
            for s, where, mine in zip(some, wheres, cells):
                yield self._put_together(s, where, mine, [_yes(a) for a in islice(answers, len(mine))])

    def _cells(self, s: Sample, where: Answer) -> list[int]:
        """Numbers of the places that are asked about."""
        if not self.inside:
            return list(range(self.grid ** 2))
        box = _said(where)
        if box is None:
            return []
        return held(box, places(*s.images[0].size, self.grid))

    def _put_together(self, s: Sample, where: Answer, cells: list[int], yes: list[bool | None]) -> Answer:
        inside = np.zeros(self.grid ** 2, bool)
        inside[cells] = [bool(y) for y in yes]
        width, height = s.images[0].size
        rows, columns = (np.arange(n) * self.grid // n for n in (height, width))
        mask = Mask.from_array(inside.reshape(self.grid, self.grid)[rows[:, None], columns])
        unread, problems = sum(y is None for y in yes), ()
        if unread:
            problems = (Problem("neither yes nor no", f"{unread} of {len(yes)} places", 0),)
        elif not cells:
            problems = where.problems or (Problem("no box", where.raw, 0),)
        return Answer((*where.found[:1], Found(mask)), problems, f"{inside.sum()} of {len(yes)} places")

    def _questions(self, s: Sample, where: Answer, cells: list[int]) -> Iterator[Sample]:
        width, height = s.images[0].size
        known, box = places(width, height, self.grid), _said(where)
        thing = {"thing": box} if self.boxed and box is not None else {"phrase": s.extra["phrase"]}
        for k in cells:
            turn = question("segmentation", **thing, region=known[k])
            yield Sample(s.images, (turn,), "segmentation", f"{s.id}#{k}", s.record, {"phrase": s.extra["phrase"]})


def _said(where: Answer) -> Box | None:
    return next((f.region for f in where.found if isinstance(f.region, Box)), None)


class Colours(Grid):
    """Asks for the colour at every place of the grid."""

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for some in _windows(samples):
            answers = _densely(self.predictor, (q for s in some for q in self._questions(s)))
            for _ in some:
                said = list(islice(answers, self.grid ** 2))
                colours = [next((p for p in a.parts if isinstance(p, Colour)), "") for a in said]
                unread = colours.count("")
                problems = (Problem("no colour", f"{unread} of {len(said)} places", 0),) if unread else ()
                yield Answer(tuple(colours), problems)

    def _questions(self, s: Sample) -> Iterator[Sample]:
        (width, height), size = s.images[0].size, s.extra["size"]
        at = [(v + 0.5) / size for v in pixels_of(self.grid, size)]
        for k, (y, x) in enumerate(product(at, at)):
            turn = question("reconstruction", region=Point(x * width, y * height))
            yield Sample(s.images, (turn,), "reconstruction", f"{s.id}#{k}", s.record)


FORMS = {"mask": Masks, "colours": Colours, **WEIGHED}


def asked(predictor: Predictor, what: Benchmark) -> Predictor:
    """The predictor as this benchmark asks it: short answers where they are bounded, a grid where it wants one."""
    if what.answer is not None and hasattr(predictor, "shortened"):
        predictor = predictor.shortened(what.answer)
    if what.form and not getattr(predictor, "whole", False):
        return FORMS[what.form](predictor, what.grid, **{n: True for n in ("inside", "boxed") if getattr(what, n)})
    return predictor


def places(width: int, height: int, grid: int) -> list[Point]:
    """Centres of grid x grid cells, row by row."""
    return [Point((i + 0.5) * width / grid, (j + 0.5) * height / grid) for j in range(grid) for i in range(grid)]


def held(box: Box, known: Sequence[Point]) -> list[int]:
    """Numbers of the places in a box; the one nearest its centre where it holds none."""
    inside = [k for k, point in enumerate(known) if contains(box, point)]
    x, y = box.centre.x, box.centre.y
    return inside or [min(range(len(known)), key=lambda k: math.dist((known[k].x, known[k].y), (x, y)))]


def squares(record: Record, grid: int, size: int = 64, filter: str = FILTER) -> Sample:
    """One question for the colours of grid x grid places of the picture squeezed to size x size.

    Each place is the centre of a pixel of the small picture, in the middle of a cell of the grid.
    """
    if size % grid:
        raise ConfigError("the grid does not fit the picture", got=f"{grid} places, {size} pixels",
                          expected="a number that divides the pixels", where="grid")
    small = downsampled(record.image, size, filter).astype(float)
    at = pixels_of(grid, size)
    truth = small[at[:, None], at]  # [grid, grid, 3]
    extra = {name: float(np.abs(truth - mean).mean() / 255) for name, mean in means(small, grid).items()}
    extra |= {"noise floor": floor(record, size, filter), "size": size}
    if filter != FILTER:
        extra["filter"] = filter
    extra["ladder"] = {name: errors(rung[at[:, None], at], truth) for name, rung in
                       ladder(record.image, size, filter).items()}
    extra["truth"] = tuple(Colour(*(int(v) for v in c)) for c in truth.reshape(-1, 3))
    return Sample((record.image,), (user(f"The colours of {grid} x {grid} places?"),), "reconstruction",
                  identity(record, "reconstruction", f"grid:{grid}"), record.id, extra)


def means(small: np.ndarray, grid: int) -> dict[str, np.ndarray]:
    """What little is known of [grid, grid, 3] places of a small picture: the mean of the patch each lies in, and the
    picture's, [3]."""
    small, size = np.asarray(small, float), len(small)
    at = pixels_of(grid, size) * PATCHES // size
    patch = small.reshape(PATCHES, size // PATCHES, PATCHES, size // PATCHES, 3).mean((1, 3))
    return {"patch mean": patch[at[:, None], at], "image mean": small.mean((0, 1))}


def pixels_of(grid: int, size: int) -> np.ndarray:
    """[grid] the columns (and rows) of a picture of `size` pixels a side that a grid asks for."""
    return np.arange(grid) * size // grid + size // grid // 2


def _windows(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """A few at a time, so that what is answered is kept."""
    samples = iter(samples)
    while some := list(islice(samples, TOGETHER)):
        yield some


def _densely(predictor: Predictor, questions: Iterable[Sample]) -> Iterator[Answer]:
    return iter(getattr(predictor, "dense", predictor.answer)(questions))


def _short(predictor: Predictor) -> Predictor:
    """The predictor with answers no longer than a word."""
    return predictor.shortened(WORD) if hasattr(predictor, "shortened") else predictor


def _yes(answer: Answer) -> bool | None:
    word = tidy(answer.text).split(" ")[0].strip(",.!")
    return {"yes": True, "no": False}.get(word)
