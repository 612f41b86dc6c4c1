"""Flips and crops move pictures, regions and words by the same amount."""

from __future__ import annotations

import numpy as np
import pytest

from loupe import augment
from loupe.image import Image
from loupe.regions import Box


def painted(box: Box, width=50, height=40) -> Image:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[int(box.y1):int(box.y2), int(box.x1):int(box.x2)] = 255
    return Image.of(pixels)


def seen(image: Image) -> Box:
    ys, xs = np.nonzero(image.array()[..., 0] == 255)
    return Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


def test_a_mirror_by_hand():
    box = Box(5, 10, 20, 30)
    frame = augment.flip(50, 40)
    assert frame.to_model(box) == Box(30, 10, 45, 30) == seen(augment.moved(painted(box), frame))
    assert frame.to_image(frame.to_model(box)) == box


@pytest.mark.parametrize("seed", range(20))
def test_crops_cut_no_region(seed):
    box, other = Box(5, 10, 20, 30), Box(30, 2, 49, 12)
    frame = augment.crop(50, 40, [box, other], np.random.default_rng(seed), 0.3)
    if frame is None:
        return
    view = frame.view
    assert view.x1 <= 5 and view.y1 <= 2 and view.x2 >= 49 and view.y2 >= 30
    assert view.x1 <= 0.3 * 50 and 50 - view.x2 <= 0.3 * 50
    picture = augment.moved(painted(box), frame)
    assert picture.size == (view.width, view.height) == (frame.width, frame.height)
    assert frame.to_model(box) == seen(picture) and frame.to_image(seen(picture)) == box


def test_a_full_picture_cannot_be_cropped():
    assert augment.crop(50, 40, [Box(0, 0, 50, 40)], np.random.default_rng(0)) is None
    assert augment.crop(50, 40, [], np.random.default_rng(0), 0.2).view != Box(0, 0, 50, 40)


@pytest.mark.parametrize("words,other", [
    ("left cup", "right cup"), ("The LEFTMOST one", "The RIGHTMOST one"),
    ("Right of the lefthand plate", "Left of the righthand plate"),
    ("bright upright copyright", "bright upright copyright"),
    ("second star from the left", "second star from the right"), ("leftover", "leftover"), ("", "")])
def test_words_by_hand(words, other):
    assert augment.mirrored(words) == other
    assert augment.mirrored(other) == words
