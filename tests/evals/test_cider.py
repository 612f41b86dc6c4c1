"""CIDEr-D against values worked by hand, and what must hold of any."""

from __future__ import annotations

import math

import pytest

from loupe.evals.metrics import measure
from loupe.evals.metrics.cider import cider, grams, words
from loupe.evals.predictions import Prediction
from loupe.sample import Answer


def test_by_hand():
    """Two pictures, one reference each: "a cup", "a dog"; log 2 for "cup", "dog", "a cup", "a dog", 0 for "a".

    "a cup" for the first: unigrams and bigrams have cosine 1, longer ones are none: 10 x (1 + 1) / 4 = 5.
    "a dog" for the first: nothing of weight is shared: 0. "cup": unigrams 1, and one word too few:
    10 / 4 x exp(-1 / 72) = 2.46552.
    """
    references = [["a cup"], ["a dog"]]
    assert cider(["a cup", "a dog"], references) == pytest.approx([5.0, 5.0])
    assert cider(["a dog", "a cup"], references) == pytest.approx([0.0, 0.0])
    assert cider(["cup", "a dog"], references)[0] == pytest.approx(2.5 * math.exp(-1 / 72))


def test_counts_are_clipped():
    """"cup cup cup": tf 3 against 1, the product takes min(3, 1): 3 log 2 long, so cosine 1/3; two words too many."""
    found = cider(["cup cup cup", "x"], [["cup"], ["dog"]])[0]
    assert found == pytest.approx(10 / 4 * (1 / 3) * math.exp(-4 / 72))


def test_what_holds_of_any():
    references = [["a red cup on a table", "the cup is red"], ["two dogs run in a field of grass"], ["a bus"]]
    best = cider([some[0] for some in references], references)
    assert best[1] == pytest.approx(10.0), "four lengths of n-grams, all alike"
    assert cider(["", "", ""], references) == [0.0] * 3 and cider(["a"], [[]]) == [0.0]
    assert cider(["A RED cup, on a table!", "", ""], references)[0] == pytest.approx(best[0])
    worse = cider(["a red cup on a chair", "", ""], references)[0]
    assert 0 < worse < best[0]
    assert words("Don't-stop 3.5 über_x") == ["don't", "stop", "3", "5", "über", "x"]
    assert sum(grams("a b a").values()) == 3 + 2 + 1


def test_a_metric_of_predictions():
    made = [Prediction(str(k), (), text, Answer((said,)), extra={"references": (text, other)})
            for k, (text, other, said) in enumerate((("a cup", "one cup", "a cup"), ("a dog", "one dog", "")))]
    scores = measure("cider", made)
    assert scores.figures[0].name == "CIDEr" and 0 < scores.figures[0].value < 5
    assert scores.figures[0].low <= scores.figures[0].value <= scores.figures[0].high
    assert scores.unreadable == (("no words", 1),) and measure("cider", []).figures[0].value == 0.0
