"""ChatSpot's sources by hand: what each file says becomes questions, words and regions."""

import json
from collections import Counter

import numpy as np
import pytest
import text_layouts
from layouts import picture, write
from PIL import Image

from loupe.errors import ConfigError, FileError
from loupe.readers import reader
from loupe.readers.base import clipped_ring, words
from loupe.record import Question, Word
from loupe.regions import Box, Mask, Point, Polygon


def asked(record):
    return [(q.id, q.text, q.answers) for q in record.questions]


def test_ocr_vqa_by_split(tmp_path):
    root = text_layouts.ocr_vqa(tmp_path)
    train = reader("ocr-vqa")(root, "train")
    assert [asked(r) for r in train] == [
        [("0140449264:0", "Who wrote this book?", ("A. Nyö",)), ("0140449264:1", "Is this a cookbook?", ("No",))],
        [("1559:0", "What is the genre?", ("Poetry",))]]
    assert [r.id for r in reader("ocr-vqa")(root, "test")] == ["B00ABC"] and len(reader("ocr-vqa")(root)) == 3
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        reader("ocr-vqa")(root, "trian")
    data = json.loads((root / "dataset.json").read_text())
    data["1559"]["answers"] = ["Poetry", "Prose"]
    data["0140449264"]["split"] = "train"
    write(root / "dataset.json", data)
    train = reader("ocr-vqa")(root, "train")
    assert len(list(train)) == 1 and train.problems == Counter(
        {"book without a split": 1, "questions and answers of different number": 1})


def test_st_vqa_knows_the_pictures_of_others(tmp_path):
    coco, genome = reader("st-vqa")(text_layouts.st_vqa(tmp_path))
    assert asked(coco) == [("7", "What does the sign say?", ("stop", "STOP")), ("8", "Which street?", ("Rue Café",))]
    assert (coco.extra, genome.extra, coco.split) == ({"coco_id": 9}, {"vg_id": 12}, "train")


def test_docvqa_in_its_layout_and_as_lines(tmp_path):
    root = text_layouts.docvqa(tmp_path)
    first, second = reader("docvqa")(root)
    assert asked(first)[1] == ("338", "Who is it from?", ("K. Löw", "Löw")) and len(asked(second)) == 1
    lines = [{"image": "xnbl0037_1.png", "question_id": 5, "answer": ["a", "b"],
              "question": "What date?\nAnswer the question using a single word or phrase."}] * 2
    (root / "val.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    (record,) = reader("docvqa")(root, "val", file="val.jsonl", images="train/documents")
    assert asked(record) == [("5", "What date?", ("a", "b")), ("5#1", "What date?", ("a", "b"))]
    test = json.loads((root / "train_v1.0_withQT.json").read_text())
    for entry in test["data"]:
        del entry["answers"]
    write(root / "test_v1.0.json", test)
    unanswered = reader("docvqa")(root, "test")
    assert len(unanswered) == 0 and unanswered.problems == Counter({"question without words or answer": 3})


def test_textvqa_says_first_what_most_said(tmp_path):
    first, second = reader("textvqa")(text_layouts.textvqa(tmp_path), "train")
    votes = ("toshiba", *["nokia"] * 8, "phone")
    assert first.questions == (Question("what is the brand?", ("nokia", "toshiba", "phone"), "0", votes=votes),)
    assert second.questions[0].answers == ("naïve",) and (first.width, first.height) == (40, 30)


def test_coco_text_by_set_with_boxes_or_outlines(tmp_path):
    root = text_layouts.coco_text(tmp_path / "coco_text")
    val = reader("coco-text")(root, "val")
    assert [r.words for r in val] == [(Word("EXIT", Box(2, 3, 12, 9)), Word("Café", Box(20, 10, 30.5, 18.5))),
                                      (Word("7up", Box(4, 4, 13, 9)),)]
    assert val.problems == Counter({"text that cannot be read": 1})
    assert [r.extra for r in val] == [{"coco_id": 5}, {"coco_id": 6}]
    assert [r.id for r in reader("coco-text")(root, "train")] == ["8"] and len(reader("coco-text")(root)) == 3
    outlined = reader("coco-text")(root, "val", region="outline")[1].words[0].region
    assert outlined == Polygon(((4, 4), (13, 5), (13, 9), (4, 9))) and outlined.box == Box(4, 4, 13, 9)
    old = json.loads((root / "cocotext.v2.json").read_text())
    for ann in old["anns"].values():
        ann["polygon"] = ann.pop("mask")
    (root / "cocotext.v2.json").unlink()
    write(root / "COCO_Text.json", old)
    assert reader("coco-text")(root, "val", region="outline")[1].words[0].region == outlined
    with pytest.raises(FileError, match="lacks 'anns'"):
        write(root / "COCO_Text.json", {"imgs": {}})
        reader("coco-text")(root, "val")


def test_hiertext_words_lines_and_packed_files(tmp_path):
    root = text_layouts.hiertext(tmp_path)
    words = reader("hiertext")(root, "train")
    assert [[w.text for w in r.words] for r in words] == [["OPEN", "über", "late"], ["no 5"]]
    assert words[1].words[0].region == Polygon(((3, 3), (11, 3), (11, 7), (3, 7)))
    assert words.problems == Counter({"text that cannot be read": 1})
    lines = reader("hiertext")(root, "train", level="lines")
    assert [[w.text for w in r.words] for r in lines] == [["OPEN über", "late"], ["no 5"]]
    (root / "gt/train.jsonl").rename(root / "gt/train.jsonl.gz")
    with pytest.raises(FileError, match="packed.*gunzip -k"):
        reader("hiertext")(root, "train")


def test_art_keeps_curved_outlines(tmp_path):
    curved, straight = reader("art")(text_layouts.art(tmp_path))
    assert [w.text for w in curved.words] == ["Bäckerei"] and len(curved.words[0].region.points) == 8
    assert [w.text for w in straight.words] == ["BANK", "24h"] and straight.id == "gt_7"


def test_looktwice_has_three_wordings_of_a_question(tmp_path):
    root = text_layouts.looktwice(tmp_path / "pointqa")
    two, three = reader("pointqa-looktwice")(root, "test")
    assert len(two.questions) == 6 and two.questions[:2] == (
        Question("How many of these birds are there?", ("2",), "2:0:object", Box(2, 3, 12, 11), Point(3, 4), "object"),
        Question("How many of these animals?", ("2",), "2:0:super", Box(2, 3, 12, 11), Point(3, 4), "super"))
    assert two.questions[3].answers == ("two",) and three.extra == {"vg_id": 3}
    assert [r.id for r in reader("pointqa-looktwice")(root, "train")] == ["4"]
    assert len(reader("pointqa-looktwice")(root)) == 3
    with pytest.raises(FileError, match="looktwiceqa_val_imgs.json"):
        reader("pointqa-looktwice")(root, "val")


def test_vizwiz_by_outline_or_mask(tmp_path):
    root = text_layouts.vizwiz(tmp_path)
    first, second = reader("vizwiz-grounding")(root, "val")
    assert first.questions == (Question("What is this?", ("soup", "tin"), "VizWiz_val_00000001.jpg",
                                        Polygon(((3, 3), (20, 3), (20, 20), (3, 20)))),)
    assert second.questions[0].answers == ("te", "té")
    data = json.loads((root / "val_grounding.json").read_text())
    for entry in data.values():
        del entry["answer_grounding"]
    write(root / "val_grounding.json", data)
    seen = np.zeros((30, 40), bool)
    seen[5:10, 6:20] = True
    (root / "binary_masks_png/val").mkdir(parents=True)
    Image.fromarray(seen).save(root / "binary_masks_png/val/VizWiz_val_00000001.png")
    picture(root / "binary_masks_png/val/VizWiz_val_00000002.png", 8, 8)
    masked = reader("vizwiz-grounding")(root, "val")
    assert masked[0].questions[0].region == Mask.from_array(seen) and not masked[1].questions
    assert masked.problems == Counter({"mask is empty or of another size": 1, "answer without a region": 1})
    assert reader("vizwiz-grounding").evaluation_only


def test_boxes_of_llava_665k_are_of_the_padded_square(tmp_path):
    root = text_layouts.llava_boxes(tmp_path)
    records = reader("llava-665k")(root)
    cup, tree = records
    (talk,) = cup.dialogues  # 40 x 30 padded to 40 x 40: five rows above, five below
    assert talk.texts == ("Where is the cup [1]?", "<r1>", "And here: <r1>, <r2>?", "Café.")
    assert talk.regions == (("<r1>", Box(10, 5, 20, 25)), ("<r2>", Box(20, 15, 30, 20)))
    assert (cup.extra, tree.extra, tree.dialogues[0].regions) == ({"coco_id": 139}, {"vg_id": 1}, ())
    assert records.problems == Counter({"entry without a picture": 1})
    (plain,) = reader("llava-665k")(root, space="picture")[0].dialogues
    assert dict(plain.regions)["<r1>"] == Box(10, 7.5, 20, 22.5)
    data = json.loads((root / "llava_v1_5_mix665k.json").read_text())
    data[0]["conversations"][1]["value"] = "[0.5, 0.5, 0.25, 0.75]"  # inside out
    data[1]["conversations"][0]["value"] = "What is <r1> at [0.1, 0.2, 0.5, 0.75]?"
    write(root / "llava_v1_5_mix665k.json", data)
    records = reader("llava-665k")(root)
    assert [len(r.dialogues) for r in records] == [0, 1]
    assert records[1].dialogues[0].texts[0] == "What is <r1> at <<r1>>?"
    assert records.problems["dialogue with a box that is none: left out"] == 1


def test_outlines_are_clipped_and_counted():
    counted = Counter()

    def note(reason, example):
        counted[reason] += 1

    assert clipped_ring([[-5, 2], [10, 2], [10, 8]], 20, 20, note, "") == Polygon(((0, 2), (10, 2), (10, 8)))
    assert clipped_ring([1, 2, 10, 2, 10, 8], 20, 20, note, "") == Polygon(((1, 2), (10, 2), (10, 8)))
    for bad in ([[1, 2], [3, 4]], [1, 2, 3], "x", None, [[1, 2], [3, float("nan")], [5, 6]],
                [[1, True], [2, 2], [3, 9]], [[1, 1], [5, 5], [9]], [[30, 30], [40, 30], [40, 40]],
                [[1, 1], [5, 1], [9, 1]]):
        assert clipped_ring(bad, 20, 20, note, "") is None
    assert counted == Counter({"outline clipped to its picture": 1, "outline is not three or more points": 7,
                               "outline outside its picture": 1, "outline without area": 1})


def test_another_file_is_said_to_be_another(tmp_path):
    for name, file, content in (
            ("docvqa", "train_v1.0.json", {"questions": []}), ("docvqa", "train_v1.0.json", {"data": [{"x": 1}]}),
            ("art", "train_labels.json", [1, 2]), ("art", "train_labels.json", {"info": {"year": 3}}),
            ("ocr-vqa", "dataset.json", {"data": [{"question": "?"}]}),
            ("vizwiz-grounding", "val_grounding.json", {"questions": {"a": 1}}),
            ("hiertext", "train.jsonl", {"annotations": [{"image_id": "a"}]})):
        root = tmp_path / name
        write(root / file, content)
        with pytest.raises(FileError, match="another layout.*expected"):
            reader(name)(root)


def test_real_questions_about_text(shared_data):
    root = shared_data / "formats/textvqa"
    train, val = (reader("textvqa")(root, split) for split in ("train", "val"))
    known = {r.id: r for r in train}
    phone = known["0054c91397f2fe05"]
    (first, *_) = phone.questions
    assert (first.text, first.answers, first.id) == ("what is the brand of phone?", ("nokia", "toshiba"), "0")
    assert Counter(first.votes) == {"nokia": 9, "toshiba": 1}
    assert (phone.width, phone.height) == phone.image.size and len(known) + len(val) >= 6
    assert not set(train.problems) - {"picture not found"}
    documents = reader("docvqa")(shared_data / "formats/docvqa", "val", file="val_first200.jsonl", missing="keep")
    texts = [q.text for k in range(len(documents)) for q in documents._questions(int(documents._order[k]), print)]
    assert len(texts) == 200 and not any("single word or phrase" in text for text in texts)


def test_real_questions_of_visual_genome(shared_data):
    records = reader("visual-genome")(shared_data / "formats/visual_genome/v1.2", missing="keep")
    assert all(r.extra["vg_id"] == int(r.id) and r.questions and r.phrases for r in records) and len(records) == 5
    assert {type(q.region) for r in records for q in r.questions} == {type(None)}


def test_real_points_have_the_looktwice_keys_elsewhere(shared_data, tmp_path):
    """PointQA's verbal questions are another of its files: the reader says so."""
    (tmp_path / "looktwiceqa_dataset.json").write_bytes(
        (shared_data / "formats/pointqa/VerbalSpatial/verbal_dataset.json").read_bytes())
    picture(tmp_path / "2393743.jpg")
    records = reader("pointqa-looktwice")(tmp_path)
    assert records[0].questions == () and records.problems["box is not four numbers"] == 1


def test_halves_of_characters_become_question_marks():
    assert words(" a\ud83d  b\u00e9 ") == "a? bé" and words(3) == ""
