"""loupe segment and loupe reconstruct: PNGs, tables, going on, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import cli, world
from loupe.cli.kept import keep, kept


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("seeing") / "data"
    world.write(folder, 2, seed=1, val=2, world="mini")
    return [str(path) for path in sorted((folder / "coco/val2017").iterdir())]


@pytest.fixture
def looks(monkeypatch) -> list:
    """Counts the looks a model takes."""
    from loupe.predictors.checkpoint import Model

    taken, look = [], Model.look
    monkeypatch.setattr(Model, "look", lambda self, images, **options: taken.append(1) or look(self, images, **options))
    return taken


def test_reconstruct(carried, pictures, tmp_path, capsys, looks):
    argv = ["reconstruct", "mini", *pictures, "--size", "8", "--out", str(tmp_path / "seen"), "--device", "cpu"]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    assert "channel mean" in said and "flat" in said and "nearest" in said and "16 x 16" not in said
    names = [path.rsplit("/", 1)[1].split(".")[0] for path in pictures]
    for name in names:
        with Pillow.open(tmp_path / "seen" / f"{name}.pixels.png") as small:
            assert small.size == (8, 8) and small.mode == "RGB"
        with Pillow.open(tmp_path / "seen" / f"{name}.png") as drawn:
            assert drawn.size[0] > 3 * 480 and drawn.size[1] >= 480
    (tmp_path / "seen" / f"{names[0]}.pixels.png").write_bytes(b"torn")
    assert len(looks) == 2 and cli.main(argv) == 0 and len(looks) == 3  # the torn one is asked again
    assert capsys.readouterr().out == said
    assert cli.main([*argv, "--filter", "nearest"]) == 0 and len(looks) == 3  # held against another small picture
    assert (other := capsys.readouterr().out) != said and "nearest" not in other
    assert cli.main([*argv, "--expected"]) == 0 and len(looks) == 5


def test_segment(carried, pictures, tmp_path, capsys, looks):
    argv = ["segment", "mini", pictures[0], "the large red circle", "the large red circle!", "--grid", "8", "--out",
            str(tmp_path), "--device", "cpu", "--coarse", "4", "--anyway"]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    assert said.count("of 64 places asked") == 2 and len(looks) == 1
    masks = sorted(path.name for path in tmp_path.glob("*.mask.png"))
    assert len(masks) == 2 and masks[0].endswith("-the-large-red-circle-2.mask.png")
    with Pillow.open(tmp_path / masks[0]) as mask:
        assert mask.size == (96, 96) and set(np.unique(np.asarray(mask))) <= {0, 255}
    assert cli.main(argv) == 0 and len(looks) == 1 and capsys.readouterr().out == said
    assert cli.main([*argv, "--inside"]) == 0


def test_what_is_not_there_has_no_mask(carried, pictures, tmp_path, capsys, monkeypatch):
    from loupe.models.look import Look

    asked = []
    monkeypatch.setattr(Look, "there", lambda self, phrase: asked.append(phrase) or phrase != "the ring")
    argv = ["segment", "mini", pictures[0], "the ring", "the cup", "--grid", "4", "--out", str(tmp_path)]
    for _ in range(2):  # the second time from the files
        assert cli.main(argv) == 0
        ring, cup = capsys.readouterr().out.splitlines()
        assert "the ring: the model says it is not there" in ring and "16 of 16 places asked" in cup
    assert asked == ["the ring", "the cup"]
    with Pillow.open(next(tmp_path.glob("*the-ring.mask.png"))) as mask:
        assert mask.size == (96, 96) and not np.asarray(mask).any()
    assert cli.main([*argv, "--anyway"]) == 0 and capsys.readouterr().out.count("16 of 16 places asked") == 2


def test_bad_input(carried, pictures, tmp_path, capsys):
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"no picture")
    for argv, says in (
            (["reconstruct", "mini", pictures[0], str(torn)], "not a picture"),
            (["reconstruct", "mini", "nowhere.png"], "does not exist"),
            (["reconstruct", "mini", pictures[0], "--size", "0"], "at least one pixel"),
            (["reconstruct", "whole-image", pictures[0]], "does not look"),
            (["reconstruct", "mini", pictures[0], "--rows", "0"], "--rows"),
            (["segment", "mini", pictures[0], "the cup", "--grid", "0"], "at least one place"),
            (["segment", "mini", pictures[0], "the cup", "--coarse", "5"], "does not fit"),
            (["segment", "mini", pictures[0], "the cup", "--sure", "0.2"], "0.5 to 1"),
            (["segment", "mini", pictures[0], " "], "nothing to look for")):
        assert cli.main([*argv, "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert says in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_files_know_what_they_were_made_from(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    keep(tmp_path / "a.png", pixels, {"model": "m", "phrase": "Käse"}, asked=3)
    found, more = kept(tmp_path / "a.png", {"model": "m", "phrase": "Käse"})
    assert (found == pixels).all() and more == {"asked": 3}
    assert kept(tmp_path / "a.png", {"model": "n", "phrase": "Käse"}) is None
    assert kept(tmp_path / "b.png", {}) is None
    Pillow.fromarray(pixels).save(tmp_path / "c.png")
    assert kept(tmp_path / "c.png", {"model": "m"}) is None
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_a_folder_of_pictures(carried, pictures, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in pictures:
        (folder / Path(path).name).write_bytes(Path(path).read_bytes())
    (folder / "notes.txt").write_text("no picture")
    argv = ["reconstruct", "mini", str(folder), "--size", "4", "--device", "cpu", "--out"]
    assert cli.main([*argv, str(tmp_path / "seen")]) == 0
    assert "of 2 pictures" in capsys.readouterr().out
    assert {p.name.split(".")[0] for p in (tmp_path / "seen").iterdir()} == {Path(p).stem for p in pictures}
    Pillow.new("RGB", (8, 8)).save(folder / "drawn.png")
    before = (folder / "drawn.png").read_bytes()
    assert cli.main([*argv, str(folder)]) == 2 and (folder / "drawn.png").read_bytes() == before
    assert "take the place of the picture" in capsys.readouterr().err


def test_a_folder_or_a_picture_in_the_wrong_place(pictures, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for argv, said in (
            (["reconstruct", "mini", tmp_path / "photos"], "no picture lies in this folder: got 0 other files"),
            (["segment", "mini", Path(pictures[0]).parent, "the cup"], "a picture is a file: got a folder with "),
            (["reconstruct", tmp_path, pictures[0]], "no model lies here: got a folder with photos"),
            (["reconstruct", pictures[0], "mini"], "a model is a folder: got a picture"),
            (["segment", pictures[0], "the cup", "the plate"], "name the model first: mini, or a folder")):
        assert cli.main(list(map(str, argv))) == 2
        assert said in capsys.readouterr().err
