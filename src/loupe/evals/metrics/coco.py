"""Average precision of boxes with names, as COCO counts it (equal to pycocotools to 1e-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loupe.evals.metrics.detection import RECALLS
from loupe.regions import Box

THRESHOLDS = np.round(np.arange(0.5, 1.0, 0.05), 2)  # of IoU
AREAS = {"all": (0.0, 1e10), "S": (0.0, 32.0**2), "M": (32.0**2, 96.0**2), "L": (96.0**2, 1e10)}
MOST = 100  # found things of one name in a picture that count, the best ones
TINY = 1e-10


@dataclass(frozen=True)
class Thing:
    """An annotated thing. area: square pixels of its outline; a crowd neither counts nor harms."""

    name: str
    box: Box
    area: float
    crowd: bool = False


@dataclass(frozen=True)
class Said:
    """A box that was given a name. own: position of the annotated thing it was made from, where boxes are given."""

    name: str
    box: Box
    score: float
    own: int | None = None


@dataclass(frozen=True)
class Precision:
    """Mean over the names that occur; nan where there is nothing to find. `by_name` holds AP over all thresholds."""

    ap: float
    ap50: float
    ap75: float
    small: float
    medium: float
    large: float
    by_name: dict[str, float]


def precision(pictures: Sequence[tuple[Sequence[Said], Sequence[Thing]]]) -> Precision:
    """Of (said, true) of every picture. Where all of a picture's boxes are given (`own`), a box is compared with its
    own thing and no other: then every threshold gives the same."""
    table = {area: _table(pictures, limits) for area, limits in AREAS.items()}  # [names, thresholds]
    whole, names = table["all"], _names(pictures)
    return Precision(_mean(whole), _mean(whole[:, THRESHOLDS == 0.5]), _mean(whole[:, THRESHOLDS == 0.75]),
                     *(_mean(table[area]) for area in "SML"),
                     {name: _mean(row) for name, row in zip(names, whole) if not np.isnan(row).all()})


def _names(pictures) -> list[str]:
    return sorted({thing.name for _, true in pictures for thing in true})


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _table(pictures, limits: tuple[float, float]) -> np.ndarray:
    """[names, thresholds] average precision; nan where no thing of the name counts."""
    rows: dict[str, list] = {name: [] for name in _names(pictures)}
    for said, true in pictures:
        for name in {thing.name for thing in (*said, *true)} & rows.keys():
            mine = [s for s in said if s.name == name]
            rows[name].append(_matched(mine, [t for t in true if t.name == name], limits, true))
    return np.array([_curve(found) for found in rows.values()]).reshape(len(rows), len(THRESHOLDS))


def _matched(said: list[Said], true: list[Thing], limits: tuple[float, float], every: Sequence[Thing]):
    """(scores [D], hits [T, D], ignored [T, D], number of things that count) of one name in one picture."""
    said = [said[k] for k in np.argsort([-s.score for s in said], kind="stable")[:MOST]]
    beside = np.array([t.crowd or not limits[0] <= t.area <= limits[1] for t in true], bool)
    order = np.argsort(beside, kind="stable")  # those that count first
    true, beside = [true[k] for k in order], beside[order]
    crowd = np.array([t.crowd for t in true], bool)
    hits = np.zeros((len(THRESHOLDS), len(said)), bool)
    ignored = np.zeros_like(hits)
    ious = _overlaps(said, true, crowd, every) if said and true else None  # [D, G]
    for t, least in enumerate(THRESHOLDS):
        taken = np.zeros(len(true), bool)
        for d in range(len(said) if true else 0):
            best, found = min(least, 1 - TINY), -1
            for g in range(len(true)):
                if taken[g] and not crowd[g]:
                    continue
                if found >= 0 and not beside[found] and beside[g]:  # the rest does not count
                    break
                if ious[d, g] >= best:
                    best, found = ious[d, g], g
            if found >= 0:
                taken[found], hits[t, d], ignored[t, d] = True, True, beside[found]
    areas = np.array([s.box.area for s in said], float)
    outside = (areas < limits[0]) | (areas > limits[1])
    ignored |= ~hits & outside
    return np.array([s.score for s in said], float), hits, ignored, int((~beside).sum())


def _overlaps(said: list[Said], true: list[Thing], crowd: np.ndarray, every: Sequence[Thing]) -> np.ndarray:
    """[D, G] IoU; with a crowd the share of the found box that lies in it; of given boxes 1 with their own thing."""
    if said and all(s.own is not None for s in said):
        return np.array([[float(every[s.own] is t) for t in true] for s in said]).reshape(len(said), len(true))
    a, b = (np.array([v.box.xyxy for v in side], float).reshape(-1, 4) for side in (said, true))
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.clip(sides, 0, None).prod(-1)
    area_a, area_b = ((v[:, 2:] - v[:, :2]).prod(-1) for v in (a, b))
    union = np.where(crowd[None], area_a[:, None], area_a[:, None] + area_b[None] - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _curve(found: list) -> np.ndarray:
    """[thresholds] mean precision at 101 recalls."""
    real = sum(number for *_, number in found)
    if not real:
        return np.full(len(THRESHOLDS), np.nan)
    order = np.argsort(-np.concatenate([scores for scores, *_ in found]), kind="stable")
    hits, ignored = (np.concatenate([row[k] for row in found], axis=1)[:, order] for k in (1, 2))
    out = []
    for hit, beside in zip(hits, ignored):
        right, wrong = np.cumsum(hit & ~beside), np.cumsum(~hit & ~beside)
        recall, exact = right / real, right / np.maximum(right + wrong, np.spacing(1))
        exact = np.maximum.accumulate(exact[::-1])[::-1]  # at this recall or beyond
        at = np.searchsorted(recall, RECALLS, side="left")
        out.append(np.append(exact, 0.0)[np.minimum(at, len(exact))].mean())
    return np.array(out)
