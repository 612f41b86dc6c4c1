"""Masks and pictures put together from many questions about locations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loupe.evals.metrics import reconstruction
from loupe.evals.metrics.figures import Figure, Scores, counted, resampled
from loupe.evals.predictions import Prediction
from loupe.regions import Box, Colour, Mask, pixels


def masks(predictions: Sequence[Prediction]) -> Scores:
    """cIoU: pixels of all intersections over pixels of all unions; gIoU: the mean IoU of the referents.

    Beside the mask that was said: the box that was said, filled, and the true box, filled.
    """
    rows = []  # [intersection, union] of mask, said box, true box
    for p in predictions:
        truth = next((t for t in p.regions if isinstance(t, Mask)), None)
        shapes = [next((f.region for f in p.answer.found if isinstance(f.region, kind)), None) for kind in (Mask, Box)]
        rows.append([n for shape in (*shapes, truth.box) for n in _overlap(shape, truth)])
    table = np.array(rows, float).reshape(-1, 6)
    ious = table[:, ::2] / np.maximum(table[:, 1::2], 1)
    c = _cumulative

    def general(name: str, which: int) -> Figure:
        return resampled(name, [(iou, 1.0) for iou in ious[:, which]], lambda total, n: total / n if n else 0.0)

    figures = (
        resampled("cIoU", rows, lambda *s: c(s, 0)), general("gIoU", 0),
        resampled("cIoU of the said box, filled", rows, lambda *s: c(s, 1)),
        general("gIoU of the said box, filled", 1),
        resampled("cIoU of the true box, filled", rows, lambda *s: c(s, 2)),
        general("gIoU of the true box, filled", 2),
        resampled("cIoU above the said box", rows, lambda *s: c(s, 0) - c(s, 1)),
        resampled("cIoU above the true box", rows, lambda *s: c(s, 0) - c(s, 2)),
    )
    return Scores("masks", len(predictions), figures, _unread(predictions))


def colours(predictions: Sequence[Prediction]) -> Scores:
    """way: how far from the patch mean's error to the noise floor, 0 to 1. Errors are means of |difference| over
    locations and channels, as shares of 255; a location whose answer is no colour counts with the picture's mean.
    Then the reconstruction error in its three readings, each with the ladder of baselines.
    """
    keys = ("patch mean", "noise floor", "image mean")
    pictures = [errors(p) for p in predictions]
    rows = [(each[0], *(float(p.extra[key]) for key in keys)) for each, p in zip(pictures, predictions)]

    def way(mine: float, patch: float, floor: float, _image: float = 0.0) -> float:
        return (patch - mine) / (patch - floor) if patch > floor else 0.0

    count = len(rows)
    means = np.array(rows, float).reshape(-1, 4).mean(0) if rows else np.zeros(4)
    figures = (resampled("way from patch mean to noise floor", rows, way),
               *(Figure(f"mean error{of}", float(v), count=count)
                 for of, v in zip(("", " of the patch mean", " of the noise floor", " of the image mean"), means)))
    figures += reconstruction.figures(pictures, [p.extra.get("ladder", {}) for p in predictions])
    return Scores("colours", count, figures, _unread(predictions))


def errors(p: Prediction) -> tuple[float, float, float]:
    """Of one picture, in the readings of `reconstruction`."""
    truth = np.array([(c.r, c.g, c.b) for c in p.truth], float)
    said = [part if isinstance(part, Colour) else None for part in p.answer.parts]
    said += [None] * (len(truth) - len(said))
    middle = truth.mean(0)
    values = np.array([middle if c is None else (c.r, c.g, c.b) for c in said[:len(truth)]], float)
    return reconstruction.errors(values, truth)


def _overlap(shape: Mask | Box | None, truth: Mask) -> tuple[int, int]:
    inside = truth.array()
    mine = np.zeros_like(inside) if shape is None else pixels(shape, truth.width, truth.height)
    return int(np.count_nonzero(mine & inside)), int(np.count_nonzero(mine | inside))


def _cumulative(sums: Sequence[float], which: int) -> float:
    hits, union = sums[2 * which], sums[2 * which + 1]
    return hits / union if union else 0.0


def _unread(predictions: Sequence[Prediction]) -> tuple[tuple[str, int], ...]:
    """Locations without a readable answer, by reason."""
    return counted(problem.kind for p in predictions for problem in p.answer.problems)
