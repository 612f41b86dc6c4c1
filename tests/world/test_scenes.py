"""Pictures are deterministic, their masks and boxes are the very pixels drawn, and everything in them can be seen."""

from collections import Counter

import numpy as np
import pytest

from loupe import world
from loupe.errors import ConfigError
from loupe.image import Image
from loupe.world import font, paint, scene
from loupe.world.kinds import CLASSES, COMPOSED, PARTS, SHAPES


@pytest.fixture(scope="module")
def scenes():
    return [world.make(5, index) for index in range(120)]


def test_picture_does_not_depend_on_how_many_are_made():
    many = list(world.records(12, seed=4))
    assert list(world.records(12, seed=4)) == many
    assert list(world.records(3, seed=4, start=9)) == many[9:]
    assert [r.image.data for r in world.records(2, seed=5)] != [r.image.data for r in many[:2]]
    assert next(world.records(1, seed=4, split="val")).image.data != many[0].image.data
    ids = [r.id for split in ("train", "val", "test") for r in world.records(5, 1, split)]
    assert len(set(ids)) == len(ids)


def test_every_count_has_a_fair_share():
    counts = Counter(sum(not thing.crowd for thing in world.make(8, index).things) for index in range(240))
    assert set(counts) == {1, 2, 3, 4, 5, 6}
    assert min(counts.values()) > 0.5 * 240 / 6
    assert all(len(world.make(8, index, objects=(2, 2)).things) >= 2 for index in range(20))


def test_boxes_are_the_masks_extent_and_large_enough(scenes):
    for made in scenes:
        taken = np.zeros(made.ids.shape, int)
        for thing in made.things:
            taken += thing.mask
            ys, xs = np.nonzero(thing.mask)
            assert thing.box.xyxy == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            assert min(thing.box.width, thing.box.height) >= 8 or thing.crowd
            assert thing.mask.sum() >= 0.5 * thing.whole.sum()
            assert not (thing.mask & ~thing.whole).any()
            for part in thing.parts:
                assert part.mask.any() and not (part.mask & ~thing.mask).any()
        assert taken.max() <= 1  # nobody shares a pixel
        assert ((made.ids >= 0) == (taken > 0)).all()


def test_masks_come_back_from_the_record(scenes):
    for made in scenes[:40]:
        record = world.record(made)
        wholes = [o for o in record.objects if o.part_of is None]
        for thing, o in zip(made.things, wholes, strict=True):
            assert (o.shape.array() == thing.mask).all()
            assert o.shape.box == o.box == thing.box
        assert record.exhaustive and {o.name for o in record.objects} <= set(record.vocabulary)


def test_masks_are_the_pixels_drawn(monkeypatch):
    """White things without rims on black ground: what is brighter than half is the thing."""
    monkeypatch.setattr(paint, "_tones", lambda rgb: np.full((3, 3), 255, np.float32))
    monkeypatch.setattr(scene.paint, "ground", lambda w, h, *rest: np.zeros((h, w, 3), np.float32))
    for index in range(60):
        made = world.make(6, index, objects=(1, 1))
        if any(thing.word for thing in made.things):
            continue
        assert ((made.pixels[..., 0] >= 127.5) == (made.ids >= 0)).all()


def test_a_later_thing_hides_an_earlier_one(scenes):
    covered = 0
    for made in scenes:
        for k, thing in enumerate(made.things):
            hidden = thing.whole & ~thing.mask
            above = np.zeros_like(hidden)
            for other in made.things[k + 1:]:
                above |= other.mask
            assert (hidden <= above).all()
            covered += hidden.any()
    assert covered > 20


def test_colours_survive_jpeg(scenes):
    for made in scenes[:30]:
        pixels = Image(data=paint.jpeg(made.pixels)).array().astype(int)
        assert np.abs(pixels - made.pixels).mean() < 3
        for thing in made.things:
            if thing.texture == "plain" and thing.kind in SHAPES and not thing.word and thing.size != "small":
                seen = np.median(pixels[thing.mask], axis=0)
                assert np.abs(seen - paint.COLOURS[thing.colour]).max() < 60


def test_words_are_whole_and_legible():
    words = []
    for index in range(150):
        made = world.make(9, index)
        for thing in made.things:
            if thing.word:
                words.append(thing.word)
                box = thing.word_box
                assert box.height == font.HEIGHT and box.width == font.width(thing.word)
                letters = font.pixels(thing.word)
                cut = np.s_[int(box.y1):int(box.y2), int(box.x1):int(box.x2)]
                ink = made.ids[cut] == thing.first + len(thing.kind.leaves)
                assert (ink == letters).all()  # nothing stands before it
                grey = Image(data=paint.jpeg(made.pixels)).array()[cut].mean(2)
                assert abs(grey[letters].mean() - grey[~letters].mean()) > 70
    assert len(set(words)) > 10
    assert all(set(word) <= set(font.GLYPHS) for word in font.WORDS)
    assert len({glyph.tobytes() for glyph in font.GLYPHS.values()}) == 26


def test_other_sizes_keep_their_proportions():
    wide = world.record(world.make(2, 0, size=(160, 112)))
    assert (wide.width, wide.height) == wide.image.size == (160, 112)
    large = world.make(2, 1, size=224)
    assert all(min(t.box.width, t.box.height) >= 18 for t in large.things if not t.crowd)
    with pytest.raises(ConfigError, match="64 to 1024 pixels"):
        world.make(2, 0, size=32)


def test_the_world_is_varied():
    assert len(SHAPES) >= 8 and len(COMPOSED) >= 5 and len(paint.COLOURS) >= 8 and len(PARTS) >= 8
    things = [thing for index in range(200) for thing in world.make(3, index).things]
    assert {thing.name for thing in things} == set(CLASSES)
    assert {thing.colour for thing in things} == set(paint.COLOURS)
    assert {thing.texture for thing in things} == set(paint.TEXTURES)
    assert any(thing.crowd for thing in things)
