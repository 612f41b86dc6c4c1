"""A place to its colour in the picture squeezed to size x size (PAE-LaMM §3.1, pixel reconstruction)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError, unknown_name
from loupe.image import FILTERS, downsampled
from loupe.record import Record
from loupe.regions import Colour, Point
from loupe.tasks.base import Case, Task
from loupe.tasks.drawn import fixed


@dataclass(frozen=True, kw_only=True)
class Reconstruction(Task):
    """The places are the centres of size x size cells of the picture."""

    name = "reconstruction"
    placeholders = {"": ("region",)}
    size: int = 64
    filter: str = "bicubic"
    each: int | None = 16  # places of a picture in evaluation; None: all of them, row by row

    def __post_init__(self):
        if self.filter not in FILTERS:
            raise unknown_name("filter", self.filter, FILTERS)
        if self.size < 1 or (self.each is not None and self.each < 1):
            raise ConfigError("no place is left to ask for", got=f"size {self.size}, each {self.each}",
                              expected="1 or more")

    def choose(self, record: Record, rng: np.random.Generator):
        if record.image is None:
            return None
        return self.case(record, *(int(v) for v in rng.integers(self.size, size=2)))

    def cases(self, record: Record):
        if record.image is None:
            return ()
        cells = self.size * self.size
        chosen = range(cells)
        if self.each is not None and self.each < cells:
            chosen = np.sort(fixed(record, self.name).choice(cells, self.each, replace=False)).tolist()
        return (self.case(record, cell % self.size, cell // self.size) for cell in chosen)

    def case(self, record: Record, column: int, row: int) -> Case:
        r, g, b = downsampled(record.image, self.size, self.filter)[row, column].tolist()
        point = Point((column + 0.5) * record.width / self.size, (row + 0.5) * record.height / self.size)
        return Case(f"{column}:{row}", {"region": point}, (Colour(r, g, b),), Colour(r, g, b))
