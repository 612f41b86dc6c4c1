"""ANLS and relaxed accuracy against values worked by hand, and their benchmarks on small files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from loupe.evals import evaluate
from loupe.evals.metrics import measure
from loupe.evals.metrics.printed import edits, likeness, within
from loupe.evals.predictions import Prediction
from loupe.sample import Answer

TEXT = st.text("abc ", max_size=8)


def said(text: str, *true: str) -> Prediction:
    return Prediction("q", (), true[0], Answer((text,) if text else ()), extra={"references": true})


def test_edits():
    assert [edits(*pair) for pair in (("", ""), ("", "ab"), ("kitten", "sitting"), ("flaw", "lawn"))] == [0, 2, 3, 2]


@given(TEXT, TEXT, TEXT)
def test_edits_are_a_distance(a, b, c):
    assert edits(a, b) == edits(b, a) <= max(len(a), len(b)) and (edits(a, b) == 0) == (a == b)
    assert edits(a, c) <= edits(a, b) + edits(b, c)


def test_anls():
    """"1999" for "1996": one edit of four, 0.75. "ab" for "abcd": 0.5 is no more than half, so nothing."""
    assert likeness(" Paris ", "paris") == 1.0 and likeness("1999", "1996") == 0.75
    assert likeness("ab", "abcd") == likeness("", "abcd") == 0.0 and likeness("abc", "abcd") == 0.75
    scores = measure("anls", [said("1999", "1996"), said("b", "a", "B"), said("", "x"), said("x y z", "q")])
    assert scores["ANLS"] == pytest.approx((0.75 + 1) / 4) and scores["exact"] == 0.25
    assert scores.unreadable == (("empty", 1),)


@pytest.mark.parametrize("text, true, right", [
    ("10.5", "10", True), ("10.51", "10", False), ("9.5", "10", True), ("1,050", "1000", True), ("-10", "10", False),
    ("52%", "0.5", True), ("50", "50%", False), ("Red.", "red", True), ("dark red", "red", False), ("0", "0", True),
    ("0.0", "0", False), ("ten", "10", False), ("2,010.", "2010", True), ("", "10", False)])
def test_within_five_per_cent(text, true, right):
    assert within(text, true) is right


def test_relaxed():
    scores = measure("relaxed", [said("10.2", "10"), said("blue", "Blue"), said("green", "blue"), said("", "1")])
    assert scores["relaxed"] == 0.5 and scores["exact"] == 0.25 and scores.unread == 1


class Parrot:
    name = "parrot"

    def __init__(self, text):
        self.text, self.asked = text, []

    def answer(self, samples):
        for sample in samples:
            self.asked.append("".join(p for p in sample.turns[0].parts if isinstance(p, str)))
            yield Answer((self.text,))


@pytest.mark.parametrize("name, path, entries, picture, figure", [
    ("docvqa-val", "docvqa/val_v1.0_withQT.json", {"data": [
        {"questionId": 7, "question": "When?", "image": "documents/a.png", "answers": ["1996", "in 1996"]}]},
     "docvqa/val/documents/a.png", 0.75),
    ("chartqa-human-test", "chartqa/test/test_human.json", [{"imgname": "a.png", "query": "When?", "label": "1996"}],
     "chartqa/test/png/a.png", 1.0),
    ("gqa-testdev", "gqa/testdev_balanced_questions.json", {
        "1": {"imageId": "a", "question": "When?", "answer": "1996"}}, "gqa/images/a.jpg", 0.0)])
def test_benchmarks(name, path, entries, picture, figure, tmp_path):
    for place in (path, picture):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(json.dumps(entries))
    Pillow.new("RGB", (8, 8)).save(tmp_path / picture)
    parrot = Parrot("1999")
    assert evaluate(parrot, name, tmp_path, count="any", progress=False).scores.main.value == figure
    assert parrot.asked == ["When? Answer in short."]
