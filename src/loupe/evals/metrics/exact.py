"""Answers that are words or numbers: equal to the truth after tidying, or not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loupe.evals.metrics.figures import Figure, Scores, counted, mean, resampled, share
from loupe.evals.predictions import Prediction
from loupe.regions import Box, iou

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WHOLE = re.compile(r"(?<![\w.])\d+(?![\w]|\.\d)")


def tidy(text: str) -> str:
    """Lower case, single spaces, no full stop at the end."""
    return " ".join(text.lower().split()).rstrip(" .!")


def number(text: str) -> int | None:
    """The first whole number said, in digits or as a word up to twelve; "none" and "no" are 0."""
    for word in re.findall(r"[a-z]+|\d[\w.]*", text.lower()):
        if word in NUMBERS:
            return NUMBERS.index(word)
        if word in ("none", "no"):
            return 0
        if _WHOLE.fullmatch(word.rstrip(".")):
            return int(word.rstrip("."))
    return None


def words(predictions: Sequence[Prediction]) -> Scores:
    """Equal to one of the true texts."""
    right = [tidy(p.answer.text) in {tidy(t) for t in p.texts} for p in predictions]
    empty = ["picture" if _broken(p) else "empty" for p in predictions if not p.answer.text]
    return Scores("words", len(predictions), (share("exact", right),), counted(empty))


def numbers(predictions: Sequence[Prediction]) -> Scores:
    said = [number(p.answer.text) for p in predictions]
    true = [int(p.texts[0]) for p in predictions]
    wrong = [abs(s - t) for s, t in zip(said, true) if s is not None]
    figures = (share("exact", (s == t for s, t in zip(said, true))),
               share("within 1", (s is not None and abs(s - t) <= 1 for s, t in zip(said, true))),
               mean("mean error of those read", wrong))
    unread = ("picture" if _broken(p) else "no number" for s, p in zip(said, predictions) if s is None)
    return Scores("numbers", len(predictions), figures, counted(unread))


def boxes(predictions: Sequence[Prediction]) -> Scores:
    """Lists of boxes: each true box may be matched once, the best IoU first, from 0.5 on; F1 over all questions."""
    rows, exact, unread = [], 0, []
    for p in predictions:
        found = [f.region for f in p.answer.found if isinstance(f.region, Box)]
        matched = matches(found, [t.box for t in p.regions])
        rows.append((matched, len(found), len(p.regions)))
        exact += matched == len(found) == len(p.regions) and not p.answer.problems
        if p.answer.problems and not found:
            unread.append(p.answer.problems[0].kind)
    n = len(predictions)
    hits, said, true = (sum(column) for column in zip(*rows)) if rows else (0, 0, 0)
    figures = (resampled("F1", rows, lambda h, s, t: 2 * h / (s + t) if s + t else 1.0),
               Figure("precision", hits / said if said else 0.0, count=said),
               Figure("recall", hits / true if true else 0.0, count=true),
               share("all and only", [True] * exact + [False] * (n - exact)))
    return Scores("boxes", n, figures, counted(unread))


def matches(found: Sequence[Box], true: Sequence[Box]) -> int:
    """How many can be paired one to one with an IoU of 0.5 or more, the best pairs first."""
    pairs = sorted(((iou(f, t), i, j) for i, f in enumerate(found) for j, t in enumerate(true)), reverse=True)
    left, right, count = set(), set(), 0
    for value, i, j in pairs:
        if value >= 0.5 and i not in left and j not in right:
            left.add(i)
            right.add(j)
            count += 1
    return count


def _broken(prediction: Prediction) -> bool:
    return any(p.kind == "picture" for p in prediction.answer.problems)
