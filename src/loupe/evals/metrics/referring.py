"""Referring expression comprehension: is the region meant the region found?

The first well-formed box of an answer counts, whatever stands behind it. An answer without one is unreadable: wrong,
and counted by reason. The truth decides right or wrong and nothing else: it never helps to read an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from loupe.evals.metrics.figures import Scores, counted, mean, share
from loupe.evals.predictions import Prediction
from loupe.evals.things import rivalled
from loupe.regions import Box, contains, iou

SAYS_NOTHING = "no box"


def first_box(prediction: Prediction) -> Box | None:
    return next((f.region for f in prediction.answer.found if isinstance(f.region, Box)), None)


def repaired_box(prediction: Prediction) -> Box | None:
    """The lenient reading: the first box, well formed or repaired by the codec."""
    repairs = (p.repair for p in prediction.answer.problems)
    return first_box(prediction) or next((r for r in repairs if isinstance(r, Box)), None)


def overlap(box: Box | None, prediction: Prediction) -> float:
    """The best IoU with a true region (RefCOCO has one); no box, no overlap."""
    return max((iou(box, truth.box) for truth in prediction.regions), default=0.0) if box else 0.0


def reason(prediction: Prediction) -> str:
    """Why an answer has no box: the first problem, a region of another kind, or simply none."""
    if prediction.answer.problems:
        return prediction.answer.problems[0].kind
    other = next((type(f.region).__name__.lower() for f in prediction.answer.found), None)
    return f"a {other}, no box" if other else SAYS_NOTHING


def score(predictions: Sequence[Prediction]) -> Scores:
    boxes = [first_box(p) for p in predictions]
    overlaps = [overlap(box, p) for box, p in zip(boxes, predictions)]
    centred = [box is not None and any(contains(t.box, box.centre) for t in p.regions)
               for box, p in zip(boxes, predictions)]
    lenient = [overlap(repaired_box(p), p) for p in predictions]
    figures = (
        share("IoU >= 0.5", (v >= 0.5 for v in overlaps)),
        share("IoU > 0.5 (strict)", (v > 0.5 for v in overlaps)),
        share("IoU >= 0.25", (v >= 0.25 for v in overlaps)),
        share("IoU >= 0.75", (v >= 0.75 for v in overlaps)),
        mean("mean IoU", overlaps),
        share("centre in box", centred),
        share("readable", (box is not None for box in boxes)),
        share("IoU >= 0.5, repairs read", (v >= 0.5 for v in lenient)),
    )
    if any("scene" in p.extra for p in predictions):  # the class alone does not tell the thing apart
        figures += (share("IoU >= 0.5, another of its class in the picture",
                          (v >= 0.5 for v, p in zip(overlaps, predictions) if rivalled(p.extra))),)
    several = sum(sum(isinstance(f.region, Box) for f in p.answer.found) > 1 for p in predictions)
    untidy = sum(box is not None and bool(p.answer.problems) for box, p in zip(boxes, predictions))
    remarks = [("several boxes, the first taken", several), ("a box beside something malformed", untidy)]
    return Scores("referring", len(predictions), figures,
                  counted(reason(p) for box, p in zip(boxes, predictions) if box is None),
                  tuple((what, number) for what, number in remarks if number))
