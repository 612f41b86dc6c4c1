"""Corpora for other trainers: regions as words, read back by the same codec."""

from __future__ import annotations

import json
from functools import partial

import pytest

from loupe.codec import codec
from loupe.data.transcripts import write_transcripts
from loupe.errors import ConfigError, FileError
from loupe.frame import frame, pad, squash
from loupe.image import Image
from loupe.readers import reader
from loupe.regions import Box, Polygon
from loupe.sample import ImageMark, Regions, Sample, assistant, user
from tests.data.test_draw import coco_folder

SIDE = 64


@pytest.fixture
def picture(tmp_path) -> Image:
    coco_folder(tmp_path / "coco", "train2017", [1])  # 20 x 10
    return reader("coco")(tmp_path / "coco", "train2017")[0].image


def said(path) -> list:
    return json.loads(path.read_text("utf-8"))


def view(width, height):
    return squash(width, height, SIDE)


def test_llava(picture, tmp_path):
    found = Sample((picture,), (user("Where is the cup?"), assistant(Box(5, 0, 15, 5))), "grounding", "a")
    told = Sample((picture,), (user("What is ", Box(0, 0, 20, 10), "?"), assistant("Ü"), user("Sure?"),
                               assistant("yes")), "description", "b")
    done = write_transcripts([[found, told]], tmp_path / "out" / "x.json", codec("pink"), view, below=tmp_path)
    assert (done.dialogues, done.pictures, dict(done.left_out)) == (2, 1, {})
    name = picture.path.relative_to(tmp_path).as_posix()
    assert said(tmp_path / "out/x.json") == [
        {"id": "a", "image": name, "conversations": [
            {"from": "human", "value": "<image>\nWhere is the cup?"},
            {"from": "gpt", "value": "[0.250,0.000,0.750,0.500]"}]},
        {"id": "b", "image": name, "conversations": [
            {"from": "human", "value": "<image>\nWhat is [0.000,0.000,1.000,1.000]?"}, {"from": "gpt", "value": "Ü"},
            {"from": "human", "value": "Sure?"}, {"from": "gpt", "value": "yes"}]}]
    read = reader("llava")(tmp_path / "out", file="x.json", images=tmp_path)  # our own reader of that layout
    assert [d.texts[0] for d in read[0].dialogues] == ["Where is the cup?", "What is [0.000,0.000,1.000,1.000]?"]


def test_messages_together(picture, tmp_path):
    one = [Sample((picture,), (user(q), assistant(a)), "question", q) for q, a in (("A?", "a"), ("B?", "b"))]
    path = tmp_path / "x.jsonl"
    done = write_transcripts([one, one[:1]], path, codec("pink"), view, form="messages", together=True)
    first, second = map(json.loads, path.read_text().splitlines())
    assert [m["content"] for m in first["messages"]] == ["<image>\nA?", "a", "B?", "b"]
    assert [m["role"] for m in second["messages"]] == ["user", "assistant"] and done.dialogues == 2
    assert first["images"] == [str(picture.path.resolve())]


@pytest.mark.parametrize("name", ["pink", "shikra", "llava", "qwen2.5-vl", "qwen3-vl", "minigpt", "lyrics"])
def test_words_are_read_back(name, picture, tmp_path):
    """The codec and frame that wrote a box find it again, within a step."""
    box, digits = Box(3, 2, 17, 9), codec(name)
    known = frame(digits.frame or "squash", 20, 10, 336)
    sample = Sample((picture,), (user("Where?"), assistant(Regions((box,), "cup"))), "grounding", "a")
    write_transcripts([[sample]], tmp_path / "x.json", digits, partial(frame, digits.frame or "squash", size=336))
    answer = said(tmp_path / "x.json")[0]["conversations"][1]["value"]
    found, = [part.region for part in digits.parse(answer, known).parts if hasattr(part, "region")]
    assert found.xyxy == pytest.approx(box.xyxy, abs=0.35)


def test_what_cannot_be_written_is_counted(picture, tmp_path):
    hidden = tmp_path / "gone.jpg"
    samples = [Sample((picture,), (user("?"), assistant(Polygon(((0, 0), (9, 0), (9, 9))))), "region", "a"),
               Sample((picture,), (user("?"),), "region", "b"),
               Sample((Image(path=hidden),), (user("?"), assistant("x")), "question", "c"),
               Sample((picture,), (user("?"), assistant(Box(90, 90, 99, 99))), "grounding", "d")]
    done = write_transcripts([[s] for s in samples], tmp_path / "x.json", codec("shikra"), partial(pad, size=SIDE))
    assert done.dialogues == 0 and said(tmp_path / "x.json") == []
    assert sorted(done.left_out.values()) == [1, 1, 1, 1]
    assert {"question: picture does not exist", "region: a question without an answer"} < set(done.left_out)


def test_pictures_stand_where_they_are_named(picture, tmp_path):
    turns = user("Is ", ImageMark(1), " like ", ImageMark(0), "?"), assistant("yes")
    two = Sample((picture, picture), turns, "", "a")
    bare = Sample((), (user("Where is it?"), assistant(Box(0, 0, 5, 5))), "stated", "b", canvas=(20, 10))
    write_transcripts([[two], [bare]], tmp_path / "x.json", codec("pink"), view)
    first, second = said(tmp_path / "x.json")
    assert first["conversations"][0]["value"] == "Is <image> like <image>?" and len(first["image"]) == 2
    assert "image" not in second and second["conversations"][0]["value"] == "Where is it?"


def test_wrong_input(picture, tmp_path):
    with pytest.raises(ConfigError, match="choose one of: llava, messages"):
        write_transcripts([], tmp_path / "x", codec("pink"), view, form="jsonl")
    with pytest.raises(FileError, match="cannot write"):
        write_transcripts([], tmp_path, codec("pink"), view)
    assert not list(tmp_path.parent.glob("*.part*"))
