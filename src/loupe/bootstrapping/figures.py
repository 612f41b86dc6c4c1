"""How well scores tell right pairs from wrong ones, and where errors agree with themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loupe.bootstrapping import curve
from loupe.bootstrapping.pair import Candidate, Pair, best, score
from loupe.bootstrapping.settings import SCORES
from loupe.bootstrapping.truth import Verdict
from loupe.evals.metrics.interval import wilson

Judged = tuple[Pair, Candidate, Verdict]
COVERAGES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.3)


@dataclass(frozen=True)
class Ranking:
    """A score's order of the judged boxes. risk[k - 1]: share of wrong ones among the k best."""

    score: str
    risk: np.ndarray
    known: int  # boxes the score is known of

    @property
    def area(self) -> float:
        return curve.area(self.risk)

    def plain(self) -> dict:
        return {"known": self.known, "area": round(self.area, 5),
                "risk": {f"{c:g}": round(curve.at(self.risk, c), 5) for c in COVERAGES},
                "wrong left": {f"{c:g}": round(curve.left(self.risk, c), 5) for c in COVERAGES}}


def chosen(pairs: Sequence[Pair], verdicts: Sequence[tuple[Verdict | None, ...]], by: str) -> list[Judged]:
    """The candidate a score chooses of every box whose truth is known."""
    out = []
    for pair, said in zip(pairs, verdicts):
        candidate = best(pair, by)
        verdict = said[pair.candidates.index(candidate)]
        if verdict is not None:
            out.append((pair, candidate, verdict))
    return out


def first(pairs: Sequence[Pair], verdicts: Sequence[tuple[Verdict | None, ...]]) -> list[Judged]:
    """Only the plain method's description of every box whose truth is known."""
    return [(pair, pair.candidates[0], said[0]) for pair, said in zip(pairs, verdicts)
            if pair.plain and said and said[0] is not None]


def ranking(judged: Sequence[Judged], by: str) -> Ranking:
    scores = [score(pair, candidate, by) for pair, candidate, _ in judged]
    wrong = [not verdict.right for *_, verdict in judged]
    return Ranking(by, curve.risks(scores, wrong), sum(s is not None for s in scores))


def rankings(judged: Sequence[Judged]) -> list[Ranking]:
    """Every score that is known of any box."""
    return [each for each in (ranking(judged, by) for by in SCORES) if each.known]


def better(judged: Sequence[Judged], by: str, than: str, draws: int = 400) -> tuple[float, float, float]:
    """(difference of areas `by` - `than`, 95 % interval by resampling pictures); below zero is better."""
    records: dict[str, list[int]] = {}
    for position, (pair, *_) in enumerate(judged):
        records.setdefault(pair.record, []).append(position)
    groups, rng = list(records.values()), np.random.default_rng(0)
    columns = [[score(pair, candidate, name) for pair, candidate, _ in judged] for name in (by, than)]
    wrong = [not verdict.right for *_, verdict in judged]

    def difference(members: Sequence[int]) -> float:
        mistakes = [wrong[k] for k in members]
        a, b = (curve.area(curve.risks([column[k] for k in members], mistakes)) for column in columns)
        return a - b

    if not groups:
        return math.nan, math.nan, math.nan
    drawn = [difference([k for g in rng.integers(0, len(groups), len(groups)) for k in groups[g]])
             for _ in range(draws)]
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist() if draws else (math.nan, math.nan)
    return difference(range(len(judged))), low, high


def precision(judged: Sequence[Judged], iou: float) -> dict:
    """What the paper's filter does at one threshold: kept share, share of right ones, with its interval."""
    some = [verdict.right for _, candidate, verdict in judged if candidate.iou >= iou]
    low, high = wilson(sum(some), len(some))
    return {"iou": iou, "kept": len(some) / len(judged) if judged else 0.0,
            "precision": sum(some) / len(some) if some else math.nan, "low": low, "high": high}


def agreement(judged: Sequence[Judged], iou: float = 0.5) -> dict[str, dict[str, int]]:
    """Where errors agree with themselves: boxes by verdict, found again or not, split by what could be mistaken.

    The rows "rival" and "alone" say whether another judged box of the class is in the picture.
    """
    same = Counter((pair.record, pair.name) for pair in {(p.record, p.object): p for p, *_ in judged}.values())
    out: dict[str, Counter] = {name: Counter() for name in ("all", "rival", "alone")}
    for pair, candidate, verdict in judged:
        rival = "rival" if same[pair.record, pair.name] > 1 else "alone"
        names = ["all", rival, f"said by {verdict.kind or 'nothing'}"]
        for name in names:
            row = out.setdefault(name, Counter())
            row["found" if candidate.iou >= iou else "lost", "right" if verdict.right else "wrong"] += 1
    return {name: {"found, right": row["found", "right"], "found, wrong": row["found", "wrong"],
                   "lost, right": row["lost", "right"], "lost, wrong": row["lost", "wrong"]}
            for name, row in out.items()}
