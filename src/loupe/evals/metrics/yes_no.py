"""Questions answered by yes or no (POPE), true or false (VSR): accuracy, precision, recall and F1 of "yes" or "true",
and how often it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from loupe.evals.metrics.exact import tidy
from loupe.evals.metrics.figures import Figure, Scores, counted, resampled, share
from loupe.evals.predictions import Prediction


def said(p: Prediction) -> str:
    """"yes", "no", or "" where neither or both are said; the first word decides where it is one of them."""
    words = re.findall(r"[a-z']+", tidy(p.answer.text))
    if words and words[0] in ("yes", "no"):
        return words[0]
    known = {"yes" if w == "yes" else "no" for w in words if w in ("yes", "no", "not") or w.endswith("n't")}
    return known.pop() if len(known) == 1 else ""


TRUE = {"yes": "true", "true": "true", "correct": "true", "no": "false", "false": "false", "incorrect": "false",
        "wrong": "false", "untrue": "false"}
_denied = re.compile(r"(?:\bnot|n't) (?:true|correct)\b")


def stated(p: Prediction) -> str:
    """"true", "false", or "" where neither or both are said; the first word decides where it is one of TRUE."""
    words = re.findall(r"[a-z']+", _denied.sub(" false", tidy(p.answer.text)))
    known = {TRUE[w] for w in words[:1] if w in TRUE} or {TRUE[w] for w in words if w in TRUE}
    return known.pop() if len(known) == 1 else ""


def true_false(predictions: Sequence[Prediction]) -> Scores:
    """Whether statements hold; "yes" and "no" are read as well."""
    return _scored("true-false", predictions, stated, "true", "neither true nor false")


def score(predictions: Sequence[Prediction]) -> Scores:
    """An answer that is neither is wrong, and counts as neither in precision and in the yes-ratio."""
    return _scored("yes-no", predictions, said, "yes", "neither yes nor no")


def _scored(metric: str, predictions: Sequence[Prediction], read: Callable[[Prediction], str], positive: str,
            neither: str) -> Scores:
    pairs = [(read(p), tidy(p.texts[0]) if p.texts else "") for p in predictions]
    rows = [(mine == true == positive, mine == positive, true == positive) for mine, true in pairs]
    hits, claimed, real = (sum(column) for column in zip(*rows)) if rows else (0, 0, 0)
    figures = (share("accuracy", (mine == true for mine, true in pairs)),
               Figure("precision", hits / claimed if claimed else 0.0, count=claimed),
               Figure("recall", hits / real if real else 0.0, count=real),
               resampled("F1", rows, lambda h, c, r: 2 * h / (c + r) if c + r else 0.0),
               share(f"{positive}-ratio", (mine == positive for mine, _ in pairs)),
               share(f"{positive}-ratio of the truth", (true == positive for _, true in pairs)))
    unread = ("picture" if any(q.kind == "picture" for q in p.answer.problems) else neither
              for p, (mine, _) in zip(predictions, pairs) if not mine)
    return Scores(metric, len(predictions), figures, counted(unread))
