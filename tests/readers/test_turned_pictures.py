"""Pictures with an EXIF orientation: opened so that the annotations lie where they were drawn."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import text_layouts
from PIL import Image as Pillow
from roots_of_readers import ROOTS

from loupe.errors import FileError
from loupe.framing import Framing
from loupe.image import Image
from loupe.plain import from_plain, to_plain
from loupe.predictors.endpoint import data_url
from loupe.readers import READERS, reader
from loupe.stored import from_stored, to_stored
from loupe.writers.records import write_records

SIZED = sorted(name for name in set(READERS) & set(ROOTS) if reader(name).sized)
ORIENTATION = 0x0112
NOISE = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)


def turn(path, stored: bool) -> None:
    """Give the file EXIF orientation 6. stored: its pixels stay, as for annotations that ignore EXIF; else they are
    laid on their side, so that the upright picture is what it was."""
    picture = Pillow.open(path).convert("RGB")
    exif = Pillow.Exif()
    exif[ORIENTATION] = 6
    kind = {"quality": 100, "subsampling": 0} if path.suffix in (".jpg", ".jpeg") else {}
    (picture if stored else picture.transpose(Pillow.Transpose.ROTATE_90)).save(path, exif=exif, **kind)


def shown(root, name, split) -> list:
    return [(r.image.size, (r.width, r.height), r.image.array().astype(int)) for r in reader(name)(root, split)]


@pytest.mark.parametrize("stored", [True, False], ids=["as stored", "upright"])
@pytest.mark.parametrize("name", SIZED)
def test_the_stated_size_decides(tmp_path, name, stored):
    make, split, _ = ROOTS[name]
    root = make(tmp_path / "data")
    before = shown(root, name, split)
    for path in sorted(root.rglob("*")):
        if path.suffix in (".jpg", ".jpeg", ".png"):
            turn(path, stored)
    after = shown(root, name, split)
    assert before and len(before) == len(after)
    for (_, size, old), (seen, stated, new) in zip(before, after):
        assert seen == stated == size and old.shape == new.shape
        if size[0] != size[1] or not stored:  # a square tells nothing
            assert np.abs(old - new).mean() < 12  # saved as JPEG twice


def test_what_is_another_size_either_way_is_still_said(tmp_path):
    make, split, _ = ROOTS["objects365"]
    root = make(tmp_path / "data")
    for path in root.rglob("*.jpg"):
        Pillow.open(path).resize((33, 22)).save(path)
        turn(path, True)
    with pytest.raises(FileError, match="another size than their annotations say"):
        reader("objects365")(root, split)


def noise(orientation: int, **options) -> Image:
    exif, buffer = Pillow.Exif(), io.BytesIO()
    exif[ORIENTATION] = orientation
    Pillow.fromarray(NOISE).save(buffer, "PNG", exif=exif)
    return Image(data=buffer.getvalue(), **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_a_picture_on_its_side_can_be_told(orientation):
    """Half a turn and a mirror leave the size as it is: the picture is set upright then."""
    stated = noise(orientation, stated=(40, 30))
    assert stated.size == stated.pillow().size == (40, 30)
    as_stored = orientation in (1, 5, 6, 7, 8)
    assert np.array_equal(stated.array(), NOISE) == as_stored
    for other in ((30, 40), (7, 7)):
        upright = noise(orientation, stated=other)
        assert np.array_equal(upright.array(), noise(orientation).array()) and upright.size == upright.pillow().size


def test_a_square_is_set_upright():
    buffer, exif = io.BytesIO(), Pillow.Exif()
    exif[ORIENTATION] = 6
    Pillow.fromarray(NOISE[:, :30]).save(buffer, "PNG", exif=exif)
    image = Image(data=buffer.getvalue(), stated=(30, 30))
    assert np.array_equal(image.array(), np.rot90(NOISE[:, :30], -1))


def test_it_is_kept_wherever_a_picture_goes(tmp_path):
    """In corpora and predictions, in what an endpoint is sent, in records written anew."""
    make, split, _ = ROOTS["coco"]
    root = make(tmp_path / "data")
    for path in root.rglob("*.jpg"):
        turn(path, True)
    records = list(reader("coco")(root, split))
    for record in records:
        image = record.image
        assert from_plain(json.loads(json.dumps(to_plain(image, root))), root) == image
        frame = Framing("whole").frame(*image.size)
        sent = Pillow.open(io.BytesIO(base64.b64decode(data_url(image, frame).partition(",")[2])))
        assert sent.size == (record.width, record.height) and not sent.getexif().get(ORIENTATION)
    write_records(records, tmp_path / "again", split)
    for old, new in zip(records, reader("records")(tmp_path / "again", split), strict=True):
        assert new.image.size == (old.width, old.height) and np.array_equal(new.image.array(), old.image.array())


def test_art_is_drawn_on_pictures_as_stored(tmp_path):
    """It states no sizes; its outlines ignore EXIF."""
    root = text_layouts.art(tmp_path)
    before = list(reader("art")(root))
    for path in root.rglob("*.jpg"):
        turn(path, True)
    for old, new in zip(before, reader("art")(root), strict=True):
        assert new.image.size == (new.width, new.height) == (old.width, old.height) and new.words == old.words
        kept = to_stored(new, new.image.path.name)
        assert kept["upright"] is False and from_stored(kept, new.image.path.parent) == new
