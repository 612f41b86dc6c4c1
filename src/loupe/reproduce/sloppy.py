"""A column whose regions are moved by a sloppy hand: the mean of its figure over draws of the noise."""

from __future__ import annotations

from dataclasses import replace

from loupe.evals.jitter import SEEDS
from loupe.reproduce.experiment import Column
from loupe.reproduce.measuring import Asking, Measured, figure


def jitter(asking: Asking, column: Column, name: str) -> Measured:
    """`column.benchmark.jitter` is the amount."""
    found = [figure(asking, replace(column, benchmark=replace(column.benchmark, jitter_seed=seed)), f"{name}~{seed}")
             for seed in range(SEEDS)]
    return Measured(sum(m.value for m in found) / SEEDS, found[0].count, sum(m.unreadable for m in found),
                    found[0].questions)
