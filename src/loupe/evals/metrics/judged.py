"""Open answers judged by a language model (MM-Vet): mean score, over all questions and by what they ask for.

Without verdicts a plain rule stands in, and says so: every part that must be said ("<AND>"), in one of its forms
("<OR>").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loupe.evals.metrics.contains import holds
from loupe.evals.metrics.exact import tidy
from loupe.evals.metrics.figures import Figure, Scores, counted, resampled
from loupe.evals.metrics.interval import wilson
from loupe.evals.predictions import Prediction

AND, OR = "<AND>", "<OR>"


def score(predictions: Sequence[Prediction], verdicts: Mapping[str, float] | None = None) -> Scores:
    """verdicts: by question id, 0 to 1; a question without one counts 0 and is named."""
    known = verdicts is not None
    rows = [verdicts.get(p.id, 0.0) if known else by_rule(p) for p in predictions]
    name = "score" if known else "score by rule, not judged"
    figures = [_mean(name, rows)]
    abilities = sorted({a for p in predictions for a in p.extra.get("capability", ())})
    figures += [_mean(f"{name}: {a}", [v for v, p in zip(rows, predictions) if a in p.extra.get("capability", ())])
                for a in abilities]
    empty = ["empty" for p in predictions if not p.answer.text]
    missing = sum(p.id not in verdicts for p in predictions) if known else 0
    return Scores("judged", len(predictions), tuple(figures), counted(empty),
                  (("without a verdict, counted 0", missing),) if missing else ())


def by_rule(p: Prediction) -> float:
    """Share of the parts that are said."""
    said, best = tidy(p.answer.text), 0.0
    for truth in p.texts:
        parts = [[tidy(form) for form in part.split(OR)] for part in truth.split(AND)]
        best = max(best, sum(any(holds(said, form) for form in forms) for forms in parts) / len(parts))
    return best


def _mean(name: str, values: Sequence[float]) -> Figure:
    """Of equal grades nothing can be drawn again: then Wilson's interval, that of the widest grades with this mean."""
    made = resampled(name, [(v, 1.0) for v in values], lambda total, count: total / count if count else 0.0)
    if len(set(values)) != 1:
        return made
    low, high = wilson(sum(values), len(values))
    return replace(made, low=low, high=high)
