"""Scores against values worked by hand, published intervals, and a brute-force scorer on a grid of pixels."""

import itertools
from random import Random

import numpy as np
import pytest

from loupe.evals.metrics import measure
from loupe.evals.metrics.exact import matches, number
from loupe.evals.metrics.interval import wilson
from loupe.evals.predictions import Prediction
from loupe.regions import Box, Point, Polygon
from loupe.sample import Answer, Found, Problem


def said(truth, *parts, problems=(), id="q"):
    return Prediction(id, ("Where?",), truth, Answer(tuple(Found(p) if not isinstance(p, str) else p for p in parts),
                                                     tuple(problems), ""))


def test_wilson_against_known_values():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3
    for hits, count, low, high in ((81, 263, .2553, .3662), (15, 148, .0624, .1605), (0, 20, 0, .1611),
                                   (1, 29, .0061, .1718)):
        assert wilson(hits, count) == pytest.approx((low, high), abs=6e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(20, 20)[1] == 1.0


def test_referring_by_hand():
    truth = Box(0, 0, 10, 10)
    questions = [
        said(truth, Box(0, 0, 10, 10)),  # IoU 1
        said(truth, "it is ", Box(0, 0, 10, 5)),  # exactly 0.5: found, but not in the strict reading
        said(truth, Box(0, 0, 10, 4)),  # 0.4; its centre lies in the truth
        said(truth, Box(20, 20, 30, 30)),  # 0
        said(truth, Box(0, 0, 10, 8), Box(0, 0, 10, 10)),  # the first counts: 0.8
        said(truth, Point(5, 5)),  # no box
        said(truth, "no idea"),
        said(truth, problems=[Problem("inverted", "[9,9,0,0]", 0, repair=Box(0, 0, 10, 10))]),
        said(truth, Box(0, 0, 10, 10), problems=[Problem("truncated", "[0.1", 9)]),
        said(truth, Polygon(((0, 0), (10, 0), (10, 10)))),
    ]
    scores = measure("referring", questions)
    assert scores.count == 10
    assert scores["IoU >= 0.5"] == 0.4
    assert scores["IoU > 0.5 (strict)"] == pytest.approx(0.3)
    assert scores["IoU >= 0.25"] == 0.5
    assert scores["IoU >= 0.75"] == pytest.approx(0.3)
    assert scores["mean IoU"] == pytest.approx((1 + .5 + .4 + 0 + .8 + 1) / 10)
    assert scores["centre in box"] == 0.5
    assert scores["readable"] == 0.6
    assert scores["IoU >= 0.5, repairs read"] == 0.5
    assert dict(scores.unreadable) == {"a point, no box": 1, "no box": 1, "inverted": 1, "a polygon, no box": 1}
    assert dict(scores.remarks) == {"several boxes, the first taken": 1, "a box beside something malformed": 1}


def test_referring_against_counting_pixels():
    rng = np.random.default_rng(3)
    questions, right = [], 0
    for k in range(200):
        a, b = (np.sort(rng.integers(0, 30, (2, 2)), 0) + [[0, 0], [1, 1]] for _ in range(2))
        grid = np.zeros((2, 40, 40), bool)
        for layer, ((x1, y1), (x2, y2)) in zip(grid, (a, b)):
            layer[y1:y2, x1:x2] = True
        if k % 3:  # many near misses
            b = a + rng.integers(0, 3, (2, 2)) * [[-1, -1], [1, 1]]
            grid[1] = False
            (x1, y1), (x2, y2) = np.maximum(b, 0)
            grid[1, y1:y2, x1:x2] = True
            b = np.maximum(b, 0)
        right += grid[0].__and__(grid[1]).sum() * 2 >= grid[0].__or__(grid[1]).sum()
        questions.append(said(Box(*a[0], *a[1]), Box(*b[0], *b[1]), id=str(k)))
    assert 20 < right < 180
    assert measure("referring", questions)["IoU >= 0.5"] == right / 200


def test_overlaps_are_those_of_pycocotools():
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(4)
    corners = np.sort(rng.uniform(0, 50, (100, 2, 2, 2)), 2)  # [question, true or said, corner, x or y]
    questions = [said(Box(*t.ravel()), Box(*p.ravel())) for t, p in corners]
    sizes = corners.copy()
    sizes[:, :, 1] -= sizes[:, :, 0]
    official = [mask.iou(p.reshape(1, 4), t.reshape(1, 4), [0])[0, 0] for t, p in sizes]
    assert measure("referring", questions)["mean IoU"] == pytest.approx(np.mean(official), abs=1e-12)
    assert measure("referring", questions)["IoU >= 0.25"] == np.mean(np.array(official) >= 0.25)


def test_numbers_and_words():
    said_as = {"There are 3.": 3, "three": 3, "None": 0, "2.5 of 4": 4, "a lot": None, "12 cats": 12}
    assert {text: number(text) for text in said_as} == said_as
    scores = measure("numbers", [said("3", "There are 3."), said("2", "three"), said("0", "none"), said("1", "many")])
    assert (scores["exact"], scores["within 1"]) == (0.5, 0.75)
    assert scores["mean error of those read"] == pytest.approx(1 / 3)
    assert dict(scores.unreadable) == {"no number": 1}
    texts = [said("The red cup", "the red  cup."), said("a cup", "a mug"), said(("yes", "yeah"), "Yeah"),
             said("cup", "")]
    assert measure("words", texts)["exact"] == 0.5
    assert dict(measure("words", texts).unreadable) == {"empty": 1}


def test_lists_of_boxes():
    a, b, c = Box(0, 0, 10, 10), Box(20, 0, 30, 10), Box(0, 20, 10, 30)
    questions = [said((a, b), a, b), said((a, b), a, a, c), said((), "none"), said((c,), "none")]
    scores = measure("boxes", questions)
    assert scores["precision"] == 3 / 5 and scores["recall"] == 3 / 5 and scores["F1"] == 0.6
    assert scores["all and only"] == 0.5


def test_the_best_pair_is_matched_first():
    """IoU 0.90 before 0.60, although the two of 0.60 would make two pairs."""
    true, found = [Box(0, 0, 10, 10), Box(3, 0, 13, 10)], [Box(0.5, 0, 10.5, 10), Box(-2.5, 0, 7.5, 10)]
    assert matches(found, true) == matches(found[::-1], true[::-1]) == 1


def test_matching_is_as_good_as_trying_everything_where_boxes_are_told_apart():
    rng = Random(1)
    for _ in range(50):
        true = [Box(20 * k, 0, 20 * k + 10, 10) for k in range(4)]
        found = [Box(t.x1 + rng.uniform(-4, 4), 0, t.x2 + rng.uniform(4, 5), 10) for t in rng.sample(true, 3)]
        from loupe.regions import iou
        best = max(sum(iou(f, t) >= 0.5 for f, t in zip(found, order)) for order in itertools.permutations(true, 3))
        assert matches(found, true) == best
