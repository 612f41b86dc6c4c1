"""Found things against true ones, picture by picture: matching, precision and recall, average precision as COCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loupe.regions import Region, iou

RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Seen:
    """A thing that was found, or with score 1 a true one."""

    region: Region
    name: str
    score: float = 1.0


def pairs(found: Sequence[Seen], true: Sequence[Seen], least: float = 0.5) -> list[tuple[int, int]]:
    """(position in found, position in true): from the best score on, each takes the free true one of its name that it
    overlaps most, if by an IoU of `least` or more."""
    free, out = set(range(len(true))), []
    for k in sorted(range(len(found)), key=lambda k: -found[k].score):
        rivals = [(iou(found[k].region, true[j].region), -j) for j in free if true[j].name == found[k].name]
        best, j = max(rivals, default=(0.0, 0))
        if rivals and best >= least:
            free.remove(-j)
            out.append((k, -j))
    return out


def rates(pictures: Sequence[tuple[Sequence[Seen], Sequence[Seen]]], least: float = 0.5) -> tuple[float, float, float]:
    """(precision, recall, F1) over all (found, true); 0 where there is nothing to divide by."""
    hits = sum(len(pairs(found, true, least)) for found, true in pictures)
    said, real = (sum(len(side[k]) for side in pictures) for k in (0, 1))
    return hits / said if said else 0.0, hits / real if real else 0.0, 2 * hits / (said + real) if said + real else 0.0


def average_precision(pictures: Sequence[tuple[Sequence[Seen], Sequence[Seen]]], least: float = 0.5) -> float:
    """Mean over the names that truly occur of the precision at 101 recalls, as COCO counts it. 0 without any."""
    names = sorted({seen.name for _, true in pictures for seen in true})
    return float(np.mean([_of_name(pictures, name, least) for name in names])) if names else 0.0


def _of_name(pictures, name: str, least: float) -> float:
    scores, hits, real = [], [], 0
    for found, true in pictures:
        mine, theirs = ([seen for seen in side if seen.name == name] for side in (found, true))
        matched = {k for k, _ in pairs(mine, theirs, least)}
        scores += [seen.score for seen in mine]
        hits += [k in matched for k in range(len(mine))]
        real += len(theirs)
    right = np.array(hits, float)[np.argsort(-np.array(scores, float), kind="stable")].cumsum()
    recall, precision = right / real, right / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or beyond
    at = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(precision, 0.0)[np.minimum(at, len(precision))].mean())
