"""Predictions -> figures, by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from loupe.errors import unknown_name
from loupe.evals.metrics.figures import Figure, Scores

METRICS = {
    "referring": "loupe.evals.metrics.referring:score",
    "words": "loupe.evals.metrics.exact:words",
    "numbers": "loupe.evals.metrics.exact:numbers",
    "boxes": "loupe.evals.metrics.exact:boxes",
}

__all__ = ["METRICS", "Figure", "Scores", "measure"]


def measure(metric: str, predictions: Sequence) -> Scores:
    """The named metric over predictions."""
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    module, name = METRICS[metric].split(":")
    return getattr(import_module(module), name)(predictions)
