"""POPE, MMBench and MM-Vet: what their files say, by hand, and on real records where they are there."""

import base64
import shutil

import judged_layouts
import pytest

from loupe.errors import FileError, ImageError
from loupe.evals import BENCHMARKS, evaluate, open_questions
from loupe.evals.asking import ask
from loupe.readers.mm_vet import MMVet
from loupe.readers.mmbench import MMBench
from loupe.readers.pope import Pope
from loupe.sample import Answer


class Says:
    def __init__(self, answers, name="says"):
        self.answers, self.name = answers, name

    def answer(self, samples):
        for s in samples:
            yield Answer((self.answers(s),), (), self.answers(s))


def test_pope_is_joined_by_id(tmp_path):
    root = judged_layouts.pope(tmp_path / "pope")
    records = Pope(root, "random")
    assert [(r.id[-5:], [(q.id, q.text, q.answers) for q in r.questions]) for r in records] == [
        ("1.jpg", [("3", "Is there a dog in the image?", ("yes",)), ("1", "Is there a car in the image?", ("no",))]),
        ("2.jpg", [("2", "Is there a cup in the image?", ("no",))])]
    truth = {"3": "yes", "1": "no", "2": "no"}
    right = evaluate(Says(lambda s: truth[s.id.rsplit("/", 1)[1]]), "pope-random", tmp_path, count="any")
    assert right["accuracy"] == right["F1"] == 1 and right["yes-ratio"] == pytest.approx(1 / 3)
    always = evaluate(Says(lambda s: "Yes."), "pope-random", tmp_path, count="any")
    assert (always["accuracy"], always["recall"], always["yes-ratio"]) == (pytest.approx(1 / 3), 1.0, 1.0)


def test_pope_counts_what_it_leaves_out(tmp_path):
    root = judged_layouts.pope(tmp_path / "pope")
    file = root / "coco_pope_random.json"
    with file.open("a") as out:
        out.write('{"question_id": 3, "image": "COCO_val2014_000000000001.jpg", "text": "Again?", "label": "no"}\n'
                  '{"question_id": 8, "image": "COCO_val2014_000000000001.jpg", "text": "Maybe?", "label": "maybe"}\n'
                  '{"image": "COCO_val2014_000000000001.jpg"}\n'
                  '{"question_id": 9, "image": "COCO_val2014_000000000009.jpg", "text": "Gone?", "label": "no"}\n')
    records = Pope(root, "random")
    assert sum(len(r.questions) for r in records) == 3
    assert dict(records.problems) == {"question id given twice": 1, "question without words or a yes or no": 1,
                                      "entry is of another form": 1, "picture not found": 1}
    file.write_text('{"question_id": 1, "im')
    with pytest.raises(FileError, match="no JSON"):
        Pope(root, "random")


def test_real_pope_records(shared_data):
    for split in ("random", "popular", "adversarial"):
        records = Pope(shared_data / "coco_photos", split)
        lines = (shared_data / f"coco_photos/pope/coco_pope_{split}.json").read_text().splitlines()
        assert sum(len(r.questions) for r in records) == len(lines) > 0 and not records.problems
        first = Pope(shared_data / "formats/pope", split, missing="keep", file=f"coco_pope_{split}_first300.jsonl")
        assert len(first) >= 50 and not first.problems


def test_mmbench_by_hand(tmp_path):
    records = MMBench(judged_layouts.mmbench(tmp_path), "dev_en")
    assert [r.id for r in records] == ["1", "3", "4"] and dict(records.problems) == {"question without an answer": 1}
    one, three, four = (r.questions[0] for r in records)
    assert (one.text, one.answers, one.options) == ("What is it?", ("a dog",), ("a cup", "a dog"))
    assert three.text == 'It says "hello you". Which?' and three.topics == ("about colour", "colour")
    assert four.answers == ("4",) and records[2].image.size == records[0].image.size


def test_circular_questions_by_hand(tmp_path):
    judged_layouts.mmbench(tmp_path / "mmbench")
    questions = open_questions("mmbench-dev-en", tmp_path, "any")
    assert [s.extra["shift"] for s in questions.samples] == [0, 1, 0, 1, 2, 0, 1, 2, 3]
    shown = ["".join(s.turns[0].parts) for s in questions.samples[2:5]]
    assert ["A red, B blue, C green" in shown[0], "A blue, B green, C red" in shown[1], "A green, B red, C blue" in
            shown[2]] == [True] * 3
    assert [s.extra["truth"] for s in questions.samples] == [*"BA", *"ACB", *"DCBA"]
    assert len({s.id for s in questions.samples}) == 9
    for limit, expected in ((1, {2, 3, 4}), (5, {4, 5}), (9, {9})):  # whole questions only
        some = questions.some(limit)
        assert len(some) in expected and len({s.extra["unit"] for s in some}) == len(
            [s for s in some if s.extra["shift"] == 0])
    result = evaluate(Says(lambda s: s.extra["truth"]), questions)
    assert [f.value for f in result.scores.figures] == [1, 1, 1] and set(result.kinds) == {
        "about colour", "about object", "about things"}
    stubborn = evaluate(Says(lambda s: "B"), questions)
    assert stubborn["right in every rotation"] == 0 and stubborn["right as written"] == pytest.approx(1 / 3)


def test_damaged_mmbench(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        MMBench(tmp_path, "dev_en")
    root = judged_layouts.mmbench(tmp_path / "a", [
        {"index": "1", "question": "?", "A": "x", "B": "y", "answer": "A"},
        {"index": "1", "question": "?", "A": "x", "B": "y", "answer": "A"},
        {"index": "2", "question": "?", "A": "x", "B": "y", "answer": "C"},
        {"index": "3", "question": "", "A": "x", "B": "y", "answer": "A"},
        {"index": "5", "question": "?", "A": "x", "B": "nan", "C": "z", "answer": "A"},
        {"index": "6", "question": "?", "A": "x", "B": "y", "answer": "A", "image": "no base64!" * 10},
        {"index": "7", "question": "?", "A": "x", "B": "y", "answer": "A",
         "image": base64.b64encode(b"no picture" * 10).decode()}])
    records = MMBench(root, "dev_en")
    assert [r.id for r in records] == ["1"]
    assert dict(records.problems) == {"index given twice": 1, "answer is none of the options": 2,
                                      "line without index, question or picture": 1, "picture does not decode": 2}
    with pytest.raises(ImageError, match="index 6"):
        records[1]
    file = root / "MMBench_DEV_EN.tsv"
    file.write_bytes(file.read_bytes() + b"too\tfew\n")
    assert MMBench(root, "dev_en").problems["line with another number of fields"] == 1
    file.write_bytes(file.read_bytes() + b'8\t"an open quote\t\t\n')
    with pytest.raises(FileError, match="quoted field"):
        MMBench(root, "dev_en")
    file.write_bytes(b"a\tb\n1\t2\n")
    with pytest.raises(FileError, match="no file of MMBench"):
        MMBench(root, "dev_en")
    file.write_bytes("index\tquestion\tA\tB\timage\n1\té".encode("latin-1"))
    with pytest.raises(FileError, match="cannot be read"):
        MMBench(root, "dev_en")


def test_mm_vet_by_hand(tmp_path):
    root = judged_layouts.mm_vet(tmp_path / "mm-vet")
    records = MMVet(root)
    assert [(r.id, r.questions[0].answers, r.questions[0].topics) for r in records] == [
        ("v1_0", ("-1<AND>-5",), ("ocr", "math")), ("v1_1", ("rain<OR>wet",), ("know",))]
    result = evaluate(Says(lambda s: "It is -1, or because it is wet"), "mm-vet", tmp_path, count="any")
    assert [f.value for f in result.scores.figures] == [0.75, 1.0, 0.5, 0.5]  # all, know, math, ocr
    shutil.rmtree(root / "images")
    with pytest.raises(FileError, match="none of the 2 pictures"):
        MMVet(root)


def test_real_mm_vet_is_whole(shared_data):
    records = MMVet(shared_data / "formats/mmvet", missing="keep")
    assert len(records) == BENCHMARKS["mm-vet"].count and not records.problems
    assert list(ask(BENCHMARKS["mm-vet"], [])) == []
