"""What models are measured on, by hand: VSR, Hateful Memes, IconQA, VizWiz, PointQA-Local, Visual7W, captions."""

import json
import shutil
from collections import Counter

import pytest
import question_layouts
from instruction_layouts import vqa
from layouts import picture, write

from loupe.augment import flip, shown
from loupe.errors import FileError
from loupe.evals import open_questions
from loupe.evals.metrics.vqa import accuracy, tidied, unpunctuated
from loupe.readers import reader
from loupe.readers.records import Records
from loupe.regions import Box, Point
from loupe.writers.records import write_records


def change(path, how):
    data = json.loads(path.read_text("utf-8"))
    how(data)
    write(path, data)


def asked(records):
    return [(q.text, q.answers) for r in records for q in r.questions]


def test_vsr(tmp_path):
    root = question_layouts.vsr(tmp_path / "vsr")
    first, second = reader("vsr")(root)
    assert [(q.id, q.answers, q.options, q.topics) for q in first.questions] == [
        ("0", ("true",), ("true", "false"), ("behind",)), ("1", ("false",), ("true", "false"), ("under",))]
    assert first.extra == {"coco_id": 9} and second.questions[0].kind == "statement" and first.split == "test"
    (root / "zeroshot").rename(root / "random")
    assert len(reader("vsr")(root, "test", by="random")) == 2
    with pytest.raises(FileError, match="does not exist"):
        reader("vsr")(root, "test")
    file = root / "random/test.jsonl"
    question_layouts.lines(file, *map(json.loads, file.read_text().splitlines()), {"image": "x.jpg", "caption": "A."},
                           {"image": "000000000009.jpg", "caption": " ", "label": 1}, [7],
                           {"image": "000000000009.jpg", "caption": "A.", "label": True},
                           {"image": "000000000011.jpg", "caption": "A.", "label": 0})
    bad = reader("vsr")(root, "test", by="random")
    assert len(asked(bad)) == 3 and bad.problems == Counter(
        {"sentence without words or a label of 0 or 1": 3, "entry is of another form": 1, "picture not found": 1})


def test_real_vsr(shared_data):
    records = reader("vsr")(shared_data / "coco_photos/vsr", file="vsr_validated.jsonl")
    lines = [json.loads(line) for line in (shared_data / "coco_photos/vsr/vsr_validated.jsonl").open()]
    said = Counter((line["caption"], ("false", "true")[line["label"]]) for line in lines)
    assert Counter((text, answers[0]) for text, answers in asked(records)) == said and not records.problems


def test_hateful_memes(tmp_path):
    root = question_layouts.hateful_memes(tmp_path)
    first, second = reader("hateful-memes")(root)
    assert (first.questions[0].id, first.questions[0].answers, second.questions[0].id, second.questions[0].answers) == (
        "8291", ("yes",), "46971", ("no",))
    (root / "dev.jsonl").rename(root / "dev_seen.jsonl")
    assert len(reader("hateful-memes")(root, "dev")) == 2


def test_iconqa(tmp_path):
    root = question_layouts.iconqa(tmp_path)
    assert [(r.id, r.questions[0].options, r.questions[0].answers) for r in reader("iconqa")(root, "test")] == [
        ("7", ("yes", "nö"), ("nö",)), ("12", ("a", "b", "c"), ("a",))]
    (blank,) = reader("iconqa")(root, "test", kind="fill_in_blank")
    assert blank.questions[0].answers == ("3",) and blank.questions[0].options == ()

    def damage(data):
        data["7"]["answer"], data["12"]["answer"] = "1", 3

    change(root / "problems.json", damage)
    change(root / "pid_splits.json", lambda data: data["choose_txt_test"].extend([13, "99"]))
    bad = reader("iconqa")(root, "test")
    assert [r.id for r in bad] == ["7"], "an index may be written as text; 13 has no picture in test/"
    assert bad.problems == Counter({"question without words or answer": 1, "picture not found": 1,
                                    "question of the split is not in the file": 1})
    with pytest.raises(FileError, match="list of questions"):
        reader("iconqa")(root, "train")


def test_vizwiz_keeps_what_each_of_ten_said(tmp_path):
    root = question_layouts.vizwiz(tmp_path)
    first, second = reader("vizwiz")(root)
    (q,) = first.questions
    assert q.answers == ("soup", "unanswerable", "tomato soup", "a soup", "Tin")
    assert Counter(q.votes) == {"soup": 4, "unanswerable": 3, "tomato soup": 1, "a soup": 1, "Tin": 1}
    assert second.questions[0].votes == ("té",) * 10
    change(root / "val.json", lambda data: data[0]["answers"].__setitem__(0, {"answer": None}))
    assert reader("vizwiz")(root)[0].questions[0].votes[0] == "", "who says nothing stays one of ten"
    (root / "val.json").rename(root / "test.json")
    change(root / "test.json", lambda data: [entry.pop("answers") for entry in data])
    hidden = reader("vizwiz")(root, "test")
    assert len(hidden) == 0 and hidden.problems == Counter({"question without words or answer": 2})


def test_vqav2_keeps_what_each_of_ten_said(tmp_path):
    root = vqa(tmp_path / "vqav2")
    votes = {q.text: q.votes for r in reader("vqa")(root) for q in r.questions}
    assert votes == {"What is this?": ("cup", "mug"), "¿Cuántos?": ("2",), "Where?": ("café", "bar", "bar", "café")}


def test_real_vqav2_is_scored_as_by_leaving_each_out(shared_data, tmp_path):
    """Every answer anybody gave to the 500 published questions: the closed form against the definition."""
    lines = json.loads((shared_data / "formats/vqav2/vqa_annotations_valid_first500.json").read_text())["annotations"]
    for line in lines:
        votes = [answer["answer"] for answer in line["answers"]]
        freed = [unpunctuated(v) for v in votes] if len(set(votes)) > 1 else votes
        for said in {*votes, line["multiple_choice_answer"]}:
            same = [[v for k, v in enumerate(freed) if k != out].count(tidied(said)) for out in range(len(votes))]
            assert accuracy(said, votes) == pytest.approx(sum(min(1.0, n / 3) for n in same) / len(votes))
    usual = [accuracy(line["multiple_choice_answer"], [a["answer"] for a in line["answers"]]) for line in lines]
    assert 0.8 < sum(usual) / len(usual) < 1


def test_local_qa(tmp_path):
    root = question_layouts.localqa(tmp_path / "pointqa")
    records = reader("pointqa-local")(root, "testfinal")
    first = records[0].questions
    assert [(q.id, q.answers, q.region, q.point) for q in first] == [
        ("2:0:0", ("red",), Box(2, 3, 12, 11), Point(7, 7)), ("2:0:1", ("blue",), Box(20, 10, 28, 18), Point(24, 14))]
    assert [r.id for r in reader("pointqa-local")(root, "testdev")] == ["4"] and records[0].extra == {"vg_id": 2}

    def damage(data):
        data["2"][0]["points"][1]["x"] = 70
        data["3"][0]["points"].pop()

    change(root / "localqa_dataset.json", damage)
    bad = reader("pointqa-local")(root, "testfinal")
    assert asked(bad) == [("What color is the cup?", ("red",))] and bad.problems == Counter(
        {"question without a point inside its picture": 1, "objects and points of different number": 1})


def test_visual7w(tmp_path):
    root = question_layouts.visual7w(tmp_path)
    first, second = reader("visual7w")(root, "test")
    blue = Box(20, 0, 30, 8), Box(0, 0, 10, 8), Box(0, 20, 10, 28), Box(28, 20, 38, 28)
    assert [(q.id, q.choices, q.answers) for q in first.questions][0] == ("5", blue, ())
    assert first.extra == {"vg_id": 2} and len(reader("visual7w")(root, "val")) == 1

    def damage(data):
        data["boxes"][1]["width"] = 0  # right of question 5, one of those of 6 and 7
        data["boxes"].append({"box_id": "x"})
        data["images"][1]["qa_pairs"][0]["multiple_choices"] = [999]

    change(root / "dataset_v7w_pointing.json", damage)
    bad = reader("visual7w")(root, "test")
    assert [[(q.id, len(q.choices)) for q in r.questions] for r in bad] == [[("6", 3)], []]
    assert bad.problems == Counter({"box without area": 2, "box without id or four numbers": 1,
                                    "box of an unknown id": 1, "question without words or boxes to choose from": 2})


def test_choices_and_votes_are_kept_in_records_and_mirrored(tmp_path):
    first = reader("visual7w")(question_layouts.visual7w(tmp_path / "v"), "test")[0]
    soup = reader("vizwiz")(question_layouts.vizwiz(tmp_path / "w"))[0]
    write_records([first, soup], tmp_path / "r", "val")
    again, other = Records(tmp_path / "r", "val")
    assert again.questions == first.questions and other.questions == soup.questions
    mirrored = shown(first, flip(first.width, first.height))
    assert mirrored.questions[0].choices[0] == Box(10, 0, 20, 8)


def test_karpathy(tmp_path):
    root = question_layouts.karpathy(tmp_path)
    records = reader("karpathy")(root, "test")
    assert [r.captions for r in records] == [("A man with a hät.", "Somebody in a hat"), ("A dog runs.",)]

    def damage(data):
        data["images"][0]["sentences"] += [{"raw": " "}, 7]
        data["images"][1]["sentences"] = []
        data["images"] += [{"filename": "x.jpg"}, {"filename": "5.jpg", "split": "test", "sentences": [{"raw": "A."}]}]

    change(root / "dataset_flickr30k.json", damage)
    bad = reader("karpathy")(root, "test")
    assert len(list(bad)) == 1 and bad.problems == Counter({
        "caption without words": 2, "picture without a caption": 1, "entry is of another form": 1,
        "picture not found": 1})


def test_nocaps_is_not_coco(tmp_path):
    records = reader("nocaps")(question_layouts.nocaps(tmp_path))
    assert [(r.id, r.captions, r.extra) for r in records] == [("0", ("A bäby.", "Somebody small."), {}),
                                                              ("1", ("A cup.",), {})]


def test_real_scienceqa_questions_with_a_picture(shared_data, tmp_path):
    data = json.loads((shared_data / "formats/scienceqa/problems_first100.json").read_text())
    shutil.copy(shared_data / "formats/scienceqa/problems_first100.json", tmp_path / "problems.json")
    shown = [key for key, entry in data.items() if entry["image"] and entry["split"] == "test"]
    for key in shown:
        picture(tmp_path / f"images/test/{key}/image.png")
    (tmp_path / "scienceqa").symlink_to(tmp_path)
    questions = open_questions("scienceqa-img-test", tmp_path, "any")
    assert len(questions) == len(shown) > 5 and {s.extra["topic"] for s in questions.samples} <= {
        "natural science", "social science", "language science"}
