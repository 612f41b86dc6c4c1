"""Flips and crops move pictures, regions and words by the same amount."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loupe import augment, world
from loupe.codec import codec
from loupe.frame import squash
from loupe.image import Image
from loupe.models.refined import Thing
from loupe.refining.spatial import spatial
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


@pytest.mark.parametrize("flipped", [False, True])
def test_a_view_moves_captions_and_what_is_said_of_boxes(flipped):
    """A random resized crop of a whole record: captions change sides where it mirrors, boxes of the spatial text move
    with the picture, what is not seen is not said."""
    for k, record in enumerate(world.records(6, 21, "train", world="mini")):
        record = replace(record, captions=("A cup on the left, a plate right of it.",))
        frame = augment.resized_crop(record.width, record.height, np.random.default_rng(k), (0.4, 0.6), flipped=flipped)
        made = augment.shown(record, frame)
        assert made.captions == (("A cup on the right, a plate left of it.",) if flipped else record.captions)
        assert made.image.size == (made.width, made.height) == (frame.width, frame.height)
        known = {o.id: o for o in record.objects}
        things = [Thing(o.name, (), o.box, None, 1.0) for o in made.objects]
        text = spatial(things, codec("lyrics"), squash(made.width, made.height, 96))
        for o in made.objects:
            there = frame.to_model(known[o.id].box)
            cut = (max(there.x1, 0), max(there.y1, 0), min(there.x2, frame.width), min(there.y2, frame.height))
            assert o.box.xyxy == pytest.approx(cut) and f"{o.box.x1 / made.width:.3f}" in text
        gone = {o.name for o in record.objects} - {o.name for o in made.objects}
        assert not any(f"<T>{name}</T>" in text for name in gone)
