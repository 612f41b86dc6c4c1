"""Benchmarks on files, predictions that survive a kill, counts that are checked, scores without torch."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.errors import ConfigError, FileError
from loupe.evals import BENCHMARKS, CountError, evaluate, open_questions, read_predictions, rescore
from loupe.evals.asking import order
from loupe.evals.benchmark import place
from loupe.evals.predictions import fingerprint
from loupe.predictor import unanswered
from loupe.predictors import baseline, load
from loupe.predictors.baselines import mean_box
from loupe.predictors.beside import beside
from loupe.readers.coco import Coco
from loupe.regions import Box
from loupe.sample import Answer, Found, Problem

COUNTS = {"refcoco-val": 10834, "refcoco-testA": 5657, "refcoco-testB": 5095, "refcoco+-val": 10758,
          "refcoco+-testA": 5726, "refcoco+-testB": 4889, "refcocog-val": 4896, "refcocog-test": 9602}


@pytest.fixture
def root(tmp_path):
    """Two pictures of 200 x 100: a cat and a small dog; two cats (not unique) and a car."""
    for split, first in (("val2017", 1), ("train2017", 3)):
        (tmp_path / "coco" / split).mkdir(parents=True)
        images, annotations = [], []
        for k, boxes in enumerate([[(1, 0, 0, 100, 50), (2, 10, 10, 20, 20)],
                                   [(1, 0, 0, 90, 90), (1, 100, 0, 90, 90), (3, 50, 0, 100, 100)]]):
            number = first + k
            name = f"{number:012d}.jpg"
            Pillow.fromarray(np.full((100, 200, 3), 90, np.uint8)).save(tmp_path / "coco" / split / name)
            images.append({"id": number, "file_name": name, "width": 200, "height": 100})
            for category, x, y, w, h in boxes:
                annotations.append({"id": 10 * number + len(annotations), "image_id": number, "category_id": category,
                                    "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0,
                                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]]})
        categories = [{"id": i, "name": n} for i, n in enumerate(("cat", "dog", "car"), 1)]
        file = tmp_path / "coco" / "annotations" / f"instances_{split}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return tmp_path


class Scripted:
    """Answers from a list by question id; counts the questions; stops like a killed run after `stop` answers."""

    def __init__(self, answers=None, stop=None, name="scripted"):
        self.answers, self.stop, self.name, self.asked = answers or {}, stop, name, []

    def answer(self, samples):
        for sample in samples:
            if self.stop is not None and len(self.asked) >= self.stop:
                raise KeyboardInterrupt
            self.asked.append(sample.id)
            yield self.answers.get(sample.id) or Answer((Found(Box(0, 0, 100, 50), 0.5),), raw="[..]", score=0.5)


def test_published_counts():
    assert {name: BENCHMARKS[name].count for name in COUNTS} == COUNTS


def test_questions_of_unique_objects(root):
    questions = open_questions("coco-unique-val2017", root)
    assert [(s.extra["phrase"], s.extra["truth"]) for s in questions.samples] == [
        ("cat", Box(0, 0, 100, 50)), ("car", Box(50, 0, 150, 100))]  # the dog is too small, the cats are two
    assert questions.hash == open_questions("coco-unique-val2017", {"coco": root / "coco"}).hash


def test_other_benchmarks_give_questions(root):
    counting = evaluate(Scripted(), "coco-counting-val2017", root)
    truths = {p.id: p.truth for p in counting.predictions}
    assert sorted(truths.values()) == ["0", "0", "1", "1", "1", "2"]
    assert dict(counting.scores.unreadable) == {"no number": 6}
    assert evaluate(Scripted(), "coco-detection-val2017", root).count == 6
    assert evaluate(Scripted(), "coco-position-val2017", root).count > 4


def test_counts_are_checked(root):
    name = "coco-unique-val2017"
    with pytest.raises(CountError, match=r"got 2, expected 5 \(--count\).*--count 2"):
        open_questions(name, root, count=5)
    (root / "counts.json").write_text(json.dumps({name: 3}))
    with pytest.raises(CountError, match="counts.json"):
        open_questions(name, root)
    with pytest.raises(CountError, match="counts.json"):
        open_questions(name, {"coco": root / "coco"})
    assert len(open_questions(name, root, count="any")) == len(open_questions(name, root, count=2)) == 2
    (root / "counts.json").write_text("{")
    with pytest.raises(FileError, match="cannot read counts"):
        open_questions(name, root)


def test_roots(tmp_path):
    assert place(tmp_path, "coco") == tmp_path / "coco"
    assert str(place({"": tmp_path, "coco": "/x"}, "coco")) == "/x"
    with pytest.raises(FileError, match="--root coco="):
        place({"refer": "/x"}, "coco")
    with pytest.raises(ConfigError, match="did you mean 'refcoco-val'"):
        open_questions("refcocoval", tmp_path)


def test_stopped_run_goes_on(root, tmp_path):
    whole = evaluate(Scripted(), "coco-counting-val2017", root, tmp_path / "whole")
    stopped = Scripted(stop=3)
    with pytest.raises(KeyboardInterrupt):
        evaluate(stopped, "coco-counting-val2017", root, tmp_path / "out")
    file = tmp_path / "out" / "coco-counting-val2017.jsonl"
    with file.open("a") as f:
        f.write('{"id": "torn, with an é')
    rest = Scripted()
    result = evaluate(rest, "coco-counting-val2017", root, tmp_path / "out")
    assert len(rest.asked) == 3 and not set(rest.asked) & set(stopped.asked)
    assert file.read_bytes() == whole.path.read_bytes()
    assert result.scores == whole.scores == rescore(file).scores
    assert evaluate(Scripted(stop=0), "coco-counting-val2017", root, tmp_path / "out").scores == whole.scores


def test_every_cut_of_the_file_is_mended(root, tmp_path):
    whole = evaluate(Scripted(), "coco-unique-val2017", root, tmp_path).path
    data = whole.read_bytes()
    for cut in range(0, len(data), 37):
        whole.write_bytes(data[:cut])
        evaluate(Scripted(), "coco-unique-val2017", root, tmp_path)
        assert whole.read_bytes() == data


def test_limit_then_all(root, tmp_path):
    part = evaluate(Scripted(), "coco-counting-val2017", root, tmp_path, limit=2)
    assert (part.count, part.of) == (2, 6) and "2 of 6" in str(part)
    rest = Scripted()
    assert evaluate(rest, "coco-counting-val2017", root, tmp_path).count == 6
    assert len(rest.asked) == 4


def test_other_model_or_questions_refuse_the_file(root, tmp_path):
    evaluate(Scripted(), "coco-unique-val2017", root, tmp_path / "a.jsonl")
    with pytest.raises(FileError, match="another run.*model"):
        evaluate(Scripted(name="other"), "coco-unique-val2017", root, tmp_path / "a.jsonl")
    with pytest.raises(FileError, match="another run.*benchmark"):
        evaluate(Scripted(), "coco-counting-val2017", root, tmp_path / "a.jsonl")
    other = Scripted()
    other.identity = {"codec": "pink"}
    with pytest.raises(FileError, match="another run.*model"):
        evaluate(other, "coco-unique-val2017", root, tmp_path / "a.jsonl")


def test_bad_files_say_where(tmp_path):
    file = tmp_path / "p.jsonl"
    with pytest.raises(FileError, match="do not exist"):
        rescore(file)
    file.write_text("")
    with pytest.raises(FileError, match="empty"):
        rescore(file)
    file.write_text('{"id": 1}\n')
    with pytest.raises(FileError, match="no file of predictions"):
        rescore(file)
    file.write_text('{"loupe": "predictions", "version": 1}\n{"id"\n')
    with pytest.raises(FileError, match=r"p.jsonl:2"):
        rescore(file)
    file.write_text('{"loupe": "predictions", "version": 1}\n{"id": "a"}\n')
    with pytest.raises(FileError, match="question, truth, answer"):
        rescore(file)


def test_what_is_written_can_be_read(root, tmp_path):
    key = open_questions("coco-unique-val2017", root).samples[0].id
    answer = Answer(("it is ", Found(Box(1, 2, 3.5, 4), 0.25, "cat"), " and "),
                    (Problem("truncated", "[0.1", 20, "the rest", Box(0, 0, 1, 1)),), "it is [..] and [0.1", 0.125)
    result = evaluate(Scripted({key: answer}), "coco-unique-val2017", root, tmp_path)
    header, predictions = read_predictions(result.path)
    assert predictions == list(result.predictions) and predictions[0].answer == answer
    assert predictions[0].pictures(root)[0].size == (200, 100)
    assert str(root) not in result.path.read_text()  # pictures are named below their root
    assert header["count"] == 2 and header["benchmark"]["metric"] == "referring"


def test_corrupt_picture_is_counted_and_the_run_goes_on(root, tmp_path):
    (root / "coco" / "val2017" / "000000000001.jpg").write_bytes(b"\xff\xd8 not a picture")
    result = evaluate(baseline("whole-image"), "coco-unique-val2017", root, tmp_path)
    assert result.count == 2 and dict(result.scores.unreadable) == {"picture": 1}
    assert result["readable"] == 0.5


def test_baselines(root):
    train = open_questions("coco-unique-val2017", root, split="train2017").samples
    mean = mean_box(train)
    assert mean.fractions == pytest.approx((0.125, 0, 0.625, 0.75))  # of (0, 0, .5, .5) and (.25, 0, .75, 1)
    # whole: 5000 / 20000, 10000 / 20000; centre (50, 25, 150, 75): 1250 / 8750, 5000 / 10000
    assert evaluate(load("whole-image"), "coco-unique-val2017", root)["mean IoU"] == pytest.approx((0.25 + 0.5) / 2)
    assert evaluate(load("centre-box"), "coco-unique-val2017", root)["mean IoU"] == pytest.approx((1 / 7 + 0.5) / 2)
    counts = open_questions("coco-counting-val2017", root, split="train2017").samples
    assert baseline("majority", counts).text == "1"  # of 0, 0, 1, 1, 1, 2
    assert evaluate(baseline("majority", counts), "coco-counting-val2017", root)["exact"] == 0.5
    with pytest.raises(ConfigError, match="fitted"):
        load("mean-box")
    with pytest.raises(ConfigError, match="did you mean 'centre-box'"):
        load("center-box")


def test_baselines_for_a_few_questions_are_fitted_on_a_few_pictures(root, monkeypatch):
    """Always the same ones; what is asked stays as it is, and so does the fit where all is asked."""
    monkeypatch.setattr("loupe.predictors.beside.FEW", 1)
    questions = open_questions("coco-unique-val2017", root)
    read, real = [], Coco._record
    monkeypatch.setattr(Coco, "_record", lambda self, i, note: read.append(i) or real(self, i, note))
    soon = [beside(questions, root, soon=True)[0]["mean-box"].fractions for _ in range(2)]
    assert soon[0] == soon[1] in [(0, 0, 0.5, 0.5), (0.25, 0, 0.75, 1)]
    assert len(set(read[-1:])) == 1 and len(read) == 2 * (2 + 1)  # opening compares the sizes of both
    assert beside(questions, root)[0]["mean-box"].fractions == pytest.approx((0.125, 0, 0.625, 0.75))
    asked = Scripted()
    whole = open_questions("coco-unique-val2017", root)
    evaluate(asked, whole, root, limit=1)
    assert asked.asked == [whole.samples[order(2)[0]].id]


def test_questions_are_hashed_once(root, tmp_path, monkeypatch):
    """Of millions that takes a minute; every model and checkpoint asks for it."""
    calls = []
    module = sys.modules["loupe.evals.benchmark"]  # a function has its name, too
    monkeypatch.setattr(module, "fingerprint", lambda samples: calls.append(1) or fingerprint(samples))
    questions = open_questions("coco-unique-val2017", root)
    for name in ("a", "b"):
        evaluate(Scripted(name=name), questions, root, tmp_path / name)
    assert len(calls) == 1 and questions.moved(0.0, 1).hash == questions.hash
    assert len(calls) == 2, "other questions have a hash of their own"


def test_scoring_needs_no_torch(root, tmp_path):
    path = evaluate(Scripted(), "coco-unique-val2017", root, tmp_path).path
    code = ("import sys; from loupe.cli import main; code = main(['score', sys.argv[1]]); "
            "assert not {'torch', 'transformers'} & set(sys.modules), 'torch was loaded'; sys.exit(code)")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "IoU >= 0.5                    50.0 % [9.5, 90.5]" in done.stdout


def test_real_photos(shared_data):
    roots = {"coco": shared_data / "coco_photos", "refer": shared_data / "coco_photos" / "refer"}
    unique = open_questions("coco-unique-val2017", roots)
    assert len(unique) > 20 and all(s.extra["truth"].area > 2000 for s in unique.samples)
    with pytest.raises(CountError, match="expected 4896"):
        open_questions("refcocog-val", roots)
    assert len(open_questions("refcocog-all", roots)) >= 2


def test_unanswered_keeps_the_reason():
    answer = unanswered(ValueError("picture is corrupt"))
    assert answer.problems[0].kind == "picture" and "corrupt" in answer.problems[0].text and not answer.regions
    assert io.StringIO(str(answer)).read() == ""
