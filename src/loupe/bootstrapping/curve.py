"""How wrong the best-scored part of a set is: risk against coverage, and the area under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def risks(scores: Sequence[float | None], wrong: Sequence[bool]) -> np.ndarray:
    """[N] float: the share of wrong ones among the k best-scored, k = 1 .. N.

    Ties stand in no order: inside one the wrong ones count evenly, as the mean over all orders. None scores lowest.
    """
    if len(scores) != len(wrong):
        raise ValueError(f"risks: {len(scores)} scores of {len(wrong)} verdicts")
    values = np.array([-np.inf if s is None else s for s in scores], float)
    order = np.argsort(-values, kind="stable")
    values, errors = values[order], np.asarray(wrong, float)[order]
    if not len(values):
        return errors
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff([*first, len(values)])
    even = np.repeat(np.add.reduceat(errors, first) / sizes, sizes)
    return np.cumsum(even) / np.arange(1, len(values) + 1)


def area(risk: np.ndarray) -> float:
    """Mean risk over all coverages 1/N .. 1 (AURC); lower is better."""
    return float(risk.mean()) if len(risk) else float("nan")


def at(risk: np.ndarray, coverage: float) -> float:
    """Risk of the best `coverage` (0..1) of the set, rounded down to whole ones, at least one."""
    return float(risk[max(int(coverage * len(risk) + 1e-9), 1) - 1]) if len(risk) else float("nan")


def left(risk: np.ndarray, coverage: float) -> float:
    """Share of all wrong ones that are still among the best `coverage` of the set."""
    count = max(int(coverage * len(risk) + 1e-9), 1)
    total = risk[-1] * len(risk) if len(risk) else 0.0
    return float(risk[count - 1] * count / total) if total else 0.0


def perfect(wrong: Sequence[bool]) -> float:
    """The least area any order of this set can have."""
    return area(risks([-float(w) for w in wrong], wrong))


def points(risk: np.ndarray, most: int = 60) -> list[tuple[float, float]]:
    """(coverage, share of right ones) at up to `most` even steps, for a chart."""
    count = len(risk)
    steps = sorted({max(1, round(count * k / most)) for k in range(1, most + 1)}) if count else []
    return [(k / count, 1 - float(risk[k - 1])) for k in steps]
