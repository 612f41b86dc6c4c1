"""Instructions without pictures: every layout, what is left out, and learning from them beside pictures."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from layouts import write

from loupe.data.draw import open_mixture
from loupe.data.mixture import Mixture, Source
from loupe.data.overlap import keys
from loupe.errors import FileError
from loupe.readers import reader
from loupe.record import Turns
from loupe.tasks import task

ALPACA = {"instruction": "Name the capital.", "input": "Of France.", "output": "Paris."}
ORCA = {"id": "cot.1", "system_prompt": "Think step by step.", "question": "2 + 2?", "response": "It is 4."}
UNNATURAL = {"instruction": "Count.", "instances": [
    {"instruction_with_input": "Count the words: a b", "constraints": "Answer in digits.", "output": "2"},
    {"instruction_with_input": "Count: a", "constraints": "None.", "output": "1"}]}
SHARED = {"id": "s", "conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hello.\nWell?"},
                                       {"from": "human", "value": "Well."}, {"from": "gpt", "value": "Good."}]}


def test_every_layout(tmp_path):
    write(tmp_path / "all.json", [ALPACA, {**ALPACA, "input": ""}, ORCA, UNNATURAL, SHARED])
    records = reader("instructions")(tmp_path)
    assert [[talk.texts for talk in r.dialogues] for r in records] == [
        [("Name the capital.\n\nOf France.", "Paris.")], [("Name the capital.", "Paris.")],
        [("Think step by step.\n\n2 + 2?", "It is 4.")],
        [("Count the words: a b Answer in digits.", "2"), ("Count: a", "1")],
        [("Hello", "Hello.\nWell?", "Well.", "Good.")]]
    assert all((r.image, r.images, r.width, r.height) == (None, (), 0, 0) for r in records)
    assert len({r.id for r in records}) == 5 and records[2].id == "cot.1" and not records.problems
    assert records[3].dialogues[1] == Turns(("Count: a", "1"), "1") and len(records.hash) == 64


def test_lines_a_named_file_and_a_split(tmp_path):
    lines = "".join(json.dumps(each) + "\n" for each in (ALPACA, ORCA))
    (tmp_path / "orca.jsonl").write_text(lines)
    write(tmp_path / "train.json", [ALPACA])
    assert len(reader("instructions")(tmp_path, file="orca.jsonl")) == 2
    assert len(reader("instructions")(tmp_path, "train")) == len(reader("instructions")(tmp_path)) == 1


def test_what_is_no_instruction_is_counted(tmp_path):
    about = {**SHARED, "image": "a.jpg"}
    broken = [{**ALPACA, "output": " "}, {**ORCA, "question": 3, "system_prompt": None}, {"instances": []},
              {"instances": ["?"]}, {"conversations": SHARED["conversations"][1:3]}, {"text": "a"}, 7]
    write(tmp_path / "train.json", [ALPACA, about, *broken])
    (record,) = records = reader("instructions")(tmp_path)
    assert record.dialogues[0].texts[1] == "Paris."
    assert records.problems == Counter({
        "instruction without words or answer": 4, "entry about a picture": 1, "entry is of another form": 2,
        "dialogue that does not alternate human, gpt": 1})


def test_what_is_odd_is_counted_once(tmp_path):
    """A record may keep one instance and lose another: counted when the file is opened, not again when it is read."""
    write(tmp_path / "train.json", [{"instances": [*UNNATURAL["instances"], {"instruction_with_input": "?"}]}])
    (record,) = records = reader("instructions")(tmp_path)
    assert len(record.dialogues) == 2 and records.problems == Counter({"instruction without words or answer": 1})


def test_another_file_is_refused(tmp_path):
    write(tmp_path / "train.json", {"images": []})
    with pytest.raises(FileError, match="another layout"):
        reader("instructions")(tmp_path)
    write(tmp_path / "train.json", [{"text": "a"}])
    with pytest.raises(FileError, match='got.*"text".*expected.*instruction'):
        reader("instructions")(tmp_path)


def test_words_have_no_picture_to_ask_about(tmp_path):
    write(tmp_path / "train.json", [ALPACA])
    (record,) = reader("instructions")(tmp_path)
    rng = np.random.default_rng(0)
    sample = task("dialogue")(record, rng)
    assert sample.images == () and [t.role for t in sample.turns] == ["user", "assistant"]
    assert keys(record, by_content=True) == frozenset()
    for name in ("reconstruction", "grounding", "caption", "question", "segmentation"):
        assert task(name)(record, rng) is None and task(name).pose(record, rng) is None and not task(name).every(record)


def test_they_stand_beside_pictures_in_a_mixture(tmp_path):
    from loupe import world

    world.write(tmp_path / "data", 6, seed=3, val=0)
    (tmp_path / "data/alpaca").mkdir()
    write(tmp_path / "data/alpaca/train.json", [{**ALPACA, "instruction": f"Say {k}."} for k in range(6)])
    mixture = Mixture((Source("coco", "coco", "coco", "train2017", (("detection", 1.0),)),
                       Source("alpaca", "instructions", "alpaca", "train", (("dialogue", 1.0),))), pairs_per_image=2)
    groups = open_mixture(mixture, tmp_path / "data", seed=0)
    kinds = Counter(bool(sample.images) for k in range(len(groups)) for sample in groups[k])
    assert kinds[False] == 6 and kinds[True] >= 6
    assert groups.about["sources"]["alpaca"]["records"] == 6
    alone = open_mixture(replace(mixture, sources=mixture.sources[1:]), tmp_path / "data", seed=0)
    assert sorted(alone[k][0].turns[0].parts[0].split()[1] for k in range(6)) == [f"{k}." for k in range(6)]
