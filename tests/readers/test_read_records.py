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
    assert f"byte {len(lines[0])}" in str(error.value)
    bad = json.loads(lines[0]) | {"objects": [{"id": "1", "bix": 3}]}
    path.write_text(json.dumps(bad) + "\n")
    with pytest.raises(FileError, match="no record"):
        Records(root, missing="keep")[0]


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
