"""A folder of pictures: found below it, split by their bytes, never parted."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.errors import ConfigError, FileError, ImageError
from loupe.readers import reader


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(60):
        path = tmp_path / "photos" / ("deep/er" if k % 3 else "") / f"{k}.{'png' if k % 2 else 'PNG'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(rng.integers(0, 256, (4, 6, 3), np.uint8)).save(path)
    (tmp_path / "photos/notes.txt").write_text("no picture")
    (tmp_path / "photos/.hidden").mkdir()
    shutil.copy(tmp_path / "photos/0.PNG", tmp_path / "photos/.hidden/0.png")
    return tmp_path / "photos"


def names(records) -> set[str]:
    return {r.id for r in records}


def test_splits(folder, tmp_path):
    every, train, val = (reader("pictures")(folder, split) for split in ("", "train", "val"))
    assert len(every) == 60 and names(train) | names(val) == names(every) and not names(train) & names(val)
    assert 4 <= len(val) <= 22  # a fifth of 60
    assert names(every) >= {"0.PNG", "deep/er/1.png"} and every[0].width == 6 and every[0].objects == ()
    assert len({every.hash, train.hash, val.hash}) == 3 and reader("pictures")(folder).hash == every.hash
    assert not len(reader("pictures")(folder, "val", val=0.0)) and len(reader("pictures")(folder, "val", val=1)) == 60
    more = reader("pictures")(folder, "val", val=0.4)
    assert names(val) < names(more)


def test_a_picture_keeps_its_side_whatever_it_is_called(folder, tmp_path):
    held = {r.image.content_hash for r in reader("pictures")(folder, "val")}
    other = tmp_path / "elsewhere"
    for k, path in enumerate(sorted(folder.rglob("*.[pP][nN][gG]"))):
        other.mkdir(exist_ok=True)
        shutil.copy(path, other / f"new{k}.png")
    again = reader("pictures")(other, "val")
    assert {r.image.content_hash for r in again} == held
    both = reader("pictures")(other, "")
    assert both.problems == {"the same picture twice": 1} and len(both) == 60  # the hidden one's copy


def test_by_name(folder):
    held = names(reader("pictures")(folder, "val", by="name"))
    path = next(p for p in folder.rglob("*") if p.suffix and p.relative_to(folder).as_posix() in held)
    Pillow.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path, "PNG")
    assert names(reader("pictures")(folder, "val", by="name")) == held


def test_bad_folders(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="no picture in this folder"):
        reader("pictures")(tmp_path / "empty")
    with pytest.raises(ConfigError, match="no such split"):
        reader("pictures")(folder, "test")
    for wrong in ({"val": 1.5}, {"by": "date"}):
        with pytest.raises(ConfigError, match="cannot be split so"):
            reader("pictures")(folder, **wrong)
    (folder / "torn.png").write_bytes(b"\x89PNG torn")
    records = reader("pictures")(folder)
    at = next(i for i, path in enumerate(records._paths) if path.name == "torn.png")
    with pytest.raises(ImageError):
        records[at]
    assert len(list(records)) == 60 and records.problems["picture does not decode"] == 1
