"""Outlines along pixel edges: filled again they are the mask, and pycocotools reads them the same way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loupe import world
from loupe.contour import polygons, rings
from loupe.regions import Mask


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_rings_filled_are_the_mask(mask):
    outer, holes = rings(mask)
    height, width = mask.shape
    shoelace = [sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1])) / 2
                for ring in outer + holes]
    assert sum(shoelace) == mask.sum()  # holes run the other way round
    if not holes:
        found = polygons(mask)
        assert (Mask.from_polygons(found, width, height).array() == mask).all() if found else not mask.any()
    else:
        assert polygons(mask) is None
    for ring in outer + holes:
        turns = zip(ring, ring[1:] + ring[:1], ring[2:] + ring[:2])
        assert all((a[0] == b[0]) != (b[0] == c[0]) for a, b, c in turns)  # corners only, sides along the grid


def test_worked_by_hand():
    (corner,), none = rings(np.array([[1, 1], [1, 0]]))
    at = corner.index((0, 0))
    assert corner[at:] + corner[:at] == [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)] and not none
    outer, holes = rings(np.array([[1, 0], [0, 1]]))
    assert len(outer) == 2 and not holes  # touching at a corner: two rings
    outer, holes = rings(np.pad(np.ones((3, 3), int), 1) - np.pad(np.ones((1, 1), int), 2))
    assert len(outer) == len(holes) == 1
    assert set(holes[0]) == {(2, 2), (3, 2), (3, 3), (2, 3)}
    assert rings(np.zeros((3, 4), bool)) == ([], [])


def test_pycocotools_fills_them_alike():
    coco = pytest.importorskip("pycocotools.mask")
    for record in world.records(15, seed=3):
        for o in record.objects:
            found = polygons(o.shape)
            if found:
                flat = [[v for point in ring.points for v in point] for ring in found]
                theirs = coco.decode(coco.merge(coco.frPyObjects(flat, record.height, record.width))).astype(bool)
                mine = o.shape.array()
                assert (theirs & mine).sum() / (theirs | mine).sum() > 0.85  # they widen outlines by half a pixel
