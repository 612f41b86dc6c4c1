"""Questions answered by yes or no (POPE): accuracy, precision, recall and F1 of "yes", and how often it is said."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def score(predictions: Sequence[Prediction]) -> Scores:
    """An answer that is neither is wrong, and counts as neither in precision and in the yes-ratio."""
    pairs = [(said(p), tidy(p.texts[0]) if p.texts else "") for p in predictions]
    rows = [(mine == true == "yes", mine == "yes", true == "yes") for mine, true in pairs]
    yes = [mine == "yes" for mine, _ in pairs]
    hits, claimed, real = (sum(column) for column in zip(*rows)) if rows else (0, 0, 0)
    figures = (share("accuracy", (mine == true for mine, true in pairs)),
               Figure("precision", hits / claimed if claimed else 0.0, count=claimed),
               Figure("recall", hits / real if real else 0.0, count=real),
               resampled("F1", rows, lambda h, c, r: 2 * h / (c + r) if c + r else 0.0),
               share("yes-ratio", yes), share("yes-ratio of the truth", (true == "yes" for _, true in pairs)))
    unread = ("picture" if any(q.kind == "picture" for q in p.answer.problems) else "neither yes nor no"
              for p, (mine, _) in zip(predictions, pairs) if not mine)
    return Scores("yes-no", len(predictions), figures, counted(unread))
