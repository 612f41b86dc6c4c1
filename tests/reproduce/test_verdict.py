"""Intervals worked by hand, and the rule that judges a claim."""

from __future__ import annotations

import pytest

from loupe.reproduce.verdict import AGREES, DISAGREES, MISSING, OPEN, judge, judge_same, spread, summary


def test_interval_by_hand():
    """0.40, 0.50, 0.60: mean 0.50, deviation 0.1; t of two degrees of freedom 4.303; 4.303 x 0.1 / sqrt 3 = 0.2484."""
    found = summary([0.4, 0.5, 0.6], 10_000)
    assert (found.mean, found.seeds) == (pytest.approx(0.5), 3)
    assert (found.low, found.high) == (pytest.approx(0.2516, abs=1e-4), pytest.approx(0.7484, abs=1e-4))
    assert spread([0.3]) == 0.0 and summary([], 100) is None
    assert spread([1.0, 3.0]) == pytest.approx(12.706)  # deviation sqrt 2, over sqrt 2


def test_seeds_that_agree_are_as_wide_as_their_questions():
    """Wilson, 50 of 100: (0.4038, 0.5962); 0 of 100: (0, 0.0370)."""
    found = summary([0.5, 0.5, 0.5], 100)
    assert (found.low, found.high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert summary([0.0] * 3, 100).low == 0.0 and summary([0.0] * 3, 100).high == pytest.approx(0.0370, abs=1e-4)
    wide = summary([0.0, 0.1, 0.5], 100)
    assert wide.low == 0.0 and wide.high <= 1.0, "a share stays one"
    assert summary([5.0, 6.0, 7.0], 100, share=False).low == pytest.approx(6 - 2.4843, abs=1e-3)


def three(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


HIGH, LOW, NEAR = three(0.80, 0.81, 0.82), three(0.10, 0.11, 0.12), three(0.76, 0.78, 0.80)


@pytest.mark.parametrize("above, below, lower, said", [
    (HIGH, LOW, False, AGREES), (LOW, HIGH, False, DISAGREES), (HIGH, NEAR, False, OPEN),
    (LOW, HIGH, True, AGREES), (HIGH, LOW, True, DISAGREES), (HIGH, {}, False, MISSING),
    ({0: 0.8}, {0: 0.1}, False, OPEN)])
def test_rule(above, below, lower, said):
    assert judge(above, below, 1000, lower=lower).said == said


def test_reasons():
    """Same seeds: +0.04, +0.03, +0.02, mean 3.0, deviation 0.01: +- 2.48 points."""
    verdict = judge(HIGH, NEAR, 100_000)
    assert verdict.why.endswith("the intervals overlap") and verdict.said == OPEN
    assert verdict.steps.said(True) == "+3.0 [+0.5, +5.5], **as said**"
    assert judge(NEAR, HIGH, 100_000).steps.said(True) == "-3.0 [-5.5, -0.5], **the other way**"
    assert judge(HIGH, NEAR, 100_000, lower=True).steps.way == DISAGREES
    assert judge(HIGH, three(0.80, 0.80, 0.83), 100).steps.said(True) == "+0.0 [-2.5, +2.5]"
    assert judge({0: 0.8}, {0: 0.1}, 100).steps is None
    assert "one seed" in judge({0: 0.8}, {0: 0.1}, 100).why


def test_a_row_that_does_not_look_better_than_the_blind_proves_nothing():
    """The majority answer, said by one row and not by the other, is no agreement: they differ in form."""
    majority = judge(three(0.65, 0.65, 0.65), LOW, 10_000, unseen=0.65)
    assert majority.said == OPEN and "neither is certainly better than what does not look (65.0)" in majority.why
    assert judge(LOW, three(0.65, 0.65, 0.65), 10_000, unseen=0.65).said == OPEN, "nor a disagreement"
    seen = judge(HIGH, LOW, 1000, unseen=0.5)
    assert seen.said == AGREES and "the second is not certainly better" in seen.why
    assert judge(HIGH, LOW, 1000, unseen=0.9).said == OPEN
    assert seen.steps.way == AGREES and judge(HIGH, LOW, 1000, unseen=0.9).steps.way == ""
    assert judge(LOW, HIGH, 1000, unseen=0.5).steps.way == DISAGREES
    assert judge(LOW, HIGH, 1000, unseen=0.5, lower=True).steps.way == AGREES
    assert judge(LOW, HIGH, 1000, unseen=0.05, lower=True).steps.way == "", "of errors less is better"
    assert judge(LOW, HIGH, 1000, unseen=0.5).said == DISAGREES
    errors = judge(LOW, HIGH, 1000, unseen=0.05, lower=True)
    assert errors.said == OPEN and "neither" in errors.why, "of errors less is better"
    assert judge(LOW, HIGH, 1000, unseen=0.5, lower=True).said == AGREES


def test_not_the_mean_but_the_interval_lies_beyond_what_does_not_look():
    """HIGH reaches from 78.5 to 83.5 %."""
    near = judge(HIGH, LOW, 1000, unseen=0.795)
    assert near.said == OPEN and "neither is certainly better" in near.why
    assert judge(HIGH, LOW, 1000, unseen=0.78).said == AGREES
    assert judge(LOW, HIGH, 1000, unseen=0.13, lower=True).said == OPEN, "errors of 11 %, up to 13.5"


@pytest.mark.parametrize("above, slack, lower, said", [
    (three(0.70, 0.71, 0.72), 0.0, False, DISAGREES),  # steps of -12, -11, -10 points: -11 +- 2.48
    (three(0.70, 0.71, 0.72), 0.08, False, DISAGREES), (three(0.70, 0.71, 0.72), 0.12, False, OPEN),
    (three(0.70, 0.71, 0.72), 0.14, False, AGREES), (three(0.70, 0.71, 0.72), 0.0, True, AGREES),
    (three(0.81, 0.82, 0.83), 0.0, False, OPEN), (three(0.92, 0.93, 0.94), 0.0, True, DISAGREES),
    (three(0.92, 0.93, 0.94), 0.14, True, AGREES)])
def test_one_model_twice_is_judged_by_its_steps(above, slack, lower, said):
    verdict = judge_same(above, three(0.82, 0.82, 0.82), slack=slack, lower=lower)
    assert verdict.said == said and verdict.steps.way == (said if said != OPEN else "")


def test_one_model_twice_needs_seeds():
    assert judge_same({0: 0.9}, {1: 0.5}).said == MISSING
    one = judge_same({0: 0.9, 2: 0.1}, {0: 0.5})
    assert one.said == OPEN and one.why == "+40.0; one seed"
