"""How a column's value is measured: a figure of its benchmark, or what a named measurement makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from loupe.errors import unknown_name
from loupe.evals import evaluate, open_questions
from loupe.evals.benchmark import Questions, Shelf
from loupe.evals.metrics.figures import Figure
from loupe.evals.runner import Result
from loupe.evals.spec import Benchmark
from loupe.named import imported
from loupe.predictor import Predictor
from loupe.reproduce.experiment import Column

MEASUREMENTS = {  # Column.measured -> "module:function" of (Asking, Column, name of its files) that gives Measured
    "": "loupe.reproduce.measuring:figure",
    "jitter": "loupe.reproduce.draws:jitter",
    "shots": "loupe.reproduce.draws:shots",
    "reward": "loupe.reproduce.playing:reward",
}


@dataclass(frozen=True)
class Measured:
    """count: questions behind the value, low and high its interval over them. questions: hash of what was asked."""

    value: float
    count: int
    unreadable: int = 0
    questions: str = ""
    low: float | None = None
    high: float | None = None


@dataclass
class Asking:
    """A predictor before an experiment's questions. Columns of one benchmark are answered once.

    answers: folder of answers, gone on with after a stop; None: kept nowhere.
    """

    predictor: Predictor | None
    where: Mapping[str, Path]
    answers: Path | None = None
    progress: bool = True
    shelf: Shelf = field(default_factory=Shelf)
    _open: dict[str, Questions] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)

    def of(self, predictor: Predictor) -> Asking:
        """Another predictor before the same questions."""
        return replace(self, predictor=predictor, _results={})

    def questions(self, what: Benchmark, limit: int) -> Questions:
        key = _key(what, limit)
        if key not in self._open and what.jitter:  # the same questions, with moved regions
            still = self.questions(replace(what, jitter=0.0, jitter_seed=0), limit)
            return replace(still.moved(what.jitter, what.jitter_seed), benchmark=what)
        if key not in self._open:
            self._open[key] = open_questions(what, self.where, "any", shelf=self.shelf, most=limit)
        return self._open[key]

    def result(self, what: Benchmark, limit: int, name: str) -> Result:
        """name: of the file of answers."""
        key = _key(what, limit)
        if key not in self._results:
            path = None if self.answers is None else self.answers / f"{name}.jsonl"
            self._results[key] = evaluate(self.predictor, self.questions(what, limit), self.where, path, limit=limit,
                                          progress=self.progress)
        return self._results[key]


def _key(what: Benchmark, limit: int) -> str:
    return json.dumps([what.spec(), limit], sort_keys=True)


def measure(asking: Asking, column: Column, name: str) -> Measured:
    return measurement(column.measured)(asking, column, name)


def measurement(name: str) -> Callable[[Asking, Column, str], Measured]:
    if name not in MEASUREMENTS:
        raise unknown_name("measurement", name, [known for known in MEASUREMENTS if known])
    return imported(MEASUREMENTS[name])


def figure(asking: Asking, column: Column, name: str) -> Measured:
    """The column's figure of its benchmark."""
    result = asking.result(column.benchmark, column.limit, name)
    found = next(f for f in result.scores.figures if not column.figure or f.name == column.figure)
    return of_figure(found, column.scale, result.scores.unread,
                     asking.questions(column.benchmark, column.limit).hash)


def of_figure(f: Figure, scale: float, unreadable: int, questions: str) -> Measured:
    low, high = (None if v is None else v * scale for v in (f.low, f.high))
    return Measured(f.value * scale, f.count, unreadable, questions, low, high)


def rungs(asking: Asking, column: Column) -> dict[str, float]:
    """Figures of the questions themselves, whatever was answered."""
    if not column.rungs:
        return {}
    scores = asking.result(column.benchmark, column.limit, column.name).scores
    return {label: scores[name] * column.scale for label, name in column.rungs}
