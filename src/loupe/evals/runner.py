"""Ask a predictor every question of a benchmark, keep each answer at once, and score."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from loupe.errors import ConfigError
from loupe.evals.benchmark import Benchmark, Questions, open_questions
from loupe.evals.grid import asked
from loupe.evals.metrics import Scores, by_kind, measure
from loupe.evals.parts import deal, gather, part_file
from loupe.evals.predictions import Prediction, Writer, prediction, read
from loupe.plain import Roots
from loupe.predictor import Predictor
from loupe.sample import Answer


@dataclass(frozen=True)
class Result:
    """Scores of one model on one benchmark. `count` questions were answered of `of`; `path` is None if kept nowhere."""

    benchmark: str
    model: str
    metric: str
    scores: Scores
    predictions: tuple[Prediction, ...]
    of: int
    path: Path | None = None
    balance: str = ""  # the key of the questions' extra by which they are scored apart, too
    scoring: dict = field(default_factory=dict)  # options of the metric

    @property
    def count(self) -> int:
        return len(self.predictions)

    @property
    def kinds(self) -> dict[str, Scores]:
        """Scores of each kind of question, where there are kinds."""
        return by_kind(self.metric, self.predictions, self.balance, self.scoring) if self.balance else {}

    def __getitem__(self, figure: str) -> float:
        return self.scores[figure]

    def __str__(self) -> str:
        from loupe.evals.table import table

        return table([self])


def evaluate(predictor: Predictor, benchmark: str | Benchmark | Questions, root: Roots = None,
             out: str | os.PathLike | None = None, *, count: int | str | None = None, limit: int | None = None,
             progress: bool = True, scoring: Mapping | None = None) -> Result:
    """Answers every question once, in order, and scores the answers.

    out: folder for <benchmark>.jsonl, or the file itself; a file of the same model and questions is gone on with.
    limit: so many of the questions, a random choice that is always the same (a later run without it goes on).
    count: see `open_questions`. scoring: options of the metric (encoder=, rank= of "classes"; verdicts= of "judged").
    """
    questions = benchmark if isinstance(benchmark, Questions) else open_questions(
        benchmark, root, count, most=limit)
    name = questions.benchmark.name
    if limit is not None and limit < 1:
        raise ConfigError("nothing to evaluate", got=f"limit {limit}", expected="1 or more")
    samples, predictor = questions.some(limit), asked(predictor, questions.benchmark)
    bar = tqdm(total=len(samples), desc=f"{name}: {predictor.name}", unit="q", disable=None if progress else True)
    path = _file(out, name) if out is not None else None
    with bar:
        if path is None:
            predictions = []
            for sample, answer in zip(samples, predictor.answer(samples), strict=True):
                predictions.append(prediction(sample, _answer(answer), root))
                bar.update()
        else:
            predictions = _written(predictor, questions, samples, root, path, bar)
    metric, options = questions.benchmark.metric, {**questions.benchmark.scoring, **(scoring or {})}
    return Result(name, predictor.name, metric, measure(metric, predictions, options), tuple(predictions),
                  len(questions), path, questions.benchmark.balance, options)


def rescore(path: str | os.PathLike, scoring: Mapping | None = None) -> Result:
    """Scores of a file of predictions, from the file alone. scoring: see `evaluate`."""
    header, predictions = read(path)
    what = header["benchmark"]
    options = {**what.get("scoring", {}), **(scoring or {})}
    return Result(what["name"], header["model"].get("name", "model"), what["metric"],
                  measure(what["metric"], predictions, options), tuple(predictions),
                  header.get("count", len(predictions)), Path(path), what.get("balance", ""), options)


def identity(predictor: Predictor) -> dict:
    """What tells two models apart: name, and for checkpoints weights, codec and dialogue."""
    return {"name": predictor.name, **getattr(predictor, "identity", {})}


def answer_part(predictor: Predictor, questions: Questions, root: Roots, out: str | os.PathLike, part: int, parts: int,
                *, limit: int | None = None) -> Path:
    """Answers part 1 .. parts of the questions (whole pictures) that `out` does not hold, into a file of its own beside
    the benchmark's; the next `evaluate` with this `out` takes them up. Goes on after a stop."""
    if not 1 <= part <= parts:
        raise ConfigError("no such part", got=f"{part} of {parts}", expected=f"1 to {parts}")
    predictor, path = asked(predictor, questions.benchmark), _file(out, questions.benchmark.name)
    if getattr(predictor, "whole", False):
        raise ConfigError("answers that depend on all questions cannot be dealt out", got=questions.benchmark.name,
                          expected="a benchmark of another form", do="ask it in one process")
    held = {p.id for p in read(path)[1]} if path.is_file() and path.stat().st_size else set()
    mine = [s for s in deal(questions.some(limit), part, parts) if s.id not in held]
    with Writer(part_file(path, part, parts), _header(predictor, questions)) as writer:
        _answered(predictor, mine, root, writer)
    return writer.path


def _header(predictor: Predictor, questions: Questions) -> dict:
    return {"benchmark": questions.benchmark.spec(), "model": identity(predictor), "questions": questions.hash,
            "count": len(questions), "data": questions.data_hash}


def _written(predictor, questions: Questions, samples, root: Roots, path: Path, bar) -> list[Prediction]:
    with Writer(path, _header(predictor, questions)) as writer:
        gather(writer)
        _answered(predictor, samples, root, writer, bar)
        return [writer.done[s.id] for s in samples]


def _answered(predictor, samples, root: Roots, writer: Writer, bar=None) -> None:
    """Asks what the writer does not hold; everything, where answers depend on all questions."""
    left = [s for s in samples if s.id not in writer.done]
    if left and writer.done and getattr(predictor, "whole", False):
        writer.restart()
        left = list(samples)
    if bar is not None:
        bar.update(len(samples) - len(left))
    for sample, answer in zip(left, predictor.answer(left), strict=True):
        writer.write(prediction(sample, _answer(answer), root))
        if bar is not None:
            bar.update()


def _answer(answer: Answer) -> Answer:
    if not isinstance(answer, Answer):
        raise TypeError(f"a predictor yields Answers, got {type(answer).__name__}")
    return answer


def _file(out: str | os.PathLike, name: str) -> Path:
    out = Path(out).expanduser()
    return out if out.suffix == ".jsonl" else out / f"{name}.jsonl"
