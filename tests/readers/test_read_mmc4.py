"""Multimodal C4: each picture of a document with the sentence it is matched to; what is lost is counted."""

from __future__ import annotations

import json

import pytest
from instruction_layouts import mmc4

from loupe.errors import FileError
from loupe.readers import reader

SHARD = "docs_no_face_shard_0_v2.jsonl"


def test_every_picture_says_its_sentence(tmp_path):
    records = reader("mmc4")(mmc4(tmp_path), "train")  # no folder "train": all shards
    assert [r.captions for r in records] == [("A cup of tea.",), ("Ein Café.",), ("Tea is grown on hills.",)]
    assert [r.extra["similarity"] for r in records] == [0.31, 0.19, 0.27]
    assert [r.image.name for r in records] == ["b9040a0dbb22.jpg", "0c1d.png", "b9040a0dbb22.jpg"]
    assert len({r.id for r in records}) == 3 and not records.problems
    assert records[2] == list(records)[2] and records[0].split == "train"


def test_several_shards_of_a_split(tmp_path):
    mmc4(tmp_path)
    (tmp_path / "core").mkdir()
    for k in (2, 1):
        (tmp_path / f"core/{k}.jsonl").write_bytes((tmp_path / SHARD).read_bytes())
    records = reader("mmc4")(tmp_path, "core")
    assert len(records) == 6 and records[0].id.startswith("1/") and records[5].id.startswith("2/")
    assert records[5].captions == records[2].captions
    assert len(reader("mmc4")(tmp_path, files="core/1*")) == 3


def test_what_is_left_out_is_counted(tmp_path):
    mmc4(tmp_path)
    document = json.loads((tmp_path / SHARD).read_text().splitlines()[0])
    one = document["image_info"][0]
    odd = [one | {"matched_text_index": at} for at in (3, -1, True, None)] + [
        one | {"image_name": None}, "picture", one | {"image_name": "gone.jpg"}, one | {"matched_sim": "high"}]
    lines = [document | {"image_info": [*odd, *document["image_info"]]}, {"text_list": []}, [1]]
    (tmp_path / SHARD).write_text("".join(json.dumps(line) + "\n" for line in lines))
    records = reader("mmc4")(tmp_path, least=0.25)
    assert [r.extra for r in records] == [{}, {"similarity": 0.31}], "without a number it stays"
    assert dict(records.problems) == {"picture without a sentence": 4, "picture without a name": 2,
                                      "picture not found": 1, "less similar than asked for": 1,
                                      "document is of another form": 2}


def test_another_file_is_refused(tmp_path):
    mmc4(tmp_path)
    (tmp_path / SHARD).write_text('{"caption": "a cup"}\n')
    with pytest.raises(FileError, match="another layout.*text_list"):
        reader("mmc4")(tmp_path)
    (tmp_path / SHARD).unlink()
    with pytest.raises(FileError, match="jsonl"):
        reader("mmc4")(tmp_path)
