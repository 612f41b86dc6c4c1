"""Drawings: the right pixels in the right colours, readable labels, dashes that add up."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loupe.drawing import PALETTE, PREDICTED, TRUE, Mark, dashes, draw, ink, luminance, marks_of
from loupe.errors import FileError
from loupe.regions import Box, Mask, Point, Polygon
from loupe.sample import Answer, Found, Regions

GREY = np.full((96, 96, 3), 128, np.uint8)


def pixels(drawing, colour):
    return np.all(np.asarray(drawing) == colour, axis=-1)


def test_small_pictures_are_enlarged_by_a_whole_number():
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    drawing = draw(noise)
    assert drawing.size == (480, 480)
    assert np.array_equal(np.asarray(drawing)[2::5, 2::5], noise)
    assert draw(np.zeros((700, 900, 3), np.uint8)).size == (900, 700)


def test_box_lines_lie_on_the_box():
    drawing = draw(GREY, Box(20, 30, 60, 70))
    ys, xs = np.nonzero(pixels(drawing, PALETTE[0]))
    assert abs(xs.min() - 100) <= 3 and abs(xs.max() - 300) <= 3
    assert abs(ys.min() - 150) <= 3 and abs(ys.max() - 350) <= 3
    assert not pixels(drawing, PALETTE[0])[160:340, 110:290].any(), "the inside of a box stays clear"


def test_true_is_solid_and_predicted_dashed():
    drawing = draw(GREY, Box(50, 10, 90, 90), truth=Box(5, 10, 45, 90))
    solid, dashed = pixels(drawing, TRUE).any(1)[120:400], pixels(drawing, PREDICTED)[120:400, 245:255].any(1)
    assert solid.all()
    assert 0.4 < dashed.mean() < 0.8


def test_masks_colour_their_pixels_only():
    inside = np.zeros((96, 96), bool)
    inside[40:60, 10:30] = True
    changed = np.any(np.asarray(draw(GREY, Mask.from_array(inside))) != 128, axis=-1)
    assert np.array_equal(changed[2::5, 2::5], inside)


def test_answers_become_marks_with_phrase_and_score():
    answer = Answer(("It is ", Found(Box(1, 2, 3, 4), 0.914, "cup"), " and ", Found(Point(5, 6))))
    assert [(m.label, m.region) for m in marks_of(answer)] == [("cup 0.91", Box(1, 2, 3, 4)), ("", Point(5, 6))]
    assert [m.label for m in marks_of([Regions((Box(0, 0, 1, 1), Box(2, 2, 3, 3)), "eyes")])] == ["eyes", "eyes"]
    assert [m.dashed for m in marks_of(Box(0, 0, 1, 1), truth=Box(0, 0, 2, 2))] == [False, True]


def test_several_pictures_stand_side_by_side():
    drawing = draw([GREY, GREY], Box(20, 20, 40, 40, image=1))
    assert drawing.size == (480 + 8 + 480, 480)
    assert not pixels(drawing, PALETTE[0])[:, :480].any() and pixels(drawing, PALETTE[0])[:, 488:].any()


def test_every_kind_draws_and_saves(tmp_path):
    regions = [Box(0, 0, 96, 96), Box(-20, 5, 200, 50), Point(95, 95), Polygon(((5, 5), (50, 8), (20, 60))),
               Box(9, 9, 9, 9)]
    out = tmp_path / "new" / "a.png"
    draw(GREY, regions, out, labels=["a long label that goes on and on beyond any sense"] * 5)
    assert out.stat().st_size > 1000
    with pytest.raises(FileError, match="a.xyz"):
        draw(GREY, regions, tmp_path / "a.xyz")


@pytest.mark.parametrize("colour", PALETTE)
def test_labels_reach_the_contrast_asked_for_small_text(colour):
    light, dark = sorted((luminance(colour), luminance(ink(colour))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_marks_keep_their_own_look():
    mark = Mark(Box(10, 10, 80, 80), "x", (1, 2, 3))
    assert marks_of([mark]) == [mark]
    assert pixels(draw(GREY, mark), (1, 2, 3)).any()


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=2, max_size=6), st.floats(2, 40))
def test_dashes_lie_on_the_line_and_have_the_length_asked_for(ring, length):
    def long(piece):
        return sum(math.dist(a, b) for a, b in zip(piece, piece[1:]))

    whole, drawn = long(ring), sum(map(long, dashes(ring, length)))
    periods = whole / (1.7 * length)
    assert math.floor(periods) * length - 1e-6 <= drawn <= min(whole, (math.floor(periods) + 1) * length) + 1e-6
