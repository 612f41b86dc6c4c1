"""Rules, curves and figures by hand; what a stricter rule keeps a laxer one keeps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loupe.bootstrapping import curve, figures
from loupe.bootstrapping.pair import Candidate, Pair
from loupe.bootstrapping.rule import BEYOND, ELSEWHERE, LOW, UNKNOWN, UNREAD, judged, kept, known
from loupe.bootstrapping.settings import SCORES, Rule
from loupe.bootstrapping.statistics import selection, table5
from loupe.bootstrapping.truth import LOOSE, RIGHT, STRANGE, WRONG, Verdict, verdicts
from loupe.errors import ConfigError
from loupe.regions import Box
from loupe.world import records

BOX = Box(0, 0, 10, 10)


def pair(number: int, *candidates: Candidate, name: str = "cup") -> Pair:
    return Pair(str(number), "o", name, BOX, (100, 100), candidates)


def test_risks_by_hand():
    risk = curve.risks([0.9, 0.7, 0.8, None], [False, False, True, True])
    assert risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.area(risk) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.at(risk, 0.5) == 1 / 2 and curve.at(risk, 0.74) == 1 / 2 and curve.at(risk, 0.01) == 0
    assert curve.left(risk, 0.5) == 1 / 2 and curve.left(risk, 1.0) == 1
    assert curve.perfect([True, False, False, True]) == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert curve.points(risk, 2) == [(0.5, 0.5), (1.0, 0.5)]
    assert math.isnan(curve.area(curve.risks([], [])))
    with pytest.raises(ValueError):
        curve.risks([1.0], [])


def test_ties_are_the_mean_over_all_orders():
    scores, wrong = [0.9, 0.5, 0.5, 0.5, 0.1], [True, True, False, False, True]
    runs = []
    for order in itertools.permutations(range(1, 4)):
        errors = [wrong[0], *(wrong[k] for k in order), wrong[4]]
        runs.append(np.cumsum(errors) / np.arange(1, 6))
    assert curve.risks(scores, wrong) == pytest.approx(np.mean(runs, 0))


SHARES = st.floats(0, 1)
CANDIDATES = st.builds(Candidate, st.sampled_from(["a", "b c"]), SHARES, st.sampled_from([None, BOX]), SHARES,
                       margin=st.one_of(st.none(), st.floats(-5, 5)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CANDIDATES, min_size=1, max_size=3), min_size=1, max_size=12), SHARES, SHARES,
       st.sampled_from(["iou", "likelihood", "margin", "combined"]), st.sampled_from(["iou", "least", "share"]))
def test_stricter_keeps_less(drawn, one, other, by, what):
    pairs = [pair(k, *candidates) for k, candidates in enumerate(drawn)]
    assume(known(pairs)[by])
    low, high = sorted((one, other))
    strict, lax = (low, high) if what == "share" else (high, low)
    few, many = ({(p.record, c.text) for p, c in kept(pairs, Rule(**{"iou": 0.3, "by": by, what: value}))}
                 for value in (strict, lax))
    assert few <= many
    if what == "share":
        assert len(few) <= strict * len(pairs) + 1e-6


def test_reasons_by_hand():
    pairs = [pair(1, Candidate("a", 0.9, BOX, 0.8)), pair(2, Candidate("a", 0.9, BOX, 0.5)),
             pair(3, Candidate("a", 0.9, BOX, 0.49)), pair(4, Candidate("a", 0.9, None, 0.0)),
             pair(5, Candidate("a", 0.2, BOX, 1.0))]
    assert [reason for _, reason in judged(pairs, Rule())] == ["", "", ELSEWHERE, UNREAD, ""]
    assert [r for _, r in judged(pairs, Rule(by="likelihood", least=0.5))] == ["", "", ELSEWHERE, UNREAD, LOW]
    assert [r for _, r in judged(pairs, Rule(share=0.4))] == ["", BEYOND, ELSEWHERE, UNREAD, ""]
    said = selection(pairs, Rule(share=0.4))
    assert (said["described"], said["kept"], said["share"]) == (5, 2, 0.4)
    assert sum(said["left out"].values()) == 3


def test_a_score_that_was_never_measured_is_refused():
    pairs = [pair(k, Candidate("a", None, BOX, 0.9)) for k in range(100)]
    for by in ("likelihood", "margin", "contrast", "agreement"):
        for more in ({}, {"share": 0.1}, {"least": 0.0}):
            with pytest.raises(ConfigError, match=f"got by {by}, expected iou or combined"):
                judged(pairs, Rule(by=by, **more))
    assert known(pairs) == {"iou": 100, "likelihood": 0, "margin": 0, "contrast": 0, "agreement": 0, "combined": 100}
    assert judged([], Rule(by="contrast")) == []


def test_pairs_that_do_not_know_the_score_never_enter_the_share():
    """Half of them know it, three of those are below 0: only they are ranked, whatever the ids hash to."""
    pairs = [pair(k, Candidate("a", 0.5, BOX, 0.9, contrast=k - 3.0 if k % 2 else None)) for k in range(12)]
    assert known(pairs)["contrast"] == 6
    said = selection(pairs, Rule(by="contrast", share=0.25))
    assert [p.record for p, _ in kept(pairs, Rule(by="contrast", share=0.25))] == ["7", "9", "11"]
    assert said["left out"] == {BEYOND: 3, UNKNOWN: 6} and said["score known of"]["contrast"] == 6
    assert selection(pairs, Rule(by="contrast", share=1.0))["kept"] == 6
    assert selection(pairs, Rule(by="contrast", least=0.0))["left out"] == {UNKNOWN: 6}
    assert selection(pairs, Rule(by="contrast", least=0.5))["left out"] == {LOW: 1, UNKNOWN: 6}
    assert selection(pairs, Rule(by="contrast"))["kept"] == 12  # the score chooses among descriptions alone


def test_lengths_by_hand():
    pairs = [(pair(1), Candidate("The red cup.")), (pair(1), Candidate("the red Cup")), (pair(2), Candidate("cup"))]
    assert table5(pairs) == {"pictures": 2, "expressions": 3, "mean words": round(7 / 3, 3),
                             "lengths": {"1": 1, "3": 2}, "different words": 3, "different expressions": 2}


def test_the_world_judges():
    """The world's own phrases are right; another object's are not, unless true of both."""
    some = list(records(6, seed=3, world="mini"))
    pairs, wanted = [], []
    for record in some:
        boxes = {o.id: o for o in record.objects}
        for phrase in record.phrases:
            if phrase.refers:
                thing = boxes[phrase.object]
                other = next(o for o in record.objects if o.id != thing.id)
                pairs += [Pair(record.id, o.id, o.name, o.box, (96, 96), (Candidate(phrase.text),))
                          for o in (thing, other)]
                wanted += [True, False]
    pairs.append(Pair(some[0].id, "?", "cup", Box(0, 0, 1, 1), (96, 96), (Candidate("red circle"),)))
    pairs.append(Pair("gone", "?", "cup", BOX, (96, 96), (Candidate("red circle"), Candidate("blue circle"))))
    thing = some[1].objects[0]
    pairs.append(Pair(some[1].id, "another id", thing.name, thing.box, (96, 96), (Candidate("lovely weather"),)))
    found = verdicts(pairs, some)
    assert [v[0].right for v in found[:-3]] == wanted and len(wanted) > 40
    assert {v[0].said for v in found[1:-3:2]} <= {LOOSE, WRONG}
    assert found[-3:] == [(None,), (None, None), (Verdict(STRANGE),)]


def fake(number: int, iou: float, likelihood: float, said: str, name: str = "cup", kind: str = "attribute"):
    return (Pair(str(number // 2), str(number), name, BOX, (100, 100), (Candidate("a", likelihood, BOX, iou),)),
            Candidate("a", likelihood, BOX, iou), Verdict(said, kind))


def test_where_errors_agree_by_hand():
    rows = [fake(0, 0.9, 0.9, RIGHT), fake(1, 0.8, 0.3, WRONG), fake(2, 0.1, 0.8, LOOSE, "plate"),
            fake(3, 0.2, 0.7, RIGHT, "bowl", "order")]
    said = figures.agreement(rows)
    assert said["all"] == {"found, right": 1, "found, wrong": 1, "lost, right": 1, "lost, wrong": 1}
    assert said["rival"] == {"found, right": 1, "found, wrong": 1, "lost, right": 0, "lost, wrong": 0}
    assert said["alone"]["lost, wrong"] == 1 and said["said by order"]["lost, right"] == 1
    assert figures.precision(rows, 0.5) | {"low": 0, "high": 0} == {"iou": 0.5, "kept": 0.5, "precision": 0.5,
                                                                    "low": 0, "high": 0}
    by_iou, by_likelihood = (figures.ranking(rows, by) for by in ("iou", "likelihood"))
    assert by_iou.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert by_likelihood.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert {r.score for r in figures.rankings(rows)} == {"iou", "likelihood", "combined"} <= set(SCORES)


def test_a_better_score_has_an_interval_below_zero():
    rng = np.random.default_rng(0)
    rows = []
    for number in range(300):
        wrong = bool(rng.random() < 0.4)
        rows.append(fake(number, float(rng.random()), float(np.clip(0.7 - 0.4 * wrong + 0.1 * rng.normal(), 0, 1)),
                         WRONG if wrong else RIGHT))
    value, low, high = figures.better(rows, "likelihood", "iou", draws=60)
    assert low < value < high < 0
    value, low, high = figures.better(rows, "iou", "iou", draws=20)
    assert value == low == high == 0
