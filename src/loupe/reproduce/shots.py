"""A column whose questions come behind solved examples: the mean of its figure over draws of the examples (Lyrics,
Table 6: five seeds)."""

from __future__ import annotations

from dataclasses import replace

from loupe.evals.shots import SEEDS
from loupe.reproduce.experiment import Column
from loupe.reproduce.measuring import Asking, Measured, figure


def shots(asking: Asking, column: Column, name: str) -> Measured:
    """`column.benchmark.shots` is their number; the same questions for every seed."""
    seeds = SEEDS if column.benchmark.shots else 1  # nothing is drawn for none
    found = [figure(asking, replace(column, benchmark=replace(column.benchmark, shots_seed=seed)), f"{name}~{seed}")
             for seed in range(seeds)]
    return Measured(sum(m.value for m in found) / seeds, found[0].count, sum(m.unreadable for m in found),
                    found[0].questions)
