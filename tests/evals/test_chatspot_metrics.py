"""Hand-worked answers for the metrics of regions, yes and no, letters and verdicts; what an answer means as a class."""

import numpy as np
import pytest

from loupe.errors import ConfigError
from loupe.evals.encoders import Lexical, alike
from loupe.evals.judge import read_grade, told
from loupe.evals.metrics import measure
from loupe.evals.metrics.circular import choice
from loupe.evals.metrics.judged import by_rule
from loupe.evals.metrics.yes_no import said
from loupe.evals.predictions import Prediction
from loupe.regions import Box
from loupe.sample import Answer, Regions

COCO = ("person", "bicycle", "car", "dog", "cat", "hot dog", "dining table", "tv", "couch", "cell phone", "bus",
        "teddy bear", "bear", "sports ball", "wine glass", "knife", "sheep")


def p(answer, truth="", id="q", **extra):
    score = extra.pop("p", None)
    return Prediction(id, ("What?",), truth, Answer((answer,) if answer else (), (), answer, score), (), extra)


@pytest.mark.parametrize("answer, name", [
    ("dog", "dog"), ("A dog.", "dog"), ("It is a hot dog with mustard", "hot dog"), ("two dogs are playing", "dog"),
    ("The region shows a person riding a bicycle", "person"), ("a television", "tv"),
    ("a young woman", "person"),
    ("mobile phone", "cell phone"), ("teddy bears", "teddy bear"), ("knives on a cloth", "knife"),
    ("a wooden table", "dining table"), ("sheep", "sheep"), ("motor bicycles", "bicycle"),
    ("double-decker buses", "bus"),
])
def test_answers_find_their_class(answer, name):
    row = Lexical().similarity([answer], COCO)[0]
    assert COCO[int(row.argmax())] == name


def test_likeness_is_ordered():
    values = [alike(t, "dog") for t in ("dog", "a dog", "a brown dog", "grass and a dog", "doggy", "zebra")]
    assert values[0] == values[1] == 1 and all(a >= b for a, b in zip(values, values[1:])) and values[-1] == 0
    assert values[3] > 0.9 > values[4] > 0 and alike("", "dog") == 0


def classes(answers, **options):
    """Three cats in one picture, and a dog in another that nobody asked about."""
    boxes = [Box(40 * k, 0, 40 * k + 30, 30) for k in range(3)]
    truths = ({"picture": "b", "things": [{"name": "dog", "box": boxes[0], "area": 900.0}]},
              {"picture": "a", "things": [{"name": "cat", "box": b, "area": 900.0} for b in boxes]})
    made = [p(a, "cat", f"q{k}", picture="a", box=boxes[k], own=k, p=score,
              **({"classes": ("cat", "dog"), "truths": truths} if k == 0 else {}))
            for k, (a, score) in enumerate(answers)]
    return measure("classes", made, options)


def test_region_classification_by_hand():
    """Of three cats the first and last are named. As scores tie in order 1, miss, 1: precision at recalls 1/3, 2/3 is
    1 and 2/3, and nothing beyond; the dog was never found."""
    s = classes([("cat", 0.9), ("dog", 0.8), ("a cat", 0.7)])
    assert s["accuracy"] == pytest.approx(2 / 3)
    assert s["AP"] == s["AP50"] == s["AP75"] == pytest.approx((67 / 101 + 0) / 2)
    assert {f.name: f.count for f in s.figures}["AP large"] == 0 and s["AP small"] == s["AP"]


def test_what_ranks_is_a_field():
    answers = [("a cat on a wall of stones", 0.9), ("cat", 0.1), ("cat", 0.2)]
    assert classes(answers)["AP"] == classes(answers, rank="answer")["AP"]  # all are right: order is no matter
    with pytest.raises(ConfigError):
        classes(answers, rank="beauty")

    cat, dog = ({"name": name, "box": Box(50 * k, 0, 50 * k + 40, 40), "area": 1600.0}
                for k, name in enumerate(("cat", "dog")))
    extra = {"classes": ("cat", "dog"), "truths": ({"picture": "a", "things": [cat, dog]},)}
    made = [p("cat", "cat", "q0", picture="a", box=cat["box"], own=0, p=0.4, score=0.5, **extra),
            p("a cat on a wall of stones", "dog", "q1", picture="a", box=dog["box"], own=1, p=0.5, score=0.6)]
    first, second = 0.5, 0.25  # of two names: the cat's box before the dog's, which is called one, or behind it
    for rank, value in (("similarity", first), ("answer", second), ("box", second)):
        assert measure("classes", made, {"rank": rank})["AP"] == pytest.approx(value), rank

    class Contrary:
        name = "contrary"

        def similarity(self, texts, names):
            return np.array([[float(n not in t) for n in names] for t in texts])

    assert classes([("cat", 1.0)] * 3, encoder=Contrary())["accuracy"] == 0


def test_empty_answers_are_no_box():
    s = classes([("cat", 0.9), ("", None), ("cat", 0.7)])
    assert dict(s.unreadable) == {"empty": 1} and s["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("answer, truth, figures", [
    ("The sign says STOP here.", "stop", (1, 1, 1, 0)), ("Stop.", "stop", (1, 1, 1, 1)),
    ("12 birds", "2", (1, 1, 0, 0)), ("two birds", "2", (0, 0, 1, 0)), ("nonstop", "stop", (1, 1, 0, 0)),
    ("", "stop", (0, 0, 0, 0)),
    ("a cup", ("mug", "cup"), (0, 1, 0, 0)),
])
def test_the_substring_rule(answer, truth, figures):
    s = measure("contains", [p(answer, truth)])
    assert tuple(f.value for f in s.figures) == figures


@pytest.mark.parametrize("answer, word", [
    ("Yes", "yes"), ("no.", "no"), ("Yes, there is no doubt", "yes"), ("There isn't a dog", "no"), ("a dog", ""),
    ("I would say yes", "yes"), ("maybe yes, maybe no", ""), ("", ""), ("nothing", ""), ("It is not there", "no"),
])
def test_yes_and_no(answer, word):
    assert said(p(answer)) == word


def test_pope_by_hand():
    """yes/yes, yes/no, no/no, ?/yes: precision 1/2, recall 1/2, accuracy 2/4, and yes is said twice of four."""
    s = measure("yes-no", [p("yes", "yes"), p("yes", "no"), p("no", "no"), p("a dog", "yes")])
    assert [s[n] for n in ("accuracy", "precision", "recall", "F1", "yes-ratio", "yes-ratio of the truth")] == [
        0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert dict(s.unreadable) == {"neither yes nor no": 1}
    assert measure("yes-no", [p("no", "no")])["F1"] == 0
    s = measure("yes-no", [p("yes", "yes"), p("yes", "no"), p("yes", "no"), p("yes", "yes"), p("no", "yes")])
    assert [s[n] for n in ("accuracy", "precision", "recall", "F1", "yes-ratio", "yes-ratio of the truth")] == [
        2 / 5, 2 / 4, 2 / 3, 4 / 7, 4 / 5, 3 / 5]


@pytest.mark.parametrize("answer, letter", [
    ("B", "B"), ("(b)", ""), ("B.", "B"), ("B) red", "B"), ("The answer is C", "C"), ("the answer is (A).", "A"),
    ("Red", "B"), ("It is red", "B"), ("blue or red", ""), ("A red thing", "B"), ("A", "A"), ("", ""),
    ("I choose C", "C"),
    ("Answer: B", "B"), ("green", ""), ("E", ""), ("[C]", "C"),
])
def test_letters(answer, letter):
    assert choice(answer, ("blue", "red", "yellow")) == letter


def test_circular_evaluation_by_hand():
    rows = [("A", "A", "x", 0), ("B", "B", "x", 1), ("A", "A", "y", 0), ("A", "B", "y", 1)]
    s = measure("circular", [p(a, t, f"{u}~{k}", unit=u, shift=k, options=("one", "two")) for a, t, u, k in rows])
    assert [f.value for f in s.figures] == [0.5, 1.0, 0.75] and s.main.count == 2 and s.count == 4


@pytest.mark.parametrize("answer, truth, value", [
    ("x is -1 or -5", "-1<AND>-5", 1.0), ("red", "red<OR>crimson", 1.0), ("It is crimson", "red<OR>crimson", 1.0),
    ("a red bus", "red<AND>two", 0.5), ("green", "red", 0.0), ("2 buses", "two", 1.0),
])
def test_answers_without_a_judge(answer, truth, value):
    assert by_rule(p(answer, truth)) == value


def test_verdicts_and_abilities():
    rows = [p("a", "a", "1", capability=("ocr", "math")), p("b", "x", "2", capability=("ocr",)), p("c", "c", "3")]
    s = measure("judged", rows, {"verdicts": {"1": 1.0, "2": 0.4}, "rank": "ignored"})
    assert (s.main.name, s.main.value, s["score: ocr"], s["score: math"]) == ("score", pytest.approx(1.4 / 3), 0.7, 1.0)
    assert dict(s.remarks) == {"without a verdict, counted 0": 1}
    assert measure("judged", rows).main.name.endswith("not judged")
    even = measure("judged", rows[:2], {"verdicts": {"1": 1.0, "2": 1.0}}).main  # two right answers prove little
    assert even.value == even.high == 1 and even.low == pytest.approx(0.3424, abs=1e-4)


@pytest.mark.parametrize("text, grade", [("0.5", 0.5), ("Grade: 1.0", 1.0), ("1", 1.0), (".3", 0.3), ("7", None),
                                         ("0.2 or 0.8", None), ("", None), ("good", None), ("0.7, so 0.7", 0.7),
                                         ("10", None), ("3/10", None)])
def test_grades(text, grade):
    assert read_grade(text) == grade


def test_what_a_judge_is_told():
    asked = Prediction("q", ("What is in ", Regions((Box(0, 0, 1, 1),)), "?"), "a<AND>b<OR>c", Answer(("x",)))
    assert told(asked) == "Question: What is in (a region)?\nRight: a, and b or c\nAnswer: x\nGrade:"
