from collections import Counter

import pytest
from layouts import llava, write

from loupe.errors import FileError
from loupe.readers import reader
from loupe.record import Turns


def test_conversations_by_picture_without_the_mark(tmp_path):
    records = reader("llava")(llava(tmp_path))
    cup, other = records
    assert cup.dialogues == (Turns(("What is this?", "A cup.\nIt is teal.", "Where?", "Here."), "a"),
                             Turns(("Again?", "Yes."), "d"))
    assert (cup.width, cup.height, cup.id, cup.extra) == (20, 10, "00001/cup.jpg", {})
    assert other.dialogues[0].texts == ("Describe it.", "Nothing much — ça va.") and other.extra == {"coco_id": 139}
    assert records.problems == Counter({"entry without a picture": 1})


def test_captions_alone(tmp_path):
    records = reader("llava-captions")(llava(tmp_path))
    assert [r.captions for r in records] == [("A cup.\nIt is teal.", "Yes."), ("Nothing much — ça va.",)]
    assert all(r.dialogues == () for r in records)


def test_what_is_no_dialogue_is_counted(tmp_path):
    llava(tmp_path)
    human, gpt = {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}
    entries = [[gpt, human], [human, human], [human, gpt, human], [human, {"from": "gpt", "value": "  "}],
               [human, 3], [human, gpt]]
    write(tmp_path / "chat.json", [
        {"id": k, "image": "00001/cup.jpg", "conversations": c} for k, c in enumerate(entries)] + [
            {"id": "x", "image": "00001/cup.jpg"}, {"id": "y", "image": ["a.jpg", "b.jpg"], "conversations": []}])
    (record,) = records = reader("llava")(tmp_path)
    assert [(d.texts, d.id) for d in record.dialogues] == [(("a", "b"), "2"), (("a", "b"), "5")]
    assert records.problems == Counter({
        "dialogue that does not alternate human, gpt": 3, "dialogue ends with a question: the question is left out": 1,
        "dialogue with an empty turn": 1, "entry without conversations": 1, "entry with several pictures": 1})


def test_the_file_is_chosen_or_asked_for(tmp_path):
    llava(tmp_path)
    write(tmp_path / "other.json", [])
    assert len(reader("llava")(tmp_path)) == 2
    assert len(reader("llava")(tmp_path, file="other.json")) == 0
    (tmp_path / "chat.json").rename(tmp_path / "mine.json")
    with pytest.raises(FileError, match="give file="):
        reader("llava")(tmp_path)
    write(tmp_path / "other.json", {"images": []})
    with pytest.raises(FileError, match="another layout"):
        reader("llava")(tmp_path, file="other.json")


def test_a_picture_that_does_not_decode_is_skipped_by_iteration(tmp_path):
    llava(tmp_path)
    (tmp_path / "images/00001/cup.jpg").write_bytes(b"no picture")
    records = reader("llava")(tmp_path)
    assert [r.id for r in records] == [r.id for r in records] == ["000000000139.jpg"]
    assert records.problems["picture does not decode"] == 1


def test_the_real_caption_pairs(shared_data, tmp_path):
    from layouts import picture
    picture(tmp_path / "00001/000019465.jpg")
    picture(tmp_path / "00001/000016513.jpg", 30, 40)
    records = reader("llava-captions")(shared_data / "formats/llava_pretrain", images=tmp_path)
    assert [(r.captions, r.width) for r in records] == [
        (("the bunk room",), 40), (("a garden with a clipped hedge and a large stone fountain in front of it",), 30)]
    assert records.problems == Counter({"picture not found": 98})
