"""Is the true answer inside what was said? (ChatSpot §4.2: text in regions, questions about regions)"""

from __future__ import annotations

import re
from collections.abc import Sequence

from loupe.evals.metrics.exact import NUMBERS, tidy
from loupe.evals.metrics.figures import Scores, counted, share
from loupe.evals.predictions import Prediction


def score(predictions: Sequence[Prediction]) -> Scores:
    """The paper's rule first: the answer, as letters, stands somewhere in the sentence ("2" in "12", too). Then the
    same for any annotated answer, for whole words with numbers in words or digits, and for nothing but the answer."""
    rows = [judged(p) for p in predictions]
    names = ("contains the answer", "contains an annotated answer", "contains it as words", "is the answer")
    figures = tuple(share(name, (row[k] for row in rows)) for k, name in enumerate(names))
    empty = ["picture" if any(q.kind == "picture" for q in p.answer.problems) else "empty"
             for p in predictions if not p.answer.text]
    return Scores("contains", len(predictions), figures, counted(empty))


def judged(p: Prediction) -> tuple[bool, bool, bool, bool]:
    said, true = tidy(p.answer.text), [tidy(t) for t in p.texts]
    first = true[:1]
    return (any(t and t in said for t in first), any(t and t in said for t in true),
            any(holds(said, t) for t in first), said in first)


def holds(said: str, true: str) -> bool:
    """Whole words in a row, numbers up to twelve in either form."""
    a, b = (f" {' '.join(_words(text))} " for text in (said, true))
    return b.strip() != "" and b in a


def _words(text: str) -> list[str]:
    return [str(NUMBERS.index(w)) if w in NUMBERS else w for w in re.findall(r"\w+", text)]
