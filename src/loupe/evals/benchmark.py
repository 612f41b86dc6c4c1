"""Benchmarks: which questions, whose truth, which metric, and how many there must be."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from loupe.config import from_json
from loupe.data.draw import place
from loupe.errors import ConfigError, FileError, LoupeError, unknown_name
from loupe.evals.asking import ask, few, order
from loupe.evals.boxes_asked import read_boxes
from loupe.evals.chatspot import CHATSPOT
from loupe.evals.jitter import jittered, noisy
from loupe.evals.metrics import METRICS
from loupe.evals.miniature import MINI
from loupe.evals.predictions import fingerprint
from loupe.evals.printed import PRINTED
from loupe.evals.published import PUBLISHED
from loupe.evals.ranked import closed
from loupe.evals.shots import shown
from loupe.evals.spec import Benchmark
from loupe.plain import Roots
from loupe.readers import reader
from loupe.sample import Regions, Sample

FIRST = 50  # questions of a drawn benchmark that are always made


class CountError(LoupeError):
    """A benchmark has another number of questions than it must have."""


def _refer(dataset: str, by: str, counts: Mapping[str, int | None]) -> list[Benchmark]:
    return [Benchmark(f"{dataset}-{split}", "refer", "refer", split, {"dataset": dataset, "by": by}, count=count,
                      task_options={"phrases": "refers"}, fit="train") for split, count in counts.items()]


def _masks(of: Benchmark) -> Benchmark:
    """Masks of the same phrases: a box first, then questions inside it (PAE-LaMM §4.2; there --limit 100)."""
    name = of.name.replace(of.options["dataset"], f"{of.options['dataset']}-masks", 1)
    return replace(of, name=name, metric="masks", form="mask", grid=64, inside=True, answer=48)


def _coco(what: str, task_name: str, metric: str, **options) -> Benchmark:
    return Benchmark(f"coco-{what}-val2017", "coco", "coco", "val2017", task=task_name, metric=metric, fit="train2017",
                     **options)


# Numbers of expressions: refer's unc splits of RefCOCO and RefCOCO+, umd's of RefCOCOg.
REFERRING = (
    *_refer("refcoco", "unc", {"val": 10834, "testA": 5657, "testB": 5095}),
    *_refer("refcoco+", "unc", {"val": 10758, "testA": 5726, "testB": 4889}),
    *_refer("refcocog", "umd", {"val": 4896, "test": 9602}),
    *(replace(_refer(dataset, by, {"all": None})[0], split="", fit=None)  # every sentence, for small collections
      for dataset, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd"))),
)
BENCHMARKS: dict[str, Benchmark] = {b.name: b for b in (
    *REFERRING,
    *map(_masks, REFERRING),
    _coco("unique", "grounding", "referring", task_options={"phrases": "unique"}, least_area=2000.0),
    _coco("counting", "counting", "numbers", task_options={"kinds": ["name"]}),
    _coco("detection", "detection", "boxes", task_options={"kinds": ["name"]}),
    _coco("position", "coarse-position", "boxes", task_options={"kinds": ["boxes"]}),
    Benchmark("refcoco-describe-val", "refer", "refer", "val", {"dataset": "refcoco", "by": "unc"},
              task="description", metric="words", task_options={"phrases": "refers"}),
    # 100 photos x 64 x 64 places: the 409,600 questions of PAE-LaMM's evaluation (§4.1), on COCO's photos
    _coco("pixels", "reconstruction", "colours", task_options={"size": 64}, draw=1, most=100, form="colours", grid=64,
          answer=32),
    Benchmark("photo-pixels", "pictures", "pictures", "val", task="reconstruction", metric="colours",
              task_options={"size": 64}, draw=1, most=100, form="colours", grid=64, answer=32, fit="train"),
    *PRINTED,
    *PUBLISHED,
    *CHATSPOT,
    *MINI,
)}


def benchmark(name: str | os.PathLike | Benchmark) -> Benchmark:
    """The benchmark of that name, or the one a JSON file holds."""
    if isinstance(name, Benchmark):
        return name
    if os.fspath(name).endswith(".json"):
        return _from_file(Path(name).expanduser())
    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, BENCHMARKS)
    return BENCHMARKS[name]


def _from_file(path: Path) -> Benchmark:
    """Fields of a Benchmark; those that are absent have their defaults, `name` is the file's."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FileError("cannot read benchmark", got=error.strerror, where=path, do="check the path, or give a name of "
                        "`loupe evaluate list`") from None
    except ValueError as error:
        raise FileError("not JSON", got=error, where=path) from None
    if not isinstance(data, dict):
        raise FileError("this is no benchmark", got=type(data).__name__, where=path,
                        expected='{"reader": ..., "folder": ..., "split": ..., "task": ..., "metric": ...}')
    data = {"name": path.stem, **data}
    if not isinstance(data["name"], str) or Path(data["name"]).name != data["name"]:
        raise ConfigError("a benchmark's name names its files", got=repr(data["name"]), expected="a plain word",
                          where=path)
    missing = [field for field in ("reader", "folder", "split") if field not in data]
    if missing:
        raise ConfigError("a benchmark lacks a field", got=f"no {', '.join(missing)}", where=path,
                          expected="reader, folder, split, and task and metric where not grounding")
    return from_json(Benchmark, data, str(path))


@dataclass(frozen=True)
class Questions:
    """All questions of a benchmark, in the fixed order and wording. `hash` covers ids, words and truths."""

    benchmark: Benchmark
    samples: tuple[Sample, ...]
    folder: Path
    expected: int | None  # the number there must be, where one is known
    data_hash: str = ""  # of the annotation files
    problems: tuple[tuple[str, int], ...] = ()  # what the reader left out, by reason

    @cached_property
    def hash(self) -> str:
        """Of a drawn benchmark, of which only as many questions may be made as are asked: of the first ones and of the
        annotation files."""
        if self.benchmark.draw is None:
            return fingerprint(self.samples)
        return hashlib.sha256(f"{fingerprint(self.samples[:FIRST])} {self.data_hash}".encode()).hexdigest()[:32]

    def __len__(self) -> int:
        return len(self.samples)

    def moved(self, amount: float, seed: int) -> Questions:
        """The same questions by a sloppy hand: what opening `noisy` of the benchmark gives. ConfigError where no
        question names a region."""
        if amount and not any(isinstance(part, Regions) for s in self.samples for part in s.turns[-1].parts):
            raise ConfigError("these questions name no region that could be moved", got=self.benchmark.name,
                              expected="questions about boxes or points", where="--jitter",
                              do="choose such a benchmark: chatspot-mini-jitter, chatspot-jitter")
        samples = tuple(jittered(s, amount, seed) for s in self.samples)
        return replace(self, benchmark=noisy(self.benchmark, amount, seed), samples=samples)

    def some(self, limit: int | None = None) -> tuple[Sample, ...]:
        """`limit` of them, a random choice that is always the same and part of every larger one; None: all."""
        if limit is None or limit >= len(self.samples):
            return self.samples
        if self.benchmark.draw is not None and not self.benchmark.circular:  # stand in a random order already
            return self.samples[:limit]
        if any("unit" in s.extra for s in self.samples):
            return self._units(limit)
        return tuple(self.samples[k] for k in sorted(order(len(self.samples))[:limit]))

    def _units(self, limit: int) -> tuple[Sample, ...]:
        """Whole units (the boxes of a picture, the rotations of a question): at least one, at most `limit` samples."""
        units: dict[str, list[Sample]] = {}
        for s in self.samples:
            units.setdefault(str(s.extra.get("unit", s.id)), []).append(s)
        names, chosen, count = list(units), [], 0
        for k in order(len(names)):
            if chosen and count + len(units[names[k]]) > limit:
                break
            chosen.append(k)
            count += len(units[names[k]])
        return tuple(s for k in sorted(chosen) for s in units[names[k]])


class Shelf:
    """Readers opened for several benchmarks, their records parsed once; the records of one split are kept at a time."""

    def __init__(self):
        self.key, self.records = "", None

    def open(self, what: Benchmark, folder: Path):
        key = json.dumps([what.reader, str(folder), what.split, what.options], sort_keys=True)
        if key != self.key:
            self.key, self.records = key, Kept(reader(what.reader)(folder, what.split, **what.options))
        return self.records


class Kept:
    """A reader whose records stay in memory once they were asked for."""

    def __init__(self, records):
        self.reader, self.hash, self._known = records, records.hash, {}

    @property
    def problems(self):
        return self.reader.problems

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, k: int):
        if k not in self._known:
            self._known[k] = self.reader[k]
        return self._known[k]


def open_questions(named: str | Benchmark, roots: Roots, count: int | str | None = None,
                   split: str | None = None, shelf: Shelf | None = None, most: int | None = None,
                   boxes: str | os.PathLike | None = None, pictures: int | None = None) -> Questions:
    """Reads a benchmark's questions and checks their number.

    count: None checks against counts.json of the root, else the published number; a number checks against that;
    "any" checks nothing. `split` reads another split without a check (to fit a baseline on). most: so many questions
    of a drawn benchmark will do. A shelf spares reading the same records for several benchmarks.
    boxes: a file of found boxes, for benchmarks that ask about those (else boxes_<split>.json beside the data).
    pictures: of one that is not drawn, only the questions about so many pictures, a random choice that is always the
    same; nothing is checked then.
    """
    what = benchmark(named)
    if what.metric not in METRICS:  # before a model answers
        raise unknown_name("metric", what.metric, METRICS, f"benchmark {what.name}")
    if split is not None:
        what, count = replace(what, split=split, count=None), "any"
    if most is not None and what.draw is not None:
        known, what = what, replace(what, most=min(max(most, FIRST), what.most or most + FIRST))
    else:
        known = what
    folder = place(roots, what.folder)
    if what.draw is None:
        records = reader(what.reader)(folder, what.split, **what.options)
    else:
        records = (shelf or Shelf()).open(what, folder)
    found = read_boxes(boxes or folder / f"boxes_{what.split}.json") if what.boxes == "found" else None
    if pictures is not None and what.draw is None and not what.boxes:
        asked_of, count = few(records, pictures), "any"
    else:
        asked_of = records
    samples = tuple(ask(what, asked_of, found))
    if what.among:
        samples = tuple(closed(samples, what.among))
    _unique(samples, folder)
    if what.shots:
        samples = shown(what, samples, reader(what.reader)(folder, what.fit or what.split, **what.options))
    expected, source = _expected(what, roots, folder, count)
    if expected is not None and len(samples) != expected:
        raise CountError(f"{what.name} has another number of questions", got=len(samples),
                         expected=f"{expected} ({source})", where=folder, do=_why(records)
                         + f"; pass --count {len(samples)} if these are the right files, or --count any")
    if not samples:
        raise CountError(f"{what.name} has no questions", got=0, expected="1 or more", where=folder, do=_why(records))
    return Questions(known, samples, folder, expected, records.hash, tuple(sorted(records.problems.items())))


def _expected(what: Benchmark, roots: Roots, folder: Path, count: int | str | None) -> tuple[int | None, str]:
    if count == "any":
        return None, ""
    if count is not None:
        return int(count), "--count"
    parents = [roots] if isinstance(roots, (str, os.PathLike)) else [dict(roots or {}).get("")]
    for parent in [p for p in parents if p] + [folder.parent]:
        file = Path(parent).expanduser() / "counts.json"
        if file.is_file():
            number = _counts(file).get(what.name.replace("-masks-", "-"))  # masks are of the same phrases
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


def _unique(samples: tuple[Sample, ...], folder: Path) -> None:
    seen: set[str] = set()
    for s in samples:
        if s.id in seen:
            raise FileError("two questions have one id", got=s.id, where=folder,
                            do="an annotation stands twice in the file; remove one")
        seen.add(s.id)
