"""Region classification (ChatSpot, Table 1): an answer becomes the class it is most like; that similarity ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loupe.errors import ConfigError
from loupe.evals.encoders import Encoder, Lexical
from loupe.evals.metrics.coco import Said, Thing, precision
from loupe.evals.metrics.figures import Figure, Scores, counted, share
from loupe.evals.predictions import Prediction

RANKS = ("similarity", "answer", "box", "similarity x box", "similarity x answer")


def score(predictions: Sequence[Prediction], encoder: Encoder | None = None, rank: str = "similarity") -> Scores:
    """accuracy (of given boxes), AP, AP50, AP75, and AP of small, medium and large things.

    rank: what orders the boxes: how alike answer and class are, the answer's probability, the box's own score, or
    products of them.
    """
    if rank not in RANKS:
        raise ConfigError("boxes cannot be ranked so", got=repr(rank), expected=", ".join(RANKS))
    encoder = encoder or Lexical()
    classes = next((p.extra["classes"] for p in predictions if p.extra.get("classes")), ())
    names, likeness = named(predictions, classes, encoder)
    given = any(isinstance(p.truth, str) for p in predictions)
    found = precision(pictures(predictions, names, _ranks(predictions, likeness, rank)))
    values = {"AP": found.ap, "AP50": found.ap50, "AP75": found.ap75, "AP small": found.small,
              "AP medium": found.medium, "AP large": found.large}
    count = len(predictions)
    figures = tuple(Figure(name, 0.0 if np.isnan(v) else v, count=0 if np.isnan(v) else count)
                    for name, v in values.items())
    if given:
        figures = (share("accuracy", (n == p.truth for n, p in zip(names, predictions))), *figures)
    empty = ["like no class" if p.answer.text else "picture" if any(q.kind == "picture" for q in p.answer.problems)
             else "empty" for p, name in zip(predictions, names) if not name]
    exact = int((likeness >= 1.0).sum())
    remarks = ((f"answers that are a class's name, of {count}", exact),) if isinstance(encoder, Lexical) else ()
    return Scores("classes", count, figures, counted(empty), remarks)


def named(predictions: Sequence[Prediction], classes: Sequence[str], encoder: Encoder) -> tuple[list[str], np.ndarray]:
    """The class of every answer, and how alike they are; "" of an empty one, and where no class is more like it than
    the others."""
    texts = sorted({p.answer.text for p in predictions if p.answer.text})
    if not texts or not classes:
        return [""] * len(predictions), np.zeros(len(predictions))
    table = np.asarray(encoder.similarity(texts, classes), float)
    told = table.max(1) > table.min(1) if len(classes) > 1 else np.full(len(texts), True)
    best = {text: (classes[int(row.argmax())], float(row.max())) for text, row, some in zip(texts, table, told) if some}
    pairs = [best.get(p.answer.text, ("", 0.0)) for p in predictions]
    return [name for name, _ in pairs], np.array([value for _, value in pairs])


def pictures(predictions: Sequence[Prediction], names: Sequence[str], ranks: Sequence[float]):
    """(said, true) of every picture that was asked about, and of those without a box to ask about."""
    true: dict[str, list[Thing]] = {}
    said: dict[str, list[Said]] = {}
    for p in predictions:
        for picture in p.extra.get("truths", ()):
            true[picture["picture"]] = [Thing(t["name"], t["box"], t["area"], bool(t.get("crowd")))
                                        for t in picture["things"]]
    for p, name, rank in zip(predictions, names, ranks):
        picture = p.extra["picture"]
        if name:
            own = p.extra.get("own")
            said.setdefault(picture, []).append(Said(name, p.extra["box"], float(rank), own))
    return [(said.get(picture, []), things) for picture, things in true.items()]


def _ranks(predictions: Sequence[Prediction], likeness: np.ndarray, rank: str) -> np.ndarray:
    answer = np.array([1.0 if p.answer.score is None else p.answer.score for p in predictions])
    box = np.array([float(p.extra.get("score", 1.0)) for p in predictions])
    return {"similarity": likeness, "answer": answer, "box": box, "similarity x box": likeness * box,
            "similarity x answer": likeness * answer}[rank]
