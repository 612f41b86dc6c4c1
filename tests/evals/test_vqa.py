"""The soft accuracy against values worked by hand, and what its published scorers do to words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loupe.errors import ConfigError
from loupe.evals.metrics import measure
from loupe.evals.metrics.vqa import CONTRACTIONS, accuracy, tidied, unpunctuated
from loupe.evals.predictions import Prediction
from loupe.sample import Answer

WORDS = st.lists(st.sampled_from(["cup", "a cup", "two", "2", "don't", "1,000", "red.", "t-shirt"]), min_size=2,
                 max_size=12)


def said(text: str, *votes: str) -> Prediction:
    return Prediction("q", (), votes[0], Answer((text,) if text else ()), extra={"votes": votes})


@pytest.mark.parametrize("same, value", [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_of_ten_people(same, value):
    """n of ten say it. Leaving out one of the n leaves n - 1, any other n: (n min(1, (n - 1) / 3) + (10 - n) min(1,
    n / 3)) / 10. One: 9 x 1/3 / 10 = 0.3; two: (2 x 1/3 + 8 x 2/3) / 10 = 0.6; three: (3 x 2/3 + 7) / 10 = 0.9."""
    votes = ["cup"] * same + [f"other{k}" for k in range(10 - same)]
    assert accuracy("cup", votes) == pytest.approx(value)


@pytest.mark.parametrize("text, tidy", [
    ("The  Cup", "cup"), ("an apple a day", "apple day"), ("None", "0"), ("ten", "10"), ("eleven", "eleven"),
    ("dont", "don't"), ("DONT stop", "don't stop"), ("couldntve", "couldntve"), ("couldn'tve", "couldn't've"),
    ("couldnt've", "couldn't've"), ("lets", "lets"), ("shes", "shes"), ("somebody'd", "somebodyd"),
    ("oclock", "o'clock"),
    ("yall'd've", "y'all'd've"), ("t-shirt", "t shirt"), ("t- shirt", "t shirt"), ("red, blue", "red blue"),
    ("red,blue", "red blue"), ("1,000", "1000"), ("1,000 t-shirts", "1000 tshirts"), ("st. john.", "st john"),
    ("3.5", "3.5"), ("u.s.a.", "usa"), (".5 m", ".5 m"), ("yes!", "yes"), ("10:30", "10:30"), ("men's", "men's"),
    ("(b)", "b"), ("what? ", "what"), ("a", ""), ("", ""), ("two\ncups", "2 cups")])
def test_words_are_tidied_as_published(text, tidy):
    assert tidied(text) == tidy


def test_true_answers_keep_their_articles_where_the_published_scorer_leaves_them():
    """VQAv2's frees true answers of punctuation alone, where they differ at all; TextVQA's tidies both sides."""
    alike, mixed = ["the end"] * 10, ["the end"] * 9 + ["end"]
    assert accuracy("the end", alike) == 0.0 and accuracy("The End.", alike, "whole") == 1.0
    assert accuracy("the end", mixed) == pytest.approx(0.3) and accuracy("the end", mixed, "whole") == 1.0
    assert accuracy("t-shirt", ["t-shirt"] * 10) == 0.0, "all alike: not even freed of punctuation"
    assert accuracy("t-shirt", ["t-shirt"] * 9 + ["shirt"]) == 1.0
    assert accuracy("dog's, bowl", ["dog's bowl"] * 10, "whole") == 1.0 and tidied("dog's", "whole") == "dog 's"


def test_the_table_of_contractions():
    assert len(CONTRACTIONS) == 114 and CONTRACTIONS["'twas"[1:]] == "'twas" and "Im" not in CONTRACTIONS
    assert all(short != whole and short.replace("'", "") == whole.replace("'", "")
               for short, whole in CONTRACTIONS.items())


@given(st.sampled_from(["cup", "2", "t shirt", "x"]), WORDS)
def test_what_holds_of_any(text, votes):
    value = accuracy(text, votes)
    assert 0 <= value <= 1 and value == pytest.approx(accuracy(text, votes[::-1]))
    freed = [unpunctuated(v) for v in votes] if len(set(votes)) > 1 else votes
    assert (value > 0) == (text in freed and not (freed.count(text) == len(votes) == 1))
    assert tidied(tidied(text)) == tidied(text)


def test_a_metric_of_predictions():
    half = ("Nokia",) * 5 + ("toshiba",) * 2 + ("phone",) * 3
    scores = measure("vqa", [said("nokia", *half), said("Toshiba", *half), said("", *half), said("7", *["7"] * 10)])
    # "Nokia" has a capital that the published scorer leaves in true answers
    assert scores.main.name == "accuracy" and scores.main.value == pytest.approx((0 + 0.6 + 0 + 1) / 4)
    assert scores["accuracy, untidied"] == pytest.approx((1 + 2 / 3 + 0 + 1) / 4)
    assert scores["the usual answer"] == 0.5 and scores.unreadable == (("empty", 1),)
    whole = measure("vqa", [said("nokia", *half)], {"truths": "whole"})
    assert whole.main.value == 1.0 and measure("vqa", []).main.value == 0.0
    assert scores.main.low < scores.main.value < scores.main.high <= 1
    with pytest.raises(ConfigError, match="no answers of several people"):
        measure("vqa", [Prediction("q", (), "a", Answer(("a",)))])
    with pytest.raises(ConfigError, match="'whole'"):
        measure("vqa", [], {"truths": "hole"})


@pytest.mark.parametrize("text, read", [
    ("true", 1), ("False.", 0), ("Yes", 1), ("No, it is beside it.", 0), ("That is not true", 0), ("It isn't true.", 0),
    ("The statement is true.", 1), ("true or false", 1), ("It may be true or false", None), ("maybe", None), ("", None),
    ("This is incorrect", 0), ("It is correct", 1)])
def test_true_or_false(text, read):
    made = [Prediction("q", (), truth, Answer((text,) if text else ())) for truth in ("true", "false")]
    right, wrong = measure("true-false", made[:1])["accuracy"], measure("true-false", made[1:])["accuracy"]
    assert (right, wrong) == {1: (1, 0), 0: (0, 1), None: (0, 0)}[read]
    assert measure("true-false", made).unread == 2 * (read is None)
