"""loupe's own layout: everything a record knows comes back; torn and foreign lines are told apart."""

import json
from dataclasses import replace

import pytest

from loupe import world
from loupe.errors import FileError
from loupe.readers.records import Records
from loupe.record import Turns
from loupe.writers.records import write_records


@pytest.fixture
def made(tmp_path):
    records = list(world.records(6, seed=3, split="train"))  # parts, crowds, words: every field
    records[0] = replace(records[0], dialogues=(Turns(("What is it?", "a café"), "7"),), extra={"coco_id": 4})
    write_records(records, tmp_path)
    return tmp_path, records


def test_everything_comes_back(made):
    root, records = made
    read = Records(root, "train")
    for one, other in zip(read, records, strict=True):
        assert replace(one, image=other.image) == other and one.extra == other.extra
        assert one.image.bytes() == other.image.bytes()
        assert [o.shape for o in one.objects] == [o.shape for o in other.objects]
    assert {p.kind for r in read for p in r.phrases if p.refers} > {"attribute", "order", "relation"}


def test_a_torn_line_and_a_foreign_one_are_told(made):
    root, _ = made
    path = root / "train.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(FileError, match="no JSON"):
        Records(root)
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b'{"no": "picture"}\n', *lines[1:]]))
    with pytest.raises(FileError, match="no record") as error:
        Records(root)
    assert "train.jsonl: line 2" in str(error.value) and "docs/own-data.md" in str(error.value)
    bad = json.loads(lines[0]) | {"objects": [{"id": "1", "bix": 3}]}
    path.write_text(json.dumps(bad) + "\n")
    with pytest.raises(FileError, match="no record"):
        Records(root, missing="keep")[0]


@pytest.mark.parametrize("change, says", [
    ({"id": None}, "got Record without id"), ({"id": 4}, "Record.id = 4, where a text is expected"),
    ({"label": "cup"}, "strange key 'label' .known: picture, width"),
    ({"objects": [{"id": "1", "box": [1, 2, 3, 4]}]}, r'Object.box = .1, 2, 3, 4., where .*"box": \[x1, y1, x2, y2\].* '
     r"line 2: objects\[0\]"),
    ({"questions": [{"text": "?", "answers": "red"}]}, r"'red', where \[a text, ...\] is expected"),
    ({"phrases": [{"text": "a cup", "region": {"box": [9, 0, 1, 4]}}]}, r"Box is inside out.*phrases\[0\]"),
    ({"objects": [{"id": "1", "box": {"box": [0, 0, 1]}}]}, "cannot read a stored box"),
])
def test_what_is_wrong_is_said_with_line_and_field(change, says, made):
    root, _ = made
    path, lines = root / "train.jsonl", (root / "train.jsonl").read_text().splitlines()
    data = {key: value for key, value in (json.loads(lines[1]) | change).items() if value is not None}
    path.write_text("\n".join([lines[0], json.dumps(data), ""]))
    with pytest.raises(FileError, match=says):
        Records(root)[1]


@pytest.mark.parametrize("box, reason", [
    ([1, 2, 97.5, 9], "region reaches over its picture"), ([-2, 2, 7, 9], "region reaches over its picture"),
    ([0.1, 0.2, 0.8, 1], "region within one pixel: fractions of the picture?"), ([0, 0, 96.9, 96], None)])
def test_odd_regions_are_counted_and_kept(box, reason, made):
    root, records = made
    line = {"picture": "a.png", "width": 96, "height": 96, "id": "a", "source": "mine",
            "objects": [{"id": "1", "box": {"box": box}}], "phrases": [{"text": "x", "region": {"point": [0.5, 0.5]}}]}
    (root / "train.jsonl").write_text(json.dumps(line) + "\n")
    read = Records(root, missing="keep")
    assert read[0].objects[0].box.xyxy == tuple(box) and dict(read.problems) == ({reason: 1} if reason else {})


def test_half_a_character_is_told(made):
    """JSON may spell it, no file can hold it; a whole one beyond the first plane is read."""
    root, records = made
    path, lines = root / "train.jsonl", (root / "train.jsonl").read_text().splitlines()
    data = json.loads(lines[1])
    for text, ok in (("\ud83d\ude00 a moon", True), ("\ud83d a moon", False)):
        path.write_text("\n".join([lines[0], json.dumps(data | {"captions": [text]}), *lines[2:]]) + "\n")
        if ok:
            assert Records(root)[1].captions == ("\N{GRINNING FACE} a moon",)
        else:
            with pytest.raises(FileError, match="surrogates"):
                Records(root)[1]


def test_lines_of_others_may_have_any_order_and_missing_pictures_are_counted(made):
    root, records = made
    lines = [json.loads(line) for line in (root / "train.jsonl").read_text().splitlines()]
    (root / "train.jsonl").write_text("".join(json.dumps(dict(reversed(line.items()))) + "\n" for line in lines))
    assert [r.phrases for r in Records(root)] == [r.phrases for r in records]
    (root / lines[2]["picture"]).unlink()
    found = Records(root)
    assert len(found) == 5 and found.problems["picture not found"] == 1


def test_things_are_counted_without_reading_the_whole_line(made):
    root, records = made
    read = Records(root)
    assert [read.things(k) for k in range(len(read))] == [
        sum(not o.crowd and o.part_of is None for o in r.objects) for r in records]


def test_ids_of_no_object_are_counted(made):
    root, _ = made
    path = root / "train.jsonl"
    data = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**data, "relations": [
        {"subject": data["objects"][0]["id"], "predicate": "beside", "object": "gone"}]}) + "\n")
    read = Records(root)
    assert read[0].relations and read.problems["id of no object"] == 1
    assert read.examples["id of no object"] == [f"record {read[0].id}: gone"]
