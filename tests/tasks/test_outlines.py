"""Places on one object alone, places on nothing, outlines of few corners."""

import numpy as np
import pytest

from loupe.record import Object
from loupe.regions import Box, Mask, Point, Polygon, contains, holds, iou
from loupe.tasks.outlines import ACROSS, Outlines, simplified, size
from tests.handmade import CUP_LEFT, MAN, TABLE, kitchen


def outlines(*objects, **changes) -> Outlines:
    return Outlines(kitchen(objects=objects, **changes))


def test_holds_is_contains_for_many_places():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-5, 25, (2, 300))
    for region in (Box(2, 3, 11.5, 9), Polygon(((1, 1), (15, 2), (4, 14))), Point(3, 3),
                   Mask.from_array(rng.random((12, 18)) < 0.5)):
        assert holds(region, x, y).tolist() == [contains(region, Point(a, b)) for a, b in zip(x, y)]


def test_the_smaller_of_two_is_meant_where_it_is_clearly_smaller():
    cup, table = Object("c", CUP_LEFT, ("cup",)), Object("t", Box(0, 0, 100, 100), ("table",))
    both = outlines(cup, table)
    assert {(x, y) for x, y in both.places(cup)} == {(i + 0.5, j + 0.5) for i in range(11, 19) for j in range(11, 19)}
    assert not any(contains(CUP_LEFT, Point(x, y)) for x, y in both.places(table)) and len(both.places(table)) > 500
    near = outlines(cup, Object("d", Box(12, 12, 23, 23), ("dog",)))  # about as large: neither is in front
    assert not any(contains(Box(12, 12, 20, 20), Point(x, y)) for x, y in near.places(cup))
    crowd = outlines(cup, Object("x", Box(0, 0, 100, 15), ("people",), crowd=True))
    assert all(y > 15 for _, y in crowd.places(cup))
    same = outlines(cup, Object("d", CUP_LEFT, ("dog",)))
    assert same.point(cup, np.random.default_rng(0)) is None


def test_outlines_come_before_boxes(pictures):
    for record in pictures[:15]:
        known, pixels = Outlines(record), {o.id: o.shape.array() for o in record.objects}
        for o in record.objects:
            places, mine = known.places(o), pixels[o.id]
            assert len(places) > 0 and size(o) == o.shape.area
            for x, y in places:
                assert [i for i, inside in pixels.items() if inside[int(y), int(x)]] == [o.id]
            if o.shape.area > 60:  # inner places: one pixel of rounding stays on the thing
                assert all(mine[int(y), int(x) + step] and mine[int(y) + step, int(x)]
                           for x, y in places for step in (-1, 1))
        empty = known.free(np.random.default_rng(1))
        assert not any(inside[int(empty.y), int(empty.x)] for inside in pixels.values())


def test_no_place_is_free_in_a_full_picture():
    assert outlines(Object("t", Box(0, 0, 100, 100), ("table",))).free(np.random.default_rng(0)) is None


def test_large_objects_are_looked_at_in_steps():
    whole = Object("t", Box(0, 0, 4000, 3000), ("table",), (), (Polygon(((0, 0), (4000, 0), (0, 3000))),))
    places = outlines(whole, width=4000, height=3000).places(whole)
    assert 1000 < len(places) < ACROSS ** 2 / 2 and all(x / 4000 + y / 3000 < 1 for x, y in places)


@pytest.mark.parametrize("ring, kept", [
    (((0, 0), (5, 0), (10, 0), (10, 10), (0, 10)), {(0, 0), (10, 0), (10, 10), (0, 10)}),
    (((0, 0), (9, 0), (4, 8)), {(0, 0), (9, 0), (4, 8)})])
def test_simplified_by_hand(ring, kept):
    assert set(simplified(ring).points) == kept


def test_polygons_keep_the_outline(pictures):
    values = []
    for record in pictures[:15]:
        known = Outlines(record)
        for o in record.objects:
            polygon = known.polygon(o)
            assert 3 <= len(polygon.points) <= 8
            values.append(iou(polygon, o.shape))
    assert np.mean(values) > 0.7 and np.median(values) > 0.8
    corners = outlines(Object("m", MAN, ("man",))).polygon(Object("m", MAN, ("man",)))
    assert corners.box == MAN and corners.area == MAN.area
    pieces = Object("t", TABLE, ("table",), (), (Polygon(((0, 50), (9, 50), (9, 59))), Polygon(
        ((20, 50), (100, 50), (100, 100), (20, 100)))))
    assert outlines(pieces).polygon(pieces).box == Box(20, 50, 100, 100)
