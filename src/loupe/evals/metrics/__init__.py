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
    "sets": "loupe.evals.metrics.lists:sets",
    "answers": "loupe.evals.metrics.lists:answers",
    "descriptions": "loupe.evals.metrics.looks:described",
    "relations": "loupe.evals.metrics.looks:predicates",
    "captions": "loupe.evals.metrics.looks:captions",
    "masks": "loupe.evals.metrics.dense:masks",
    "colours": "loupe.evals.metrics.dense:colours",
}

__all__ = ["METRICS", "Figure", "Scores", "by_kind", "measure"]


def measure(metric: str, predictions: Sequence) -> Scores:
    """The named metric over predictions."""
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    module, name = METRICS[metric].split(":")
    return getattr(import_module(module), name)(predictions)


def by_kind(metric: str, predictions: Sequence, key: str) -> dict[str, Scores]:
    """The metric over the predictions of each kind: `key` of their extra, or "truth" for the true text."""
    kinds: dict[str, list] = {}
    for p in predictions:
        kinds.setdefault(str(p.truth if key == "truth" else p.extra.get(key, "")), []).append(p)
    return {kind: measure(metric, kinds[kind]) for kind in sorted(kinds)}
