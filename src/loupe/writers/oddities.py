"""The flaws of real annotation files, put in on purpose at a stated rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Record
from loupe.writers.numbers import number


@dataclass(frozen=True)
class Oddities:
    """Each chance of a flaw is taken with probability `rate`; what is drawn depends on seed and record alone."""

    rate: float = 0.0
    seed: int = 0

    def draw(self, record: Record, purpose: int) -> Flaws:
        return Flaws(self.rate, np.random.default_rng([self.seed, number(record.id), purpose]) if self.rate else None)


NONE = Oddities()


@dataclass(frozen=True)
class Flaws:
    """The flaws of one record, drawn one after the other."""

    rate: float
    rng: np.random.Generator | None

    def here(self) -> bool:
        return self.rng is not None and self.rng.random() < self.rate

    def box(self, x: float, y: float, w: float, h: float, width: int, height: int) -> tuple[float, float, float, float]:
        """Reaching one pixel over the border of the picture."""
        if not self.here():
            return x, y, w, h
        side = int(self.rng.integers(4))
        if side == 0:
            return -1, y, x + w + 1, h
        if side == 1:
            return x, -1, w, y + h + 1
        return (x, y, width + 1 - x, h) if side == 2 else (x, y, w, height + 1 - y)

    def predicate(self, text: str) -> str:
        """In capitals, with a capital, or with spaces around."""
        if not self.here():
            return text
        return (text.upper(), text.capitalize(), f" {text} ", text + " ")[int(self.rng.integers(4))]

    def phrase(self, text: str) -> str:
        """With spaces or a full stop at the end, or doubled spaces inside."""
        if not self.here():
            return text
        return (text + " ", text + ".", text.replace(" ", "  ", 1), text.capitalize())[int(self.rng.integers(4))]
