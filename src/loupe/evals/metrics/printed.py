"""Answers read off documents and charts: ANLS (DocVQA), relaxed accuracy (ChartQA)."""

from __future__ import annotations

from collections.abc import Sequence

from loupe.evals.metrics.exact import tidy
from loupe.evals.metrics.figures import Scores, counted, resampled, share
from loupe.evals.predictions import Prediction

LEAST = 0.5  # likeness below which an answer is wrong (Biten et al., 2019, Eq. 1)
SLACK = 0.05  # of the true number (Methani et al., 2020, §5)


def anls(predictions: Sequence[Prediction]) -> Scores:
    """Mean likeness to the nearest true text, 0 below LEAST; letters' case and outer spaces do not count."""
    values = [max((likeness(p.answer.text, t) for t in p.texts), default=0.0) for p in predictions]
    figures = (resampled("ANLS", [[v, 1.0] for v in values], lambda s, n: s / n if n else 0.0),
               share("exact", (v == 1.0 for v in values)))
    return Scores("anls", len(predictions), figures, _empty(predictions))


def relaxed(predictions: Sequence[Prediction]) -> Scores:
    """Numbers within five per cent of the true one, other answers equal but for case, spaces and a full stop."""
    right = [any(within(p.answer.text, t) for t in p.texts) for p in predictions]
    exact = [tidy(p.answer.text) in {tidy(t) for t in p.texts} for p in predictions]
    return Scores("relaxed", len(predictions), (share("relaxed", right), share("exact", exact)), _empty(predictions))


def likeness(said: str, true: str) -> float:
    """1 - edits / length of the longer text."""
    a, b = said.strip().lower(), true.strip().lower()
    longer = max(len(a), len(b))
    close = 1.0 - edits(a, b) / longer if longer else 1.0
    return close if close > LEAST else 0.0


def edits(a: str, b: str) -> int:
    """Letters put in, left out or changed that make one text the other (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def within(said: str, true: str) -> bool:
    a, b = number(said), number(true)
    if a is None or not b:  # as the measure's authors have it: a true 0 is met by its own text alone
        return tidy(said) == tidy(true)
    return abs(a - b) <= SLACK * abs(b)


def number(text: str) -> float | None:
    """12, 1,200, -3.5; per cent as a fraction. None for anything else."""
    plain = text.strip().rstrip(".").replace(",", "")
    percent = plain.endswith("%")
    try:
        value = float(plain.rstrip("%"))
    except ValueError:
        return None
    return value / 100 if percent else value


def _empty(predictions: Sequence[Prediction]):
    return counted("picture" if any(q.kind == "picture" for q in p.answer.problems) else "empty"
                   for p in predictions if not p.answer.text)
