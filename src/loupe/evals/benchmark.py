"""Benchmarks: which questions, whose truth, which metric, and how many there must be."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from loupe.data.draw import place
from loupe.errors import FileError, LoupeError, unknown_name
from loupe.evals.predictions import fingerprint
from loupe.plain import Roots
from loupe.readers import reader
from loupe.regions import Box
from loupe.sample import Sample
from loupe.tasks import task


class CountError(LoupeError):
    """A benchmark has another number of questions than it must have."""


@dataclass(frozen=True)
class Benchmark:
    """Reader, task and metric as values; `count` is the published number of questions (None: not fixed).

    fit: the split trivial baselines may be fitted on. least_area: only true boxes larger than this, in square pixels.
    """

    name: str
    reader: str
    folder: str
    split: str
    options: dict = field(default_factory=dict)
    task: str = "grounding"
    metric: str = "referring"
    count: int | None = None
    task_options: dict = field(default_factory=dict)
    least_area: float = 0.0
    fit: str | None = None

    def spec(self) -> dict:
        """JSON-able; what a file of predictions says it answers (the number of questions is said beside it)."""
        return {k: v for k, v in asdict(self).items() if k not in ("count", "fit")}


def _refer(dataset: str, by: str, counts: Mapping[str, int | None]) -> list[Benchmark]:
    return [Benchmark(f"{dataset}-{split}", "refer", "refer", split, {"dataset": dataset, "by": by}, count=count,
                      task_options={"phrases": "refers"}, fit="train") for split, count in counts.items()]


def _coco(what: str, task_name: str, metric: str, **options) -> Benchmark:
    return Benchmark(f"coco-{what}-val2017", "coco", "coco", "val2017", task=task_name, metric=metric, fit="train2017",
                     **options)


# Numbers of expressions: refer's unc splits of RefCOCO and RefCOCO+, umd's of RefCOCOg.
BENCHMARKS: dict[str, Benchmark] = {b.name: b for b in (
    *_refer("refcoco", "unc", {"val": 10834, "testA": 5657, "testB": 5095}),
    *_refer("refcoco+", "unc", {"val": 10758, "testA": 5726, "testB": 4889}),
    *_refer("refcocog", "umd", {"val": 4896, "test": 9602}),
    *(replace(_refer(dataset, by, {"all": None})[0], split="", fit=None)  # every sentence, for small collections
      for dataset, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd"))),
    _coco("unique", "grounding", "referring", task_options={"phrases": "unique"}, least_area=2000.0),
    _coco("counting", "counting", "numbers", task_options={"kinds": ["name"]}),
    _coco("detection", "detection", "boxes", task_options={"kinds": ["name"]}),
    _coco("position", "coarse-position", "boxes", task_options={"kinds": ["boxes"]}),
    Benchmark("refcoco-describe-val", "refer", "refer", "val", {"dataset": "refcoco", "by": "unc"},
              task="description", metric="words", task_options={"phrases": "refers"}),
)}


def benchmark(name: str | Benchmark) -> Benchmark:
    if isinstance(name, Benchmark):
        return name
    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, BENCHMARKS)
    return BENCHMARKS[name]


@dataclass(frozen=True)
class Questions:
    """All questions of a benchmark, in the fixed order and wording. `hash` covers ids, words and truths."""

    benchmark: Benchmark
    samples: tuple[Sample, ...]
    folder: Path
    expected: int | None  # the number there must be, where one is known
    data_hash: str = ""  # of the annotation files
    problems: tuple[tuple[str, int], ...] = ()  # what the reader left out, by reason

    @property
    def hash(self) -> str:
        return fingerprint(self.samples)

    def __len__(self) -> int:
        return len(self.samples)


def open_questions(named: str | Benchmark, roots: Roots, count: int | str | None = None,
                   split: str | None = None) -> Questions:
    """Reads a benchmark's questions and checks their number.

    count: None checks against counts.json of the root, else the published number; a number checks against that;
    "any" checks nothing. `split` reads another split without a check (to fit a baseline on).
    """
    what = benchmark(named)
    if split is not None:
        what, count = replace(what, split=split, count=None), "any"
    folder = place(roots, what.folder)
    records = reader(what.reader)(folder, what.split, **what.options)
    asking = task(what.task, **what.task_options)
    samples = tuple(s for record in records for s in asking.every(record) if _large(s, what.least_area))
    _unique(samples, folder)
    expected, source = _expected(what, roots, folder, count)
    if expected is not None and len(samples) != expected:
        raise CountError(f"{what.name} has another number of questions", got=len(samples),
                         expected=f"{expected} ({source})", where=folder, do=_why(records)
                         + f"; pass --count {len(samples)} if these are the right files, or --count any")
    if not samples:
        raise CountError(f"{what.name} has no questions", got=0, expected="1 or more", where=folder, do=_why(records))
    return Questions(what, samples, folder, expected, records.hash, tuple(sorted(records.problems.items())))


def _expected(what: Benchmark, roots: Roots, folder: Path, count: int | str | None) -> tuple[int | None, str]:
    if count == "any":
        return None, ""
    if count is not None:
        return int(count), "--count"
    parents = [roots] if isinstance(roots, (str, os.PathLike)) else [dict(roots or {}).get("")]
    for parent in [p for p in parents if p] + [folder.parent]:
        file = Path(parent).expanduser() / "counts.json"
        if file.is_file():
            number = _counts(file).get(what.name)
            if number is not None:
                return number, str(file)
    return what.count, "published"


def _counts(file: Path) -> dict:
    try:
        data = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise FileError("cannot read counts", got=error, where=file, do="write the data again, or delete it") from None
    if not isinstance(data, dict) or not all(isinstance(v, int) for v in data.values()):
        raise FileError("cannot read counts", expected="{benchmark name: number}", where=file)
    return data


def _why(records) -> str:
    reasons = ", ".join(f"{number} x {reason}" for reason, number in sorted(records.problems.items()))
    return f"the reader left out or mended: {reasons}" if reasons else "check that the files are complete"


def _large(sample: Sample, least: float) -> bool:
    truth = sample.extra.get("truth")
    return not least or (isinstance(truth, Box) and truth.area > least)


def _unique(samples: tuple[Sample, ...], folder: Path) -> None:
    seen: set[str] = set()
    for s in samples:
        if s.id in seen:
            raise FileError("two questions have one id", got=s.id, where=folder,
                            do="an annotation stands twice in the file; remove one")
        seen.add(s.id)
