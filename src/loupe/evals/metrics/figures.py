"""What a metric gives back: named figures over N questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loupe.evals.metrics.interval import wilson

DRAWS = 400  # of questions, for an interval


@dataclass(frozen=True)
class Figure:
    """A share in 0..1 of `count` questions, or the mean of a quantity (then mostly without an interval)."""

    name: str
    value: float
    low: float | None = None  # 95 % interval
    high: float | None = None
    count: int = 0


@dataclass(frozen=True)
class Scores:
    """figures[0] is the one to quote. `unreadable`: answers counted wrong because nothing could be read, by reason.

    `remarks`: other things counted (several boxes in one answer, ...), by what.
    """

    metric: str
    count: int
    figures: tuple[Figure, ...]
    unreadable: tuple[tuple[str, int], ...] = ()
    remarks: tuple[tuple[str, int], ...] = ()

    @property
    def main(self) -> Figure:
        return self.figures[0]

    @property
    def unread(self) -> int:
        return sum(number for _, number in self.unreadable)

    def __getitem__(self, name: str) -> float:
        for figure in self.figures:
            if figure.name == name:
                return figure.value
        raise KeyError(f"no figure {name!r}; there are: {', '.join(f.name for f in self.figures)}")


def share(name: str, hits: Iterable[bool]) -> Figure:
    hits = [bool(h) for h in hits]
    right, count = sum(hits), len(hits)
    return Figure(name, right / count if count else 0.0, *wilson(right, count), count)


def mean(name: str, values: Iterable[float]) -> Figure:
    values = list(values)
    return Figure(name, sum(values) / len(values) if values else 0.0, count=len(values))


def averaged(name: str, values: Iterable[float]) -> Figure:
    """The mean of values in 0..1, each a question's, with its normal 95 % interval."""
    values = np.asarray(list(values), float)
    if not len(values):
        return Figure(name, 0.0, 0.0, 1.0, 0)
    value, wide = float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5
    return Figure(name, value, max(0.0, value - wide), min(1.0, value + wide), len(values))


def resampled(name: str, rows: Sequence[Sequence[float]], figure: Callable[..., float]) -> Figure:
    """figure(*sums of the columns of rows), a row per question; its interval is that of questions drawn again with
    replacement (2.5 % and 97.5 % of DRAWS draws, always the same ones)."""
    rows = np.asarray(rows, float)
    if not len(rows):
        return Figure(name, 0.0, 0.0, 1.0, 0)
    drawn = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), DRAWS)  # [DRAWS, N]
    low, high = np.quantile([figure(*sums) for sums in drawn @ rows], (0.025, 0.975))
    value = figure(*rows.sum(0))
    return Figure(name, float(value), float(min(low, value)), float(max(high, value)), len(rows))


def counted(reasons: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Reasons with their numbers, the most frequent first."""
    numbers: dict[str, int] = {}
    for reason in reasons:
        numbers[reason] = numbers.get(reason, 0) + 1
    return tuple(sorted(numbers.items(), key=lambda item: (-item[1], item[0])))
