"""Which object a patch lies on, by hand and against the world's masks; mirrored pictures mirror their targets."""

from dataclasses import replace

import numpy as np
import pytest

from loupe import world
from loupe.data.mixture import HeldOut, Mixture, Source
from loupe.errors import ConfigError
from loupe.frame import squash
from loupe.image import Image
from loupe.record import Object, Record
from loupe.regions import Box, Polygon, pixels
from loupe.training.materials import Records
from loupe.training.pretraining import FINE, OWNED, Words, mirror, owners, patch_targets


def things(*boxes, shapes=None):
    return [Object(str(k), Box(*b), ("thing",), shape=(shapes or {}).get(k)) for k, b in enumerate(boxes)]


def test_owners_by_hand():
    """40 x 40, four patches: a large box over all, a small one in the lower right quarter lies in front."""
    frame = squash(40, 40, 40)
    assert owners(things((0, 0, 40, 40), (20, 20, 40, 40)), frame, 2).tolist() == [0, 0, 0, 1]
    assert owners(things((0, 0, 20, 20)), frame, 2).tolist() == [0, -1, -1, -1]
    assert owners(things((0, 0, 4, 4)), frame, 2).tolist() == [-1] * 4, "one fine place in sixteen owns nothing"
    assert owners([], frame, 2).tolist() == [-1] * 4


def test_an_outline_owns_less_than_its_box():
    triangle = Polygon(((0, 0), (40, 0), (0, 40)))
    found = owners(things((0, 0, 40, 40), shapes={0: (triangle,)}), squash(40, 40, 40), 4).reshape(4, 4)
    assert found.tolist() == [[0, 0, 0, 0], [0, 0, 0, -1], [0, 0, -1, -1], [0, -1, -1, -1]]


@pytest.mark.parametrize("index", range(4))
def test_owners_agree_with_the_pixels(index):
    """With exact masks a patch's owner covers, and a patch without one is hardly covered."""
    record = next(iter(world.records(1, seed=5, start=index)))
    objects = [o for o in record.objects if not o.crowd]
    grid, side = 8, 96 // 8
    owner = owners(objects, squash(96, 96, 96), grid).reshape(grid, grid)
    masks = [pixels(o.shape, 96, 96) if not isinstance(o.shape, tuple) else None for o in objects]
    for y in range(grid):
        for x in range(grid):
            cut = np.s_[y * side:(y + 1) * side, x * side:(x + 1) * side]
            if owner[y, x] >= 0 and masks[owner[y, x]] is not None:
                assert masks[owner[y, x]][cut].mean() > (OWNED - 2) / FINE**2
            if owner[y, x] < 0:
                assert all(m is None or m[cut].mean() < 0.5 for m in masks)


def test_mirrored_targets():
    """Turning the targets is the same as making them for the mirrored picture."""
    record = next(iter(world.records(1, seed=5)))
    words, frame = Words.of([record]), squash(96, 96, 96)
    turned = replace(frame, flip=True)
    found = mirror(np.asarray(frame.picture(record.image)), *patch_targets(record, frame, 8, words))
    expected = np.asarray(turned.picture(record.image)), *patch_targets(record, turned, 8, words)
    assert (found[0] == expected[0]).all()
    same = found[1] == expected[1]
    assert same.mean() > 0.95, "but for ties at the edges"
    for got, right in zip(found[2:], expected[2:]):
        assert np.allclose(got[same], right[same], atol=1e-6, equal_nan=True)


def test_words_are_the_commonest():
    picture = Image(path="x.png")
    records = [Record(picture, 9, 9, "1", "s", objects=(
        Object("1", Box(0, 0, 1, 1), ("cup",), ("red",)), Object("2", Box(0, 0, 1, 1), ("cup",)),
        Object("3", Box(0, 0, 1, 1), ("ape",))))]
    assert Words.of(records) == Words(("cup", "ape"), ("red",))
    assert Words.of(records, classes=1).classes == ("cup",)
    with pytest.raises(ConfigError, match="name no objects"):
        Words.of([replace(records[0], objects=())])


def test_held_out_pictures_are_not_seen_either(data):
    held = HeldOut("refer", "refer", "train", {"dataset": "refcoco", "by": "unc"})
    mixture = Mixture((Source("coco", "coco", "coco", "train2017", tasks=(("detection", 1.0),)),), held_out=(held,))
    every = Records(replace(mixture, held_out=()), {"": data}, 0, 40, None)
    assert {every[k][0].record.id for k in range(40)} == {r.id for r in every.opened[0].records if r.objects}
    with pytest.raises(ConfigError, match="no picture to learn from"):
        Records(mixture, {"": data}, 0, 40, None)
