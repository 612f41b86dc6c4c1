"""`loupe check`: the table, the totals, what is missing, the exit code."""

import json
import re
import shutil

import pytest

from loupe import world
from loupe.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("chatspot") / "data"
    world.write(out, 10, seed=2, val=6, world="mini", also="chatspot", oddities=0.0)
    return out


def test_everything_is_there(folder, capsys):
    assert main(["check", "chatspot", "--root", str(folder), "--exact"]) == 0
    said = capsys.readouterr().out
    assert "(the paper: 1,200,000)" in said and "(the paper: 3,000,000)" in said and "(the paper: 108,000)" in said
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line}
    assert lines["cc595k"][1:] == ["10", "595,375", "10", "0", "llava_cc3m"]
    assert "everything is there; next: loupe train chatspot" in said and "~" not in said
    # 10 pictures of each folder; Objects365 is read by both stages and counts once
    named = {line.split()[-1]: int(line.split()[1]) for line in said.splitlines()[1:13]}
    assert f"in all: {sum(named.values()):,} pictures" in said and len(named) >= 10


def test_what_is_missing_is_named_and_the_code_says_so(folder, tmp_path, capsys):
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    shutil.rmtree(part / "art")
    (part / "docvqa/train_v1.0_withQT.json").unlink()
    (part / "coco_text/cocotext.v2.json").write_text("{}")
    assert main(["check", "chatspot", "--root", str(part)]) == 2
    said = capsys.readouterr().out
    for text in ("art", "folder of the dataset does not exist", "train_v1.0_withQT.json", "lacks 'imgs'",
                 "cannot hold out coco-text val", "4 of its folders are missing or wrong"):
        assert text in said, text
    assert main(["check", "chatspt", "--root", str(part)]) == 2
    assert "did you mean 'chatspot'" in capsys.readouterr().err


def test_other_recipes_have_no_totals(folder, capsys):
    assert main(["check", "chatspot-mini", "--root", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "the paper" not in said and "everything is there" in said
    # stage 2 reads the image-level sources of stage 1 again, under other names and weights: counted once
    assert "image-ocr-vqa" not in said and said.count("docvqa/train") == 1


def test_one_is_missing(folder, tmp_path, capsys):
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    shutil.rmtree(part / "art")
    assert main(["check", "chatspot", "--root", str(part)]) == 2
    assert "1 of its folders is missing" in capsys.readouterr().out


@pytest.fixture
def own(tmp_path, folder, monkeypatch):
    """A mixture of records in a folder of its own; the second line has its box as fractions."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "records", tmp_path / "mine")
    lines = [json.loads(text) for text in (tmp_path / "mine/train.jsonl").read_text().splitlines()[:2]]
    for each in lines:
        each["picture"] = str((folder / "records" / each["picture"]).resolve())
        each["phrases"], each["objects"] = [], each["objects"][:1]
    lines[1]["objects"][0]["box"] = {"box": [0.1, 0.2, 0.4, 0.6]}
    del lines[1]["objects"][0]["shape"]
    (tmp_path / "mine/train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    (tmp_path / "mix.json").write_text(json.dumps({"pairs_per_image": 1, "sources": [
        {"name": "mine", "reader": "records", "folder": "mine", "split": "train", "tasks": [["region", 1]]}]}))
    return lines


def test_what_is_odd_is_said_by_check_and_by_build(own, capsys):
    assert main(["check", "mix.json", "--root", "."]) == 0
    said = capsys.readouterr().out
    assert "1 x region within one pixel: fractions of the picture?" in said and "everything is there" not in said
    assert main(["build", "mix.json", "--root", ".", "--out", "corpus"]) == 0
    assert "1 x region within one pixel: fractions of the picture?" in capsys.readouterr().out


def test_a_source_without_a_picture_is_not_there(own, tmp_path, capsys):
    (tmp_path / "mine/train.jsonl").write_text("\n")
    assert main(["check", "mix.json", "--root", "."]) == 2
    said = capsys.readouterr().out
    assert "no picture of it is there" in said and "everything is there" not in said


def test_a_picture_that_is_none_is_told(own, tmp_path, capsys):
    own[0]["picture"] = "words.jpg"
    (tmp_path / "mine/words.jpg").write_text("these are words")
    (tmp_path / "mine/train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in own))
    assert main(["check", "mix.json", "--root", "."]) == 0
    said = capsys.readouterr().out
    assert "1 x picture does not decode" in said and "words.jpg" in said


def test_words_alone_are_no_pictures(tmp_path, capsys):
    """A source of instructions is counted by its dialogues, and not among the pictures."""
    (tmp_path / "alpaca").mkdir()
    (tmp_path / "alpaca/train.json").write_text(json.dumps([{"instruction": f"Say {k}.", "output": "a"}
                                                           for k in range(5)]))
    mixture = tmp_path / "mixture.json"
    mixture.write_text(json.dumps({"sources": [{"name": "alpaca", "reader": "instructions", "folder": "alpaca",
                                                "split": "train", "tasks": [["dialogue", 1]]}]}))
    assert main(["check", str(mixture), "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"alpaca +none .*5 +5 +alpaca/train", said) and "in all: 0 pictures, 5 pairs, 5 dialogues" in said
    assert main(["build", str(mixture), "--root", str(tmp_path), "--out", str(tmp_path / "corpus")]) == 0
    assert main(["show", str(tmp_path / "corpus"), "--out", str(tmp_path / "page.html")]) == 0
    assert "Say 3." in (tmp_path / "page.html").read_text()
    assert main(["export", str(tmp_path / "corpus"), "--codec", "minigpt", "--out", str(tmp_path / "out.json")]) == 0
    assert {len(entry) for entry in json.loads((tmp_path / "out.json").read_text())} == {2}  # id, conversations
