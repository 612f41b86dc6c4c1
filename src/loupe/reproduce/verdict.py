"""Means over seeds with their intervals, and what they say of a paper's claim.

An interval covers 95 %: mean +- t s / sqrt(n) over n seeds (Student), or that of the questions asked (Wilson's of
shares; of other quantities that of pictures or games drawn again), whichever reaches further at each end; so three
seeds that happen to agree do not make a row certain. Two rows are told apart if their intervals do not overlap and the
better one lies beyond what can be had without looking: else they differ in the form of their answers alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loupe.evals.metrics.interval import wilson

STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)  # 97.5 % point, by freedom 1, 2, ...
AGREES, DISAGREES, OPEN, MISSING = "agrees", "disagrees", "cannot tell", "not measured"


@dataclass(frozen=True)
class Summary:
    """Of one row in one column over seeds."""

    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Steps:
    """Of one row less another, seed by seed: both were asked the same questions."""

    mean: float
    low: float  # Student's interval over the seeds
    high: float
    way: str = ""  # AGREES, DISAGREES: it lies beyond zero, as the paper says or the other way; "": it does not

    def said(self, share: bool) -> str:
        shown = [number(value, share, "+") for value in (self.mean, self.low, self.high)]
        mark = {AGREES: ", **as said**", DISAGREES: ", **the other way**"}.get(self.way, "")
        return f"{shown[0]} [{shown[1]}, {shown[2]}]{mark}"


@dataclass(frozen=True)
class Verdict:
    said: str  # one of the four above
    why: str
    steps: Steps | None = None  # None with less than two seeds in common


def summary(values: Sequence[float], count: int, share: bool = True,
            reach: tuple[float, float] = (0.0, 0.0)) -> Summary | None:
    """count: questions behind each value, 0 of a share that counts none. reach: how far a quantity that is no share may
    lie below and above, by its questions. None of no values. A single seed has its questions' interval alone."""
    n = len(values)
    if not n:
        return None
    mean = sum(values) / n
    half = spread(values)
    low, high = mean - max(half, reach[0]), mean + max(half, reach[1])
    if share and count:
        of_questions = wilson(mean * count, count)
        low, high = max(0.0, min(low, of_questions[0])), min(1.0, max(high, of_questions[1]))
    return Summary(mean, low, high, n)


def spread(values: Sequence[float]) -> float:
    """t s / sqrt(n); 0 of a single value."""
    n = len(values)
    if n < 2:
        return 0.0
    mean = sum(values) / n
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    return STUDENT[min(n - 1, len(STUDENT)) - 1] * deviation / math.sqrt(n)


def judge(above: Mapping[int, float], below: Mapping[int, float], count: int, *, share: bool = True,
          lower: bool = False, unseen: float | None = None, reaches: Sequence[tuple[float, float]] = ((0, 0), (0, 0)),
          ) -> Verdict:
    """Is `above` the better row? Values by seed; unseen: what a predictor reaches that does not look; reaches: of both
    rows."""
    a, b = (summary(list(values.values()), count, share, reach) for values, reach in zip((above, below), reaches))
    if a is None or b is None:
        return Verdict(MISSING, "")
    better, worse = (a.high < b.low, a.low > b.high) if lower else (a.low > b.high, a.high < b.low)
    sees = [unseen is None or (s.high < unseen if lower else s.low > unseen) for s in (a, b)]
    why = [f"{_span(a, share)} against {_span(b, share)}"]
    if min(a.seeds, b.seeds) < 2:
        said, why = OPEN, [*why, "one seed"]
    elif (better and sees[0]) or (worse and sees[1]):
        said = AGREES if better else DISAGREES
    else:
        said = OPEN
        why += [] if better or worse else ["the intervals overlap"]
    if not all(sees):
        which = "neither is" if not any(sees) else "the first is not" if sees[1] else "the second is not"
        why.append(f"{which} certainly better than what does not look ({number(unseen, share)})")
    steps = stepwise(above, below, lower)
    if steps is not None and not sees[(steps.mean > 0) == lower]:  # the better row does not look
        steps = replace(steps, way="")
    return Verdict(said, "; ".join(why), steps)


def judge_same(above: Mapping[int, float], below: Mapping[int, float], *, share: bool = True, lower: bool = False,
               slack: float = 0.0) -> Verdict:
    """One model in two columns, or in one asked twice: is it better in the first, or worse by less than `slack`? The
    difference seed by seed is judged by Student's interval."""
    common = [seed for seed in above if seed in below]
    if not common:
        return Verdict(MISSING, "")
    steps = stepwise(above, below, lower)
    if steps is None:
        step = above[common[0]] - below[common[0]]
        return Verdict(OPEN, f"{number(-step if lower else step, share, '+')}; one seed")
    worst, best = (-steps.high, -steps.low) if lower else (steps.low, steps.high)
    said = AGREES if worst > -slack else DISAGREES if best < -slack else OPEN
    return Verdict(said, "", replace(steps, way="" if said == OPEN else said))


def stepwise(above: Mapping[int, float], below: Mapping[int, float], lower: bool = False) -> Steps | None:
    """The difference seed by seed, which may be steadier than either row. lower: less is better."""
    steps = [above[seed] - below[seed] for seed in above if seed in below]
    if len(steps) < 2:
        return None
    mean, half = sum(steps) / len(steps), spread(steps)
    beyond = (mean > half) - (mean < -half)
    return Steps(mean, mean - half, mean + half, {0: "", 1: AGREES, -1: DISAGREES}[-beyond if lower else beyond])


def number(value: float, share: bool, sign: str = "") -> str:
    """Shares in per cent; of other quantities about four digits."""
    if share:
        return f"{100 * value:{sign}.1f}"
    return f"{value:{sign}.{3 if abs(value) < 10 else 2 if abs(value) < 100 else 1}f}"


def _span(s: Summary, share: bool) -> str:
    return f"{number(s.mean, share)} [{number(s.low, share)}, {number(s.high, share)}]"
