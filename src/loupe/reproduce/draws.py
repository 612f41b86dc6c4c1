"""Columns in which chance has a say: the mean of a column's figure over seeds, the same questions for each."""

from __future__ import annotations

from dataclasses import replace

from loupe.evals import jitter as moved
from loupe.evals import shots as solved
from loupe.reproduce.experiment import Column
from loupe.reproduce.measuring import Asking, Measured, figure


def jitter(asking: Asking, column: Column, name: str) -> Measured:
    """Regions are moved by a sloppy hand; `column.benchmark.jitter` is the amount."""
    return _mean(asking, column, name, "jitter_seed", moved.SEEDS)


def shots(asking: Asking, column: Column, name: str) -> Measured:
    """Questions come behind `column.benchmark.shots` solved examples (Lyrics, Table 6: five seeds)."""
    return _mean(asking, column, name, "shots_seed", solved.SEEDS if column.benchmark.shots else 1)


def _mean(asking: Asking, column: Column, name: str, setting: str, seeds: int) -> Measured:
    """setting: of the benchmark, that takes the seed."""
    found = [figure(asking, replace(column, benchmark=replace(column.benchmark, **{setting: seed})), f"{name}~{seed}")
             for seed in range(seeds)]
    return Measured(sum(m.value for m in found) / seeds, found[0].count, sum(m.unreadable for m in found),
                    found[0].questions)
