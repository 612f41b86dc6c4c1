"""A suite measured as a whole: goals beside what was reached, and scores.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loupe.errors import unknown_name
from loupe.evals.chatspot import SUITES as CHATSPOT
from loupe.evals.metrics import Figure, Scores
from loupe.evals.miniature import GOALS, Goal
from loupe.evals.miniature import SUITES as MINIATURES
from loupe.evals.published import SUITES as PAPERS
from loupe.evals.table import aligned, cell

SUITES = {**MINIATURES, **CHATSPOT, **PAPERS}  # those of PAPERS are asked whole, as far as their data is there


@dataclass(frozen=True)
class Verdict:
    """A goal and the figure reached; `others`: the same figure of what stands beside the model, by name."""

    goal: Goal
    figure: Figure
    others: tuple[tuple[str, Figure], ...] = ()

    @property
    def said(self) -> str:
        if self.goal.aim is not None and self.figure.value >= self.goal.aim:
            return "aim reached"
        return "reached" if self.figure.value >= self.goal.must else "missed"


def names_of(given: Iterable[str]) -> list[str]:
    """Names of benchmarks and suites -> names of benchmarks, each once; files of benchmarks stay as they are."""
    from loupe.evals.benchmark import BENCHMARKS

    given = list(given)
    for each in given:
        if each not in SUITES and each not in BENCHMARKS and not each.endswith(".json"):
            raise unknown_name("benchmark", each, (*BENCHMARKS, *SUITES))
    return list(dict.fromkeys(name for each in given for name in SUITES.get(each, (each,))))


def verdicts(results: Sequence, model: str, goals: Sequence[Goal] = GOALS) -> list[Verdict]:
    """One for every goal whose benchmark was measured."""
    out = []
    for goal in goals:
        mine = [r for r in results if r.benchmark == goal.benchmark]
        own = next((r for r in mine if r.model == model), None)
        if own is not None:
            others = tuple((r.model, figure_of(r.scores, goal.figure)) for r in mine if r is not own)
            out.append(Verdict(goal, figure_of(own.scores, goal.figure), others))
    return out


def figure_of(scores: Scores, name: str) -> Figure:
    return next(f for f in scores.figures if f.name == name)


def goals_table(found: Sequence[Verdict]) -> str:
    """One line per goal: what was reached, the best of what stands beside it, must, aim."""
    rows = [("task", "reached", "N", "best baseline", "must", "aim", "")]
    for v in found:
        best = max(v.others, key=lambda pair: pair[1].value, default=None)
        rows.append((v.goal.what, cell(v.figure), str(v.figure.count),
                     f"{best[0]} {100 * best[1].value:.1f}" if best else "-", f"{100 * v.goal.must:.0f}",
                     "-" if v.goal.aim is None else f"{100 * v.goal.aim:.0f}", v.said))
    return aligned(rows)


def scores_of(results: Sequence, about: dict) -> dict:
    """JSON-able: every figure of every result with interval and count, by kind too."""
    return {**about, "results": [
        {"benchmark": r.benchmark, "model": r.model, "metric": r.metric, "questions": r.count, "of": r.of,
         "figures": _figures(r.scores), "unreadable": dict(r.scores.unreadable), "remarks": dict(r.scores.remarks),
         **({"kinds": {kind: _figures(scores) for kind, scores in r.kinds.items()}} if r.kinds else {})}
        for r in results]}


def write_scores(data: dict, out: str | os.PathLike) -> Path:
    """The file, whole or not at all."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    part.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
    os.replace(part, out)
    return out


def goals_plain(found: Sequence[Verdict]) -> list[dict]:
    return [{**asdict(v.goal), "reached": v.figure.value, "said": v.said} for v in found]


def _figures(scores: Scores) -> dict:
    return {f.name: {"value": round(f.value, 6), "count": f.count,
                     **({} if f.low is None else {"low": round(f.low, 6), "high": round(f.high, 6)})}
            for f in scores.figures}
