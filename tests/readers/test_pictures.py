from pathlib import Path

import pytest
from layouts import picture

from loupe.errors import FileError
from loupe.readers.pictures import Pictures, coco_names, given_folders, usual_folders


@pytest.mark.parametrize("asked", ["000000180239.jpg", "COCO_train2014_000000180239.jpg", 180239,
                                   "COCO_train2014_000000180239_2193752.jpg", "COCO_train2014_000000180239_4",
                                   "train2017/000000180239.jpg"])
@pytest.mark.parametrize("there", ["000000180239.jpg", "COCO_train2014_000000180239.jpg", "000000180239.png",
                                   "COCO_val2014_000000180239.jpeg"])
def test_every_name_of_a_coco_picture_finds_every_other(tmp_path, asked, there):
    (tmp_path / there).write_bytes(b"x")
    assert Pictures([tmp_path]).find(coco_names(asked)) == tmp_path / there


def test_other_names_are_left_alone():
    assert coco_names("images/v1/patch8/objects365_v1_00420917.jpg") == ("images/v1/patch8/objects365_v1_00420917.jpg",)
    assert coco_names("000019465.jpg") == ("000019465.jpg",)


def test_folders_in_names_are_tried_whole_and_then_shorter(tmp_path):
    (tmp_path / "patch8").mkdir()
    (tmp_path / "patch8/a.jpg").write_bytes(b"x")
    pictures = Pictures([tmp_path])
    assert pictures.find(["images/v1/patch8/a.jpg"]) == tmp_path / "patch8/a.jpg"
    assert pictures.find(["images/v1/patch9/a.jpg"]) is None
    (tmp_path / "images/v1/patch8").mkdir(parents=True)
    (tmp_path / "images/v1/patch8/a.jpg").write_bytes(b"x")
    assert Pictures([tmp_path]).find(["images\\v1\\patch8\\a.jpg"]) == tmp_path / "images/v1/patch8/a.jpg"


def test_names_cannot_leave_the_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    pictures = Pictures([tmp_path / "in"])
    assert pictures.find(["../secret.jpg"]) is None and pictures.find([str(tmp_path / "secret.jpg")]) is None
    assert pictures.find(["..", "", "/"]) is None


def test_the_exact_ending_wins_then_jpg(tmp_path):
    for ending in (".png", ".jpg", ".txt"):
        (tmp_path / f"a{ending}").write_bytes(b"x")
    pictures = Pictures([tmp_path])
    assert pictures.find(["a.png"]).suffix == ".png"
    assert pictures.find(["a"]).suffix == ".jpg" and pictures.find(["a.webp"]).suffix == ".jpg"


def test_listings_are_read_once(tmp_path, monkeypatch):
    import os
    for k in range(20):
        (tmp_path / f"{k}.jpg").write_bytes(b"x")
    calls, real = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda f: calls.append(f) or real(f))
    pictures = Pictures([tmp_path])
    assert all(pictures.find([f"{k}.jpg"]) for k in range(20))
    assert len(calls) == 1


def test_usual_places(tmp_path):
    for place in ("refer/refcoco", "coco/train2017", "images/val2017"):
        (tmp_path / place).mkdir(parents=True)
    for root in ("refer", "refer/refcoco"):
        found = usual_folders(tmp_path / root, ("train2017", "val2017"), ("coco",))
        assert tmp_path / "coco/train2017" in found and tmp_path / "images/val2017" in found


def test_given_folders_stand_alone_or_under_the_root_with_their_subfolders(tmp_path):
    picture(tmp_path / "pics/patch1/a.jpg")
    assert given_folders(tmp_path, "pics") == [tmp_path / "pics", tmp_path / "pics/patch1"]
    assert given_folders(Path("/"), [tmp_path / "pics"])[0] == tmp_path / "pics"
    with pytest.raises(FileError, match="does not exist"):
        given_folders(tmp_path, "none")
