"""A run over an annotated folder: shards of pictures, gone on with after a stop, put together at the end.

    OUT/plan.json            what was asked of which model about which data (the same plan goes on)
    OUT/shards/00000.jsonl   a line per picture: its pairs, or why there are none
    OUT/pairs.jsonl          every described box with its scores, in the order of the pictures
    OUT/records/train.jsonl  the pictures that kept a pair, with those as phrases (reader "records")
    OUT/manifest.json        plan, rule, counts; written last
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from loupe import config
from loupe.bootstrapping.asking import Outcome, ask
from loupe.bootstrapping.filters import Work, unreadable, work
from loupe.bootstrapping.output import finish
from loupe.bootstrapping.pair import to_line
from loupe.bootstrapping.settings import Rule, Settings, unmeasured
from loupe.bootstrapping.stored import MANIFEST, SHARDS, Shard, Stored, hold, lines_of, loaded, read
from loupe.data import scale
from loupe.errors import ConfigError, LoupeError
from loupe.evals.runner import identity
from loupe.plain import to_plain
from loupe.predictor import Predictor, able
from loupe.readers.base import Reader
from loupe.writers.plan import PLAN, claim

FAILED = "predictor failed"
PATIENCE = 20  # pictures in a row at which the predictor failed: then it is not there, and the rest is not asked about
UNASKED = f"not asked: the predictor failed at {PATIENCE} pictures in a row"  # asked when the run is begun again


@dataclass(frozen=True)
class Parts:
    """What a process works with."""

    predictor: Predictor
    reader: Reader
    second: Predictor | None = None


def run(predictor: Predictor, reader: Reader, out: str | os.PathLike, settings: Settings | None = None,
        rule: Rule | None = None, *, second: Predictor | None = None, workers: int = 1,
        make: Callable[[], Parts] | None = None, gpus: float = 0.0, retry: bool = False) -> Stored:
    """Describe and find again every box of `reader` that the settings let through, or go on where a run stopped.

    second: another model that looks for the same descriptions. make: builds the parts anew in a worker (picklable);
    without it there is one process. gpus: of each process; the parts given here may then lie on the CPU. retry: ask
    again about pictures at which the predictor failed.
    A folder of another plan is refused. Nothing a picture or an answer is ends the run, nor does a predictor that
    raises a LoupeError or an OSError: all of it is counted.
    """
    out, settings, rule = Path(out), settings or Settings(), rule or Rule()
    if workers < 1:
        raise ConfigError("nobody would do the work", got=f"workers={workers}", expected="1 or more")
    if workers > 1 and make is None:
        raise ConfigError("several workers each need their own parts", got=f"{workers} workers, no make=")
    _able(predictor, settings, rule, second)
    pictures = min(len(reader), settings.limit or len(reader))
    plan = _plan(predictor, reader, settings, second)
    claim(out, plan, "another bootstrapping lies here")
    with open(out / PLAN, "r+b") as file:
        hold(file)
        _work_through(Parts(predictor, reader, second), out, plan, settings, rule, pictures, workers, make, gpus,
                      retry)
    return read(out)


def _able(predictor: Predictor, settings: Settings, rule: Rule, second: Predictor | None) -> None:
    """What would show only when everything is asked, as a ConfigError."""
    if settings.temperature > 0 and not able(predictor, "sampled"):
        raise ConfigError("this model draws no answers", got=f"temperature {settings.temperature:g}",
                          where=predictor.name, do="leave --temperature out for descriptions in other wordings")
    known = settings.scores(second is not None)
    if not able(predictor, "weigh"):
        known = [name for name in known if name not in ("margin", "contrast")]
    if rule.by not in known:
        raise unmeasured(rule.by, known)


def _work_through(parts: Parts, out: Path, plan: dict, settings: Settings, rule: Rule, pictures: int, workers: int,
                  make: Callable[[], Parts] | None, gpus: float, retry: bool) -> None:
    """Ask about what is not there yet, and write what follows from all of it."""
    left_out = dict(sorted(getattr(parts.reader, "problems", {}).items()))  # at its opening: reading goes on counting
    shards = range(-(-pictures // settings.shard))
    for number in shards:
        _forget(_shard(out, number, settings, pictures), (FAILED, UNASKED) if retry else (UNASKED,))
    missing = {k: left for k in shards if (left := _missing(out, k, settings, pictures))}
    if missing:
        (out / MANIFEST).unlink(missing_ok=True)
    alone = workers == 1 or len(missing) < 2 or not scale.has_ray()
    with tqdm(total=pictures, initial=pictures - sum(missing.values()), desc="bootstrapping", unit="picture",
              disable=None if missing else True) as bar:
        job = partial(_worker, (lambda: parts) if alone and not gpus else make, out, settings, pictures,
                      bar.update if alone else _silent)
        for _, asked in scale.each(job, list(missing), workers, gpus):
            if not alone:
                bar.update(asked)
    made = {"plan": plan, "rule": config.to_json(rule), "pictures": pictures,
            "root": os.path.abspath(parts.reader.root)}
    if not _up_to_date(out, made):
        lines = (line for k in shards for line in _ordered(out, k, settings, pictures))
        finish(out, {**made, "reader left out": left_out}, rule, lines, parts.reader)


def _plan(predictor: Predictor, reader: Reader, settings: Settings, second: Predictor | None) -> dict:
    said = config.to_json(replace(settings, limit=None))
    del said["limit"]  # a longer run goes on with a shorter one
    plan = {"settings": said, "model": identity(predictor), "second": identity(second) if second else None,
            "source": {"reader": reader.source, "split": reader.split, "hash": reader.hash, "pictures": len(reader)}}
    return json.loads(json.dumps(plan))  # as it is read again


def _groups(number: int, settings: Settings, pictures: int) -> dict[int, range]:
    """{number of a group: its pictures} of one shard. Groups never depend on what was done before."""
    first, end = number * settings.shard, min((number + 1) * settings.shard, pictures)
    return {start: range(start, min(start + settings.together, end))
            for start in range(first, end, settings.together)}


def _shard(out: Path, number: int, settings: Settings, pictures: int) -> Shard:
    sizes = {key: len(group) for key, group in _groups(number, settings, pictures).items()}
    return Shard(out / SHARDS / f"{number:05d}.jsonl", sizes)


def _missing(out: Path, number: int, settings: Settings, pictures: int) -> int:
    """How many pictures of a shard lie in no whole group of its file."""
    there = {line["picture"] for line in lines_of(_shard(out, number, settings, pictures).path)}
    return sum(len(group) for group in _groups(number, settings, pictures).values() if not there.issuperset(group))


def _forget(shard: Shard, reasons: tuple[str, ...]) -> None:
    groups = {line["group"] for line in lines_of(shard.path) if str(line.get("reason", "")).startswith(reasons)}
    if groups:
        shard.without(groups)


def _silent(_: int) -> None:
    pass


def _worker(make: Callable[[], Parts], out: Path, settings: Settings, pictures: int, done: Callable[[int], object]):
    """What a process does with one number of a shard."""
    parts = make()
    return partial(_fill, parts, Asker(parts, settings), out, settings, pictures, done)


def _fill(parts: Parts, asker: Asker, out: Path, settings: Settings, pictures: int, done: Callable[[int], object],
          number: int) -> int:
    """Ask about every picture of a shard that is not in its file yet; returns how many there were."""
    asked = 0
    with _shard(out, number, settings, pictures).open() as shard:
        for key, group in _groups(number, settings, pictures).items():
            if key in shard.done:
                continue
            shard.add({"group": key, **line} for line in _lines(parts.reader, asker, group, settings))
            asked += len(group)
            done(len(group))
    return asked


def _lines(reader: Reader, asker: Asker, group: range, settings: Settings) -> Iterator[dict]:
    """One line per picture of a group."""
    found = {index: _work(reader, index, settings) for index in group}
    asked = [each for each in found.values() if isinstance(each, Work) and not each.reason]
    said = dict(zip((each.index for each in asked), asker(asked), strict=True))
    for index, each in found.items():
        if not isinstance(each, Work):
            yield {"picture": index, "reason": each}
            continue
        outcome = said.get(index, Outcome(reason=each.reason))
        line = {"picture": index, "record": each.record.id, "boxes": len(each.record.objects)}
        left_out = each.left_out.copy()
        left_out.update(outcome.undescribed)
        if outcome.reason and each.objects:
            left_out[outcome.reason] += len(each.objects)
        yield line | ({"left_out": dict(left_out)} if left_out else {}) | (
            {"reason": outcome.reason} if outcome.reason else {}) | {"pairs": [to_line(p) for p in outcome.pairs]}


def _work(reader: Reader, index: int, settings: Settings) -> Work | str:
    """What is to be asked about a record, or why it cannot be read."""
    try:
        return work(index, reader[index], settings)
    except (LoupeError, OSError) as error:
        return unreadable(error)


class Asker:
    """Asks about pictures; where the predictor fails, about each by itself, and after PATIENCE failures no more."""

    def __init__(self, parts: Parts, settings: Settings):
        self.parts, self.settings = parts, settings
        self.failed = 0  # pictures in a row

    def __call__(self, works: Sequence[Work]) -> list[Outcome]:
        if not works:
            return []
        if self.failed >= PATIENCE:
            return [Outcome(reason=UNASKED)] * len(works)
        try:
            said = ask(works, self.parts.predictor, self.settings, self.parts.second, self._picture)
            self.failed = 0
            return said
        except (LoupeError, OSError) as error:
            reason = f"{FAILED}: {getattr(error, 'what', None) or type(error).__name__}"
        if len(works) > 1:  # the error is gone, and with it the tensors its frames held
            return [outcome for each in works for outcome in self([each])]
        self.failed += 1
        return [Outcome(reason=reason)]

    def _picture(self, work: Work) -> dict | None:
        return to_plain(work.record.image, self.parts.reader.root) if work.record.image.path is not None else None


def _ordered(out: Path, number: int, settings: Settings, pictures: int) -> list[dict]:
    """The lines of a shard in the order of the pictures, each picture once."""
    lines = {line["picture"]: line for line in lines_of(_shard(out, number, settings, pictures).path)}
    return [lines[index] for index in sorted(lines) if index < pictures]


def _up_to_date(out: Path, made: dict) -> bool:
    manifest = out / MANIFEST
    return manifest.is_file() and {key: loaded(manifest).get(key) for key in made} == made
