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
from loupe.bootstrapping.filters import DAMAGED, Work, work
from loupe.bootstrapping.output import finish
from loupe.bootstrapping.pair import to_line
from loupe.bootstrapping.settings import Rule, Settings
from loupe.bootstrapping.stored import MANIFEST, SHARDS, Shard, Stored, lines_of, loaded, read
from loupe.data import scale
from loupe.errors import ConfigError, ImageError, LoupeError
from loupe.evals.runner import identity
from loupe.plain import to_plain
from loupe.predictor import Predictor
from loupe.readers.base import Reader
from loupe.writers.plan import claim

FAILED = "predictor failed"


@dataclass(frozen=True)
class Parts:
    """What a process works with."""

    predictor: Predictor
    reader: Reader
    second: Predictor | None = None


def run(predictor: Predictor, reader: Reader, out: str | os.PathLike, settings: Settings | None = None,
        rule: Rule | None = None, *, second: Predictor | None = None, workers: int = 1,
        make: Callable[[], Parts] | None = None, retry: bool = False) -> Stored:
    """Describe and find again every box of `reader` that the settings let through, or go on where a run stopped.

    second: another model that looks for the same descriptions. make: builds the parts anew in a worker (picklable);
    without it there is one process. retry: ask again about pictures at which the predictor failed.
    A folder of another plan is refused. Nothing a picture, an answer or the predictor does wrong ends the run.
    """
    out, settings, rule = Path(out), settings or Settings(), rule or Rule()
    if workers > 1 and make is None:
        raise ConfigError("several workers each need their own parts", got=f"{workers} workers, no make=")
    pictures = min(len(reader), settings.limit or len(reader))
    plan = _plan(predictor, reader, settings, second)
    claim(out, plan, "another bootstrapping lies here")
    shards = range(-(-pictures // settings.shard))
    if retry:
        for number in shards:
            _forget_failures(_shard(out, number, settings, pictures))
    due = [k for k in shards if not _complete(out, k, settings, pictures)]
    job = partial(_worker, make or partial(Parts, predictor, reader, second), out, settings, pictures, workers > 1)
    if due:
        (out / MANIFEST).unlink(missing_ok=True)
    with tqdm(total=len(shards), initial=len(shards) - len(due), desc="shards", unit="shard",
              disable=None if workers > 1 else True) as bar:
        for _ in scale.each(job, due, workers):
            bar.update()
    made = {"plan": plan, "rule": config.to_json(rule), "pictures": pictures, "root": os.path.abspath(reader.root)}
    if not _up_to_date(out, made):
        lines = (line for k in shards for line in _ordered(out, k, settings, pictures))
        finish(out, made, rule, lines, reader)
    return read(out)


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


def _complete(out: Path, number: int, settings: Settings, pictures: int) -> bool:
    shard = _shard(out, number, settings, pictures)
    there = {line["picture"] for line in lines_of(shard.path)}
    return all(there.issuperset(group) for group in _groups(number, settings, pictures).values())


def _forget_failures(shard: Shard) -> None:
    failed = {line["group"] for line in lines_of(shard.path) if str(line.get("reason", "")).startswith(FAILED)}
    if failed:
        shard.without(failed)


def _worker(make: Callable[[], Parts], out: Path, settings: Settings, pictures: int, quiet: bool):
    """What a process does with one number of a shard."""
    return partial(_fill, make(), out, settings, pictures, quiet)


def _fill(parts: Parts, out: Path, settings: Settings, pictures: int, quiet: bool, number: int) -> int:
    """Ask about every picture of a shard that is not in its file yet; returns how many there were."""
    groups = _groups(number, settings, pictures)
    with _shard(out, number, settings, pictures).open() as shard:
        due = {key: group for key, group in groups.items() if key not in shard.done}
        asked = sum(map(len, due.values()))
        with tqdm(total=sum(map(len, groups.values())), initial=sum(map(len, groups.values())) - asked, leave=False,
                  desc=f"shard {number}", unit="picture", disable=True if quiet else None) as bar:
            for key, group in due.items():
                shard.add({"group": key, **line} for line in _lines(parts, group, settings))
                bar.update(len(group))
    return asked


def _lines(parts: Parts, group: range, settings: Settings) -> Iterator[dict]:
    """One line per picture of a group."""
    found = {index: _work(parts.reader, index, settings) for index in group}
    asked = [each for each in found.values() if isinstance(each, Work) and not each.reason]
    root = parts.reader.root
    said = dict(zip((each.index for each in asked), _asked(parts, asked, settings, root)))
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
    except ImageError:
        return DAMAGED
    except LoupeError as error:
        return f"record cannot be read: {error.what}"


def _asked(parts: Parts, works: Sequence[Work], settings: Settings, root: Path) -> list[Outcome]:
    """Outcomes of all; where the predictor fails, of each picture by itself."""
    if not works:
        return []

    def picture(each: Work) -> dict | None:
        return to_plain(each.record.image, root) if each.record.image.path is not None else None

    try:
        return ask(works, parts.predictor, settings, parts.second, picture)
    except (LoupeError, OSError) as error:
        if len(works) > 1:
            return [outcome for each in works for outcome in _asked(parts, [each], settings, root)]
        return [Outcome(reason=f"{FAILED}: {getattr(error, 'what', None) or type(error).__name__}")]


def _ordered(out: Path, number: int, settings: Settings, pictures: int) -> list[dict]:
    """The lines of a shard in the order of the pictures, each picture once."""
    lines = {line["picture"]: line for line in lines_of(_shard(out, number, settings, pictures).path)}
    return [lines[index] for index in sorted(lines) if index < pictures]


def _up_to_date(out: Path, made: dict) -> bool:
    manifest = out / MANIFEST
    return manifest.is_file() and {key: loaded(manifest).get(key) for key in made} == made
