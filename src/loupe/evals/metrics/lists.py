"""Lists of names and boxes, and questions whose answers are of several kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from loupe.evals.metrics.exact import matches, tidy
from loupe.evals.metrics.figures import Scores, counted, resampled, share
from loupe.evals.predictions import Prediction
from loupe.regions import Box, contains, iou
from loupe.sample import Answer

Item = tuple[Box | None, str]  # a box, a name, or both
NOTHING = "none"


def sets(predictions: Sequence[Prediction]) -> Scores:
    """exact set: all and only the true names or boxes (IoU >= 0.5), in any order; F1 over their number. Of an
    answer that goes step by step (`kind` "steps": places with names) the names are judged."""
    predictions = [replace(p, answer=_names(p.answer)) if p.extra.get("kind") == "steps" else p for p in predictions]
    rows, exact, unread = [], [], []
    for p in predictions:
        said, true = answered(p), items(p.truth if isinstance(p.truth, tuple) else (p.truth,))
        hits = agreeing(said, true)
        exact.append(hits == len(said) == len(true) and not p.answer.problems and bool(said or says_none(p)))
        rows.append((hits, len(said), len(true)))
        if not said and not says_none(p):
            unread.append(p.answer.problems[0].kind if p.answer.problems else "neither a list nor none")
    figures = (share("exact set", exact),
               resampled("F1", rows, lambda hits, said, true: 2 * hits / (said + true) if said + true else 1.0))
    return Scores("sets", len(predictions), figures, counted(unread))


def _names(answer: Answer) -> Answer:
    """The names of an answer that goes step by step, between commas: what is not a region, without the colon."""
    words = (part.strip(" :,;") for part in answer.parts if isinstance(part, str))
    return replace(answer, parts=(", ".join(word for word in words if word),))


def answers(predictions: Sequence[Prediction]) -> Scores:
    """right: words equal to a true text; a box with IoU >= 0.5, a point inside; a list with all and only the true ones.
    """
    words = [not p.regions and not (isinstance(p.truth, tuple) and not p.truth) for p in predictions]
    good = [right(p) for p in predictions]
    figures = [share("right", good)]
    for name, kind in (("right, words", True), ("right, regions", False)):
        figures.append(share(name, (g for g, w in zip(good, words) if w is kind)))
    empty = ["picture" if any(q.kind == "picture" for q in p.answer.problems) else "empty"
             for p in predictions if not p.answer.text and not p.answer.found]
    return Scores("answers", len(predictions), tuple(figures), counted(empty))


def right(p: Prediction) -> bool:
    if p.texts and not p.regions:
        return tidy(p.answer.text) in {tidy(t) for t in p.texts}
    if isinstance(p.truth, tuple):
        said, true = answered(p), items(p.truth)
        return agreeing(said, true) == len(said) == len(true) and bool(said or says_none(p))
    first = next((f.region for f in p.answer.found), None)
    if not p.regions or first is None:
        return False
    truth = p.regions[0]
    return (isinstance(first, Box) and iou(first, truth.box) >= 0.5) or contains(truth, first.box.centre) and \
        not isinstance(first, Box)


def says_none(p: Prediction) -> bool:
    return tidy(p.answer.text) in (NOTHING, "nothing") and not p.answer.problems


def items(truth: tuple) -> list[Item]:
    """Names, boxes, or boxes each followed by its name; empty and "none" are no items."""
    out: list[Item] = []
    for value in truth:
        if not isinstance(value, str):
            out.append((value.box, ""))
        elif out and out[-1][0] is not None and not out[-1][1]:
            out[-1] = (out[-1][0], tidy(value))
        elif tidy(value) != NOTHING:
            out.append((None, tidy(value)))
    return out


def answered(p: Prediction) -> list[Item]:
    """What an answer lists: names between commas, boxes, or boxes with the words behind each."""
    if not p.answer.found:
        return items(tuple(word for word in p.answer.text.split(",") if word.strip()))
    out: list[Item] = []
    for part in p.answer.parts:
        if isinstance(part, str):
            if out and tidy(part.strip(" ,;")):
                out[-1] = (out[-1][0], tidy(part.strip(" ,;")))
        elif isinstance(getattr(part, "region", None), Box):
            out.append((part.region, ""))
    return out


def agreeing(said: Sequence[Item], true: Sequence[Item]) -> int:
    """How many can be paired one to one: equal names, and boxes with IoU >= 0.5 where the truth has boxes."""
    count = 0
    for name, wanted in Counter(name for _, name in true).items():
        mine = [box for box, other in said if other == name]
        boxes = [box for box, other in true if other == name and box is not None]
        count += matches([b for b in mine if b is not None], boxes) if boxes else min(wanted, len(mine))
    return count
