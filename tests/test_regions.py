"""Regions against hand-worked values and pycocotools; properties."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loupe import regions
from loupe.errors import RegionError
from loupe.regions import Box, Colour, Mask, Point, Polygon, clip, contains, iou, noise, pixels

mask_utils = pytest.importorskip("pycocotools.mask")
quick = settings(max_examples=80, deadline=None)

edge = st.floats(-50, 250, allow_nan=False).map(lambda v: round(v, 3))
side = st.floats(0.5, 120).map(lambda v: round(v, 3))
boxes = st.builds(Box.from_xywh, edge, edge, side, side)
whole = st.integers(0, 60)
bitmaps = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1)).map(
    lambda t: np.random.default_rng(t[2]).random((t[0], t[1])) < t[3])


def test_boxes_by_hand():
    box = Box.from_xywh(2, 3, 10, 8)
    assert box.xyxy == (2, 3, 12, 11) and box.area == 80 and box.centre == Point(7, 7)
    assert iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 10, 10), Box(10, 0, 20, 10)) == 0.0  # edges touch, no +1 pixel
    assert iou(Box(0, 0, 10, 10), Box(0, 0, 5, 10)) == 0.5
    assert iou(Box(1, 1, 1, 5), Box(1, 1, 1, 5)) == 0.0  # no area
    assert iou(Box(0, 0, 9, 9), Box(0, 0, 9, 9, image=1)) == 0.0


@pytest.mark.parametrize("make", [
    lambda: Box(5, 0, 4, 1), lambda: Box(0, 5, 1, 4), lambda: Box(0, 0, float("nan"), 1),
    lambda: Point(float("inf"), 0),
    lambda: Box(0, 0, "3", 1), lambda: Polygon(((0, 0), (1, 1))), lambda: Polygon.from_flat([1, 2, 3]),
    lambda: Mask(3, 3, (4, 4)), lambda: Mask(3, 3, (10, -1)), lambda: Colour(0, 256, 0), lambda: Colour(-1, 0, 0),
    lambda: Mask.from_rle({"size": [2, 2], "counts": "0"}), lambda: Mask.from_rle({"size": [2, 2], "counts": "\x10"}),
    lambda: Mask.from_rle({"size": [2, 2], "counts": "P"}), lambda: pixels(Mask(2, 2, (4,)), 3, 3)])
def test_impossible_regions_are_refused(make):
    with pytest.raises(RegionError):
        make()


def test_shoelace_by_hand():
    assert Polygon(((0, 0), (4, 0), (4, 3))).area == 6
    assert Polygon(((0, 0), (0, 2), (2, 2), (2, 0))).area == Polygon(((2, 0), (2, 2), (0, 2), (0, 0))).area == 4
    star = Polygon(((0, 0), (6, 0), (6, 6), (3, 2), (0, 6)))  # a square of 36 less a notch of 12
    assert star.area == 24 and star.box == Box(0, 0, 6, 6)
    assert contains(star, Point(3, 1)) and not contains(star, Point(3, 4)) and regions.centre(star) == Point(3, 3)


def test_pixels_are_those_whose_centre_lies_inside():
    assert pixels(Box(0.5, 0, 2.5, 1), 4, 2).tolist() == [[True, True, False, False], [False] * 4]
    assert pixels(Box(0.51, 0, 2.51, 1), 4, 1).tolist() == [[False, True, True, False]]
    assert pixels(Box(-9, -9, 99, 99), 3, 2).all() and not pixels(Box(-9, -9, -1, -1), 3, 2).any()
    assert np.argwhere(pixels(Point(2.9, 0.1), 4, 2)).tolist() == [[0, 2]]
    assert not pixels(Point(4, 0), 4, 2).any()


def test_right_and_lower_edges_are_exclusive():
    """Of a box, of its ring and of its pixels; many places at once say what each says alone."""
    box = Box(2, 1, 5, 3)
    x, y = np.meshgrid(np.arange(-1, 7, 0.5), np.arange(-1, 5, 0.5))
    wanted = (x >= 2) & (x < 5) & (y >= 1) & (y < 3)
    for shape in (box, Polygon(((2, 1), (5, 1), (5, 3), (2, 3))), Mask.from_array(pixels(box, 5, 3))):
        assert (regions.holds(shape, x, y) == wanted).all()
        assert [contains(shape, Point(*place)) for place in zip(x.flat, y.flat)] == wanted.ravel().tolist()
    assert (regions.holds(Mask(5, 3, (0, 15)), x, y) == ((x >= 0) & (x < 5) & (y >= 0) & (y < 3))).all()


def test_what_is_made_of_a_region_lies_on_its_picture():
    ring, box = Polygon(((0, 0), (4, 0), (4, 4)), image=2), Box(0, 0, 4, 4, image=2)
    for region in (Point(1, 1, 2), box, ring, Mask(2, 2, (1, 3), 2), Mask.from_polygons((ring,), 5, 5)):
        assert region.box.image == regions.centre(region).image == clip(region, 9, 9).image == 2
    assert noise(box, np.random.default_rng(0), 0.1).image == 2


@quick
@given(a=boxes, b=boxes)
def test_iou_agrees_with_pycocotools(a, b):
    theirs = mask_utils.iou(*(np.array([[x.x1, x.y1, x.width, x.height]]) for x in (a, b)), [0])[0, 0]
    assert iou(a, b) == pytest.approx(theirs, abs=1e-9)


@quick
@given(a=boxes, b=boxes, dx=whole, dy=whole)
def test_iou_is_symmetric_bounded_and_does_not_move(a, b, dx, dy):
    value = iou(a, b)
    assert value == iou(b, a) and 0 <= value <= 1 and iou(a, a) == pytest.approx(1)

    def moved(r):
        return Box(r.x1 + dx, r.y1 + dy, r.x2 + dx, r.y2 + dy)

    assert iou(moved(a), moved(b)) == pytest.approx(value, abs=1e-6)


@quick
@given(array=bitmaps)
def test_run_lengths_agree_with_pycocotools(array):
    theirs = mask_utils.encode(np.asfortranarray(array.astype(np.uint8)))
    mask = Mask.from_array(array)
    assert mask.rle() == {"size": list(theirs["size"]), "counts": theirs["counts"].decode()}
    assert Mask.from_rle(theirs) == mask == Mask.from_rle(mask.rle(compressed=False)) == Mask.from_rle(mask.rle())
    assert (mask.array() == array).all() and mask.area == array.sum() == mask_utils.area(theirs)
    if array.any():
        x, y, w, h = mask_utils.toBbox(theirs)
        assert mask.box == Box(x, y, x + w, y + h)
    else:
        assert mask.box.area == 0


@quick
@given(array=bitmaps, seed=st.integers(0, 99))
def test_mask_iou_agrees_with_pycocotools(array, seed):
    other = np.random.default_rng(seed).random(array.shape) < 0.5
    a, b = Mask.from_array(array), Mask.from_array(other)
    assume((array | other).any())
    theirs = mask_utils.iou(*([mask_utils.encode(np.asfortranarray(x.astype(np.uint8)))] for x in (array, other)), [0])
    assert iou(a, b) == iou(b, a) == pytest.approx(theirs[0, 0])
    assert iou(a, Point(1, 1)) == 0.0  # a point has no area


def test_large_runs_survive_the_string():
    mask = Mask(3000, 2000, (1, 3_000_000, 5, 2_999_994))
    assert Mask.from_rle(mask.rle()) == mask
    theirs = mask_utils.frPyObjects(mask.rle(compressed=False), 2000, 3000)
    assert theirs["counts"].decode() == mask.rle()["counts"]


@quick
@given(points=st.lists(st.tuples(st.integers(0, 320), st.integers(0, 240)), min_size=3, max_size=7, unique=True),
       eighth=st.booleans())
def test_polygons_fill_as_pycocotools_fills_but_for_the_line(points, eighth):
    """pycocotools draws the ring's line too, so pixels may differ only within about one pixel of it."""
    ring = [(x / 8, y / 8) if eighth else (x / 4, y / 4) for x, y in points]
    polygon = Polygon(ring)
    assume(polygon.area > 20 and _simple(ring))
    ours = pixels(polygon, 82, 62)
    theirs = mask_utils.decode(mask_utils.merge(mask_utils.frPyObjects([[v for p in ring for v in p]], 62, 82))) > 0
    ys, xs = np.nonzero(ours != theirs)
    assert all(_distance(x + 0.5, y + 0.5, ring) < 1.3 for x, y in zip(xs, ys))
    assert ours.sum() == pytest.approx(polygon.area, abs=_length(ring) * 0.75 + 2)


def test_a_polygon_with_box_corners_is_that_box():
    box = Box(3, 2, 9, 7)
    ring = Polygon(((3, 2), (9, 2), (9, 7), (3, 7)))
    assert (pixels(ring, 12, 12) == pixels(box, 12, 12)).all()
    assert iou(ring, box) == 1 and iou(ring, Box(3, 2, 6, 7)) == 0.5
    assert Mask.from_polygons((ring, Polygon(((0, 0), (1, 0), (1, 1), (0, 1)))), 12, 12).area == 31


@quick
@given(box=boxes)
def test_clipping_keeps_what_is_inside(box):
    outside = box.x2 <= 0 or box.y2 <= 0 or box.x1 >= 100 or box.y1 >= 80
    if outside:
        with pytest.raises(RegionError):
            clip(box, 100, 80)
        return
    inside = clip(box, 100, 80)
    assert 0 <= inside.x1 < inside.x2 <= 100 and 0 <= inside.y1 < inside.y2 <= 80
    assert clip(inside, 100, 80) == inside
    assert iou(inside, box) == pytest.approx(inside.area / box.area)


def test_clipping_points_and_polygons():
    assert clip(Point(0, 79.9), 100, 80) == Point(0, 79.9)
    for x, y in ((100, 1), (-0.1, 1), (1, 80)):
        with pytest.raises(RegionError):
            clip(Point(x, y), 100, 80)
    assert clip(Polygon(((-5, 1), (5, 1), (5, 99))), 100, 80).points == ((0, 1), (5, 1), (5, 80))
    for touching in (Box(-5, 1, 0, 9), Box(1, -5, 9, 0), Box(100, 1, 105, 9), Box(1, 80, 9, 85)):
        with pytest.raises(RegionError, match="outside its picture"):
            clip(touching, 100, 80)


@quick
@given(box=boxes, amount=st.floats(0, 0.45), seed=st.integers(0, 999))
def test_noise_moves_each_edge_by_at_most_its_share(box, amount, seed):
    moved = noise(box, np.random.default_rng(seed), amount)
    for a, b, length in zip(box.xyxy, moved.xyxy, (box.width, box.height) * 2):
        assert abs(a - b) <= amount * length + 1e-9
    assert moved == noise(box, np.random.default_rng(seed), amount)
    assert noise(box, np.random.default_rng(seed), 0.0) == box


def _length(ring):
    return sum(np.hypot(*(np.array(a) - b)) for a, b in zip(ring, ring[1:] + ring[:1]))


def _distance(x, y, ring):
    best = np.inf
    for a, b in zip(ring, ring[1:] + ring[:1]):
        a, b, p = np.array(a), np.array(b), np.array((x, y))
        t = np.clip(np.dot(p - a, b - a) / max(np.dot(b - a, b - a), 1e-9), 0, 1)
        best = min(best, np.hypot(*(p - a - t * (b - a))))
    return best


def _simple(ring):
    """No two sides cross (even-odd and winding fills differ where they do)."""
    def turn(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    sides = list(zip(ring, ring[1:] + ring[:1]))
    return not any(turn(a, b, c) * turn(a, b, d) <= 0 and turn(c, d, a) * turn(c, d, b) <= 0
                   for k, (a, b) in enumerate(sides) for m, (c, d) in enumerate(sides)
                   if m > k and len({a, b, c, d}) == 4)
