"""Masks as polygons along pixel edges: filled again, they give the same pixels."""

from __future__ import annotations

import numpy as np

from loupe.regions import Mask, Polygon

RIGHT, DOWN, LEFT, UP = range(4)


Ring = list[tuple[int, int]]  # corners (x, y), pixels


def rings(mask: np.ndarray) -> tuple[list[Ring], list[Ring]]:
    """(outer rings, holes) of a boolean array [height, width]; corners only.

    Pixels that touch at a corner alone are kept apart, so a ring meets itself at most in a corner.
    """
    mask = np.asarray(mask, bool)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return [], []
    top, left = int(rows[0]), int(columns[0])
    starts = _edges(mask[top:rows[-1] + 1, left:columns[-1] + 1])
    outer: list[Ring] = []
    holes: list[Ring] = []
    while starts:
        (x, y, way), end = starts.popitem()
        points = [(x, y)]
        while end != points[0]:
            points.append(end)
            turn = (*end, (way + 1) % 4)  # right turns keep diagonal neighbours apart
            turn = turn if turn in starts else (*end, (way - 1) % 4)
            way, end = turn[2], starts.pop(turn)
        (outer if _turns_right(points) else holes).append([(px + left, py + top) for px, py in points])
    return outer[::-1], holes[::-1]


def polygons(mask: Mask | np.ndarray) -> list[Polygon] | None:
    """The outline as polygons, or None when there are holes, which polygons cannot say."""
    outer, holes = rings(mask.array() if isinstance(mask, Mask) else mask)
    return None if holes else [Polygon(tuple((float(x), float(y)) for x, y in ring)) for ring in outer]


def _edges(mask: np.ndarray) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Straight edges with the inside on their right: (x, y, direction) of the start -> (x, y) of the end."""
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), np.int8)
    padded[1:-1, 1:-1] = mask
    across, down = np.diff(padded, axis=0), np.diff(padded, axis=1)
    starts = {}
    for y, x1, x2 in _runs(across[:, 1:-1] == 1):
        starts[x1, y, RIGHT] = (x2, y)
    for y, x1, x2 in _runs(across[:, 1:-1] == -1):
        starts[x2, y, LEFT] = (x1, y)
    for x, y1, y2 in _runs(down[1:-1].T == 1):
        starts[x, y2, UP] = (x, y1)
    for x, y1, y2 in _runs(down[1:-1].T == -1):
        starts[x, y1, DOWN] = (x, y2)
    return starts


def _runs(lines: np.ndarray) -> list[tuple[int, int, int]]:
    """(line, begin, end) of every run of True."""
    padded = np.zeros((lines.shape[0], lines.shape[1] + 2), np.int8)
    padded[:, 1:-1] = lines
    steps = np.diff(padded, axis=1)
    at, begin = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    return list(zip(at.tolist(), begin.tolist(), end.tolist()))


def _turns_right(points: list[tuple[int, int]]) -> bool:
    """Clockwise on the screen."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1])) > 0
