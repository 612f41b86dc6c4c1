"""The papers' questions on small files in their published layouts: what is asked, what is true, what is scored."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import instruction_layouts
import pytest
import question_layouts
import text_layouts
from layouts import picture

from loupe.cli import main
from loupe.errors import ConfigError
from loupe.evals import BENCHMARKS, CountError, evaluate, open_questions, rescore
from loupe.evals.metrics import measure
from loupe.evals.metrics.cider import treebank
from loupe.evals.predictions import Prediction, Writer, prediction, read
from loupe.evals.published import PUBLISHED, SUITES
from loupe.evals.ranked import Calibrated, Ranked, closed
from loupe.evals.runner import _answered
from loupe.predictors import Blind
from loupe.predictors.beside import beside
from loupe.regions import Box
from loupe.sample import Answer, Found, Regions, Sample, user

COUNTS = {  # as published
    "vqav2-val": 214354, "okvqa-val": 5046, "okvqa-raw-val": 5046, "vizwiz-val": 4319, "textvqa-val": 5000,
    "vsr-test": 1222, "vsr-random-test": 2195, "hateful-memes-dev": 500, "iconqa-test": 6316, "iconqa-val": 6316,
    "iconqa-ranked-test": 6316, "iconqa-ranked-val": 6316, "iconqa-blank-test": 3638,
    "scienceqa-img-test": 2017, "visual7w-pointing-test": 57265, "coco-captions-test": 5000,
    "flickr30k-test": 1000, "nocaps-val": 4500}


class Says:
    name = "says"

    def __init__(self, words):
        self.words, self.asked = words, []

    def answer(self, samples):
        for sample in samples:
            self.asked.append(sample)
            text = self.words(sample)
            yield Answer((text,) if text else ())


def truth(sample):
    return sample.extra["truth"]


def words(sample) -> str:
    return "".join(p if isinstance(p, str) else "#" for p in sample.turns[-1].parts)


def textvqa_val(root):
    text_layouts.textvqa(root)
    (root / "TextVQA_0.5.1_train.json").rename(root / "TextVQA_0.5.1_val.json")
    return root


def okvqa(root):
    """Its own files: no "v2_", raw answers beside their lemmas."""
    said = [{"answer_id": k, "raw_answer": raw, "answer_confidence": "yes", "answer": lemma}
            for k, (raw, lemma) in enumerate([("racing", "race")] * 6 + [("motocross", "motocross")] * 4)]
    root.mkdir()
    (root / "OpenEnded_mscoco_val2014_questions.json").write_text(json.dumps({"questions": [
        {"image_id": 9, "question": "What sport is this?", "question_id": 95}]}))
    (root / "mscoco_val2014_annotations.json").write_text(json.dumps({"annotations": [
        {"image_id": 9, "question_id": 95, "question_type": "five", "answer_type": "other", "answers": said}]}))
    picture(root.parent / "coco/val2014/COCO_val2014_000000000009.jpg")
    return root


def scienceqa_test(root):
    instruction_layouts.scienceqa(root)
    (root / "problems.json").write_text((root / "problems.json").read_text().replace('"train"', '"test"'))
    shutil.move(root / "images/train", root / "images/test")
    return root


def coco_karpathy(root):
    (root / "val2014").mkdir(parents=True)
    picture(root / "val2014/COCO_val2014_000000000042.jpg")
    (root / "dataset_coco.json").write_text(json.dumps({"dataset": "coco", "images": [
        {"filepath": "val2014", "filename": "COCO_val2014_000000000042.jpg", "cocoid": 42, "imgid": 0, "split": "test",
         "sentences": [{"raw": "A dog."}, {"raw": "The dog sits."}]},
        {"filepath": "train2014", "filename": "COCO_train2014_000000000043.jpg", "cocoid": 43, "imgid": 1,
         "split": "restval", "sentences": [{"raw": "A cat."}]}]}))
    return root


MADE = {  # benchmark -> (folder and how it is made, questions, one that is asked, its truth)
    "okvqa-val": (okvqa, 1, "What sport is this? Answer in short.", "racing"),
    "vizwiz-val": (question_layouts.vizwiz, 2, "What is this? Answer in short.", "soup"),
    "textvqa-val": (textvqa_val, 2, "what is the brand? Answer in short.", "nokia"),
    "vsr-test": (question_layouts.vsr, 3, "Is this true or false of the picture: The cat is behind the café?", "true"),
    "hateful-memes-dev": (question_layouts.hateful_memes, 2,
                          'The picture says: "look how many cups". Is it hateful? Answer yes or no.', "no"),
    "iconqa-test": (question_layouts.iconqa, 2,
                    "Is the clöck early? Choose: A yes, B nö. Answer with the letter.", "B"),
    "iconqa-val": (question_layouts.iconqa, 1, "Is the clöck early? Choose: A a, B b. Answer with the letter.", "A"),
    "iconqa-blank-test": (question_layouts.iconqa, 1, "Is the clöck early? Answer in short.", "3"),
    "scienceqa-img-test": (scienceqa_test, 2, "Which is it? Choose: A cup, B dög. Answer with the letter.", "B"),
    "pointqa-local-test": (question_layouts.localqa, 4, "What color is the cup? #", "red"),
    "pointqa-local-testdev": (question_layouts.localqa, 2, "What action is the dog doing? #", "sitting"),
    "visual7w-pointing-test": (question_layouts.visual7w, 3, None, None),
    "coco-captions-test": (coco_karpathy, 1, "Describe the picture in a sentence.", "A dog."),
    "flickr30k-test": (question_layouts.karpathy, 2, "Describe the picture in a sentence.", "A man with a hät."),
    "nocaps-val": (question_layouts.nocaps, 2, "Describe the picture in a sentence.", "A bäby."),
}


def test_published_counts():
    assert {b.name: b.count for b in PUBLISHED if b.count} == COUNTS
    assert all(name in BENCHMARKS for suite in SUITES.values() for name in suite)


@pytest.mark.parametrize("name", MADE)
def test_benchmarks(name, tmp_path):
    make, number, shown, true = MADE[name]
    make(tmp_path / BENCHMARKS[name].folder)
    if BENCHMARKS[name].count:
        with pytest.raises(CountError, match=f"{COUNTS[name]} \\(published\\)"):
            open_questions(name, tmp_path)
    questions = open_questions(name, tmp_path, "any")
    assert len(questions) == number and not questions.problems
    if shown:
        asked = [(words(s), truth(s)) for s in questions.samples]
        assert (shown, true) in asked, asked
    right, mute = Says(truth), Says(lambda s: "")
    out = evaluate(right, questions, tmp_path, tmp_path / "out")
    best = {"okvqa-val": 0.0, "coco-captions-test": 0.0}.get(name)  # lemmas; one picture: no word is rare
    assert out.scores.main.value == pytest.approx(best) if best is not None else out.scores.main.value > 0.3
    assert out.scores.main.value <= (10 if "CIDEr" in out.scores.main.name else 1)
    again = rescore(tmp_path / f"out/{name}.jsonl")
    assert [f.value for f in again.scores.figures] == [f.value for f in out.scores.figures]
    silent = evaluate(mute, questions, tmp_path)
    assert silent.scores.main.value == 0 and silent.scores.unread == number


def test_ten_answers_go_with_the_question_and_not_into_training(tmp_path):
    from loupe.readers import reader
    from loupe.tasks import task

    textvqa_val(tmp_path / "textvqa")
    (first, _) = open_questions("textvqa-val", tmp_path, "any").samples
    assert first.extra["votes"] == ("toshiba", *["nokia"] * 8, "phone")
    record = reader("textvqa")(tmp_path / "textvqa", "val")[0]
    import numpy as np

    assert "votes" not in task("question")(record, np.random.default_rng(0)).extra
    assert "votes" in task("question").pose(record, np.random.default_rng(0)).extra


def test_okvqa_is_scored_by_lemmas_as_published(tmp_path):
    okvqa(tmp_path / "okvqa")
    found = evaluate(Says(lambda s: "race"), "okvqa-val", tmp_path, count="any")
    assert found["accuracy"] == 1.0
    rare = evaluate(Says(lambda s: "a motocross"), "okvqa-val", tmp_path, count="any")
    assert rare["accuracy"] == 1.0 and rare["the usual answer"] == 0.0
    typed = evaluate(Says(lambda s: "racing"), "okvqa-raw-val", tmp_path, count="any")
    assert typed["accuracy"] == 1.0 and typed["the usual answer"] == 1.0


def test_boxes_to_choose_from(tmp_path):
    question_layouts.visual7w(tmp_path / "visual7w")
    questions = open_questions("visual7w-pointing-test", tmp_path, "any")
    blue = questions.samples[0]
    assert words(blue) == "Which cup is blue? Choose: A #, B #, C #, D #. Answer with the letter."
    shown = [p.regions[0] for p in blue.turns[0].parts if isinstance(p, Regions)]
    assert set(shown) == {Box(0, 0, 10, 8), Box(20, 0, 30, 8), Box(0, 20, 10, 28), Box(28, 20, 38, 28)}
    assert shown["ABCD".index(truth(blue))] == Box(20, 0, 30, 8) == blue.extra["right"]
    again = open_questions("visual7w-pointing-test", tmp_path, "any").samples
    assert [truth(s) for s in again] == [truth(s) for s in questions.samples]
    place = Answer((Found(Box(19, 0, 31, 9)),))
    assert measure("choice", [prediction(blue, place)])["right"] == 1.0, "a box stands for the option it overlaps"
    assert measure("choice", [prediction(blue, Answer((Found(Box(12, 9, 18, 12)),)))]).unread == 1
    other = next(letter for letter in "ABCD" if letter != truth(blue))
    assert measure("choice", [prediction(blue, Answer((f"The answer is {other}.",)))])["right"] == 0.0


class Weighs:
    """A predictor that finds some words more probable than others; those it does not know cannot be asked."""

    name = "weighs"

    def __init__(self, **logs):
        self.logs, self.asked = logs, []

    def answer(self, samples):
        raise AssertionError("nothing is generated")

    def seen(self, looks):
        self.looks = looks
        return self

    def weigh(self, samples):
        for sample in samples:
            self.asked.append((words(replace(sample, turns=sample.turns[:1])), words(sample)))
            yield self.logs.get(words(sample))


def test_options_are_weighed_and_not_shown(tmp_path):
    question_layouts.iconqa(tmp_path / "iconqa")
    model = Weighs(yes=-3.0, nö=-2.5, a=-9.0, b=-1.0, c=-8.0)
    out = evaluate(model, "iconqa-ranked-test", tmp_path, tmp_path / "out", count="any")
    assert [p.answer.text for p in out.predictions] == ["nö", "b"] and out["exact"] == 0.5
    assert model.asked[:2] == [("Is the clöck early? Answer in short.", said) for said in ("yes", "nö")]
    assert len(model.asked) == 5 and len(model.looks) == 2
    broken = evaluate(Weighs(yes=-3.0), "iconqa-ranked-test", tmp_path, count="any")
    assert broken.scores.unreadable == (("picture", 1),) and broken.predictions[0].answer.text == "yes"
    with pytest.raises(ConfigError, match="cannot weigh"):
        evaluate(Says(truth), "iconqa-ranked-test", tmp_path, count="any")
    header = json.loads((tmp_path / "out/iconqa-ranked-test.jsonl").read_text().splitlines()[0])
    assert header["model"] == {"name": "weighs", "ranked": True}


def test_baselines_stand_beside_options_that_are_weighed(tmp_path):
    question_layouts.iconqa(tmp_path / "iconqa")
    what = replace(BENCHMARKS["iconqa-ranked-test"], fit="val", count=None)
    questions = open_questions(what, tmp_path)
    made, left_out = beside(questions, tmp_path)
    assert not left_out and list(made) == ["majority"]
    assert [p.answer.text for p in evaluate(made["majority"], questions, tmp_path).predictions] == ["a", "a"]


def test_options_are_weighed_of_no_picture(tmp_path):
    question_layouts.iconqa(tmp_path / "iconqa")
    model = Weighs(yes=-3.0, nö=-2.5, a=-9.0, b=-1.0, c=-8.0)
    out = evaluate(Blind(model), "iconqa-ranked-test", tmp_path, count="any")
    assert [p.answer.text for p in out.predictions] == ["nö", "b"]
    assert all(image.path is None for images in model.looks for image in images)
    with pytest.raises(ConfigError, match="cannot weigh"):
        evaluate(Blind(Says(truth)), "iconqa-ranked-test", tmp_path, count="any")


TRUE_OR_FALSE = ("true", "false")


def judged(*shares: float) -> tuple[list[Sample], Weighs]:
    """Questions whose "true" has these probabilities, and who weighs them so."""
    samples = [Sample((), (user(f"{k}?"),), "statement", f"q{k}", "r", {"options": TRUE_OR_FALSE})
               for k in range(len(shares))]

    class Knows(Weighs):
        def weigh(self, samples):
            for s in samples:
                true = shares[int(str(s.turns[0].parts[0])[:-1])]
                yield math.log(true if s.turns[-1].parts[0] == "true" else 1 - true) - 7.0

    return samples, Knows()


def test_what_is_more_probable_than_usual_is_the_calibrated_answer():
    """On average "true" has 0.8: above it lies 0.9 alone, though "true" is the more probable answer of four."""
    samples, model = judged(0.9, 0.75, 0.79, 0.78, 0.78)
    assert [a.text for a in Ranked(model).answer(samples)] == ["true"] * 5
    assert [a.text for a in Calibrated(model).answer(samples)] == ["true", *["false"] * 4]
    same, certain = judged(0.9, 0.9, 0.9)
    assert {a.text for a in Calibrated(certain).answer(same)} == {"true"}, "all alike: the first option"
    alone = [*samples, Sample((), (user("0?"),), "other", "q9", "r", {"options": ("false", "true")})]
    with pytest.raises(ConfigError, match="one question has alone cannot be calibrated.*false | true"):
        list(Calibrated(model).answer(alone))


def test_a_stopped_calibration_begins_again(tmp_path):
    header = {"benchmark": {"name": "b"}, "model": {"name": "m"}, "questions": "q", "data": "d"}
    samples, model = judged(0.9, 0.75, 0.79)
    few, path = Calibrated(judged(0.9, 0.75)[1]), tmp_path / "b.jsonl"
    with Writer(path, header) as writer:
        _answered(few, samples[:2], None, writer)
        assert [p.answer.text for p in writer.done.values()] == ["true", "false"]
    with Writer(path, header) as writer:
        _answered(Calibrated(model), samples, None, writer)
    assert [(p.id, p.answer.text) for p in read(path)[1]] == [("q0", "true"), ("q1", "false"), ("q2", "false")]
    with Writer(path, header) as writer:  # whole: nothing is asked
        _answered(Calibrated(Says(None)), samples, None, writer)


def test_answers_of_each_kind_are_weighed_where_questions_bring_no_options():
    asked = [Sample((), (user("?"),), "region", f"q{k}", f"r{k}", {"truth": truth, "kind": kind})
             for k, (kind, truth) in enumerate((("point-name", "star"), ("point-colour", "red"), ("other", "1")))]
    among = {"point-name": ("star", "moon"), "": ("red", "1")}
    assert [s.extra["options"] for s in closed(asked, among)] == [("star", "moon"), ("red", "1"), ("red", "1")]
    with pytest.raises(ConfigError, match="true answer is not among.*got 'star', expected red, 1"):
        list(closed(asked, {"": ("red", "1")}))
    lists = {"name": ("star", "moon"), "colour": ("red", "blue"), "number": ("1", "2")}
    assert [s.extra["options"] for s in closed(asked, lists)] == list(lists.values())
    with pytest.raises(ConfigError, match="in one of the lists"):
        list(closed(asked, {**lists, "also": ("1", "red")}))


def test_a_suite_leaves_out_what_a_model_cannot_weigh_before_it_asks(tmp_path, capsys, monkeypatch):
    question_layouts.iconqa(tmp_path / "iconqa")
    question_layouts.vizwiz(tmp_path / "vizwiz")
    monkeypatch.setattr("loupe.cli.evaluate.model_of", lambda args: Says(lambda s: "soup"))
    monkeypatch.setattr("loupe.cli.evaluate._place", lambda model: tmp_path / "o")
    out = ["--root", str(tmp_path), "--out", str(tmp_path / "o"), "--count", "any"]
    assert main(["evaluate", "runs/x", "pae", *out]) == 0
    said = capsys.readouterr().out
    assert "iconqa-ranked-val: left out, this model cannot weigh answers" in said and "vizwiz-val: 2 questions" in said
    assert main(["evaluate", "runs/x", "vizwiz-val,iconqa-ranked-val", *out]) != 0, "named by itself it is refused"
    stopped = capsys.readouterr()
    assert "cannot weigh" in stopped.err and "vizwiz-val: 2 questions" not in stopped.out


def test_questions_without_options_cannot_be_weighed(tmp_path):
    question_layouts.vizwiz(tmp_path / "vizwiz")
    what = replace(BENCHMARKS["vizwiz-val"], form="ranked", metric="words", count=None)
    with pytest.raises(ConfigError, match="no options to weigh.*vizwiz"):
        evaluate(Weighs(), what, tmp_path)


def test_a_letter_may_be_said_in_its_words():
    made = [Prediction("q", (), "B", Answer((text,)), extra={"options": ("yes", "nö")})
            for text in ("B", "The answer is B.", "nö", "(b)", "yes", "hm")]
    scores = measure("choice", made)
    assert scores["right"] == 0.5 and scores.unread == 2 and measure("choice", [
        Prediction("q", (), "(b)", Answer(("B",)), extra={"options": ("yes", "nö")})])["right"] == 1.0


@pytest.mark.parametrize("text, tokens", [
    ("A man's t-shirt, red & blue.", "a man 's t-shirt red & blue"), ("They don't stop!", "they do n't stop"),
    ("the dogs' bowls", "the dogs bowls"), ("3.5 m - 1,000 \"men\"", "3.5 m 1,000 men"), ("I cannot", "i can not"),
    ("A U.S. flag; it\u2019s up...", "a u.s. flag it 's up"), ("a man 's hat, they 're", "a man 's hat they 're"),
    ("they do n't say 'stop' or 'm'", "they do n't say stop or m"), ("", "")])
def test_treebank_tokens(text, tokens):
    assert treebank(text) == tokens.split()


def test_a_papers_suite_leaves_out_what_is_not_there(tmp_path, capsys):
    question_layouts.vsr(tmp_path / "vsr")
    out = ["--root", str(tmp_path), "--out", str(tmp_path / "o"), "--count", "any"]
    shutil.copy(tmp_path / "vsr/zeroshot/test.jsonl", tmp_path / "vsr/zeroshot/train.jsonl")
    assert main(["evaluate", "majority", "pae", *out]) == 0
    said = capsys.readouterr().out
    assert "vizwiz-val: left out" in said and "vsr-test: left out" not in said and "vsr-test: 3 questions" in said
    assert main(["evaluate", "majority", "lyrics", *out]) != 0
    assert "no benchmark of these has its data" in capsys.readouterr().err
    assert main(["evaluate", "majority", "lyrics,vizwiz-val", *out]) != 0, "what is named alone must be there"
    assert "vizwiz" in capsys.readouterr().err


def test_unknown_ways_to_split(tmp_path):
    from loupe.readers import reader

    for name, options in (("vsr", {"by": "zero-shot"}), ("iconqa", {"kind": "choose_img"}),
                          ("karpathy", {"dataset": "flickr"}), ("visual7w", {"split": "dev"})):
        with pytest.raises(ConfigError):
            reader(name)(tmp_path, **options)
