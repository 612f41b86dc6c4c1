"""Predictions -> figures, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature

from loupe.evals.metrics.figures import Figure, Scores
from loupe.named import named

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
    "cider": "loupe.evals.metrics.cider:score",
    "vqa": "loupe.evals.metrics.vqa:score",
    "choice": "loupe.evals.metrics.circular:single",
    "true-false": "loupe.evals.metrics.yes_no:true_false",
    "anls": "loupe.evals.metrics.printed:anls",
    "relaxed": "loupe.evals.metrics.printed:relaxed",
    "classes": "loupe.evals.metrics.classes:score",
    "contains": "loupe.evals.metrics.contains:score",
    "yes-no": "loupe.evals.metrics.yes_no:score",
    "circular": "loupe.evals.metrics.circular:score",
    "judged": "loupe.evals.metrics.judged:score",
    "masks": "loupe.evals.metrics.dense:masks",
    "colours": "loupe.evals.metrics.dense:colours",
}

__all__ = ["METRICS", "Figure", "Scores", "by_kind", "measure"]


def measure(metric: str, predictions: Sequence, options: Mapping | None = None) -> Scores:
    """The named metric over predictions. options: of the metric, those it does not know left out."""
    score = named("metric", metric, METRICS)
    known = signature(score).parameters
    return score(predictions, **{name: value for name, value in (options or {}).items() if name in known})


def by_kind(metric: str, predictions: Sequence, key: str, options: Mapping | None = None) -> dict[str, Scores]:
    """The metric over the predictions of each kind: `key` of their extra, or "truth" for the true text."""
    kinds: dict[str, list] = {}
    for p in predictions:
        kinds.setdefault(str(p.truth if key == "truth" else p.extra.get(key, "")), []).append(p)
    return {kind: measure(metric, kinds[kind], options) for kind in sorted(kinds)}
