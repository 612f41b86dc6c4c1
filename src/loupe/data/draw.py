"""A mixture opened on real folders: which pictures come when, and which questions share each of them.

Everything is a pure function of (seed, index); the index is the order of training.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from loupe import config
from loupe.data.mixture import Curriculum, Mixture, Source
from loupe.data.overlap import all_keys, overlap
from loupe.data.refusal import check_allowed, check_made_of
from loupe.errors import ConfigError, FileError, ImageError
from loupe.plain import Roots
from loupe.readers import reader
from loupe.readers.base import Pictured
from loupe.record import Record, whole_things
from loupe.sample import Sample
from loupe.tasks import task
from loupe.tasks.base import different
from loupe.tasks.wording import BUILT_IN

LIMIT, PASS, EPOCH, DRAW = range(4)  # streams of randomness behind one seed
STEPS_ASIDE = 1000  # pictures tried in place of one about which nothing can be asked
QUESTIONS = 4  # of a dialogue that several were joined into, at the most


class Records:
    """One source, opened: its records, which of them may be drawn, and its tasks."""

    def __init__(self, source: Source, records: Sequence[Record], number: int = 0, seed: int = 0,
                 templates: str | None = None):
        self.source, self.records = source, records
        shares = [weight for _, weight in source.tasks]
        if not source.weight > 0 or not sum(shares) > 0 or min(shares) < 0:
            raise ConfigError("source draws nothing", got=f"tasks {source.tasks}, weight {source.weight}",
                              expected="tasks and weights above zero", where=f"source {source.name}")
        unused = set(source.task_options) - {name for name, _ in source.tasks}
        if unused:
            raise ConfigError("options of a task that is not drawn", got=sorted(unused),
                              expected=[name for name, _ in source.tasks], where=f"source {source.name}")
        self.tasks = [task(name, **{"templates": templates, **source.task_options.get(name, {})})
                      for name, _ in source.tasks]
        self.weights = np.array(shares, float)
        self.usable = np.arange(len(records))
        if source.limit is not None and source.limit < len(records):
            chosen = np.random.default_rng([seed, LIMIT, number]).permutation(len(records))[:source.limit]
            self.usable = np.sort(chosen)
        self.excluded: dict[str, str] = {}  # id of a record -> why it is held out
        self.objects = np.zeros(0, np.int32)  # per usable record, where a curriculum asks for it

    def exclude(self, held: frozenset, by_content: bool) -> None:
        """Leave out the records whose pictures are among `held`."""
        found = overlap(Identities(self.records, self.usable), held, by_content)
        for k, key in found.items():
            self.excluded[self.records[int(self.usable[k])].id] = f"{key[0]} {key[1]}"
        self.usable = np.delete(self.usable, list(found))

    def count_objects(self) -> None:
        shown = tqdm(self.usable, desc=f"counting objects of {self.source.name}", unit="picture", delay=2,
                     disable=None, leave=False)
        self.objects = np.array([self._count(int(position)) for position in shown], np.int32)

    def _count(self, position: int) -> int:
        """Whole things in a picture; none where it does not decode (drawing it counts the drop)."""
        try:
            known = getattr(self.records, "things", None)  # readers may know without parsing the whole record
            return known(position) if known else whole_things(self.records[position])
        except ImageError:
            return 0

    def check(self) -> None:
        if not len(self.usable):
            raise ConfigError("source has no picture to draw", got=f"{len(self.records)} records, "
                              f"{len(self.excluded)} of them held out", where=f"source {self.source.name}",
                              do="check its folder and split, or take it out of the mixture")


class Identities(Sequence):
    """What tells the pictures of these records apart, read without what is annotated where the reader can."""

    def __init__(self, records: Sequence[Record], chosen: np.ndarray | None = None):
        self.pictured = getattr(records, "pictured", records.__getitem__)
        self.chosen = np.arange(len(records)) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, k: int) -> Record | Pictured:
        return self.pictured(int(self.chosen[k]))


class Groups(Sequence):
    """`groups[i]`: up to `pairs_per_image` different questions about one picture, as samples with the same images.

    `drops` counts, over the groups read so far, what was passed over and why; `draw` gives one group with its own
    counts. `hashes`, `problems`, `excluded`: by source, known from the start.
    """

    def __init__(self, mixture: Mixture, opened: Sequence[Records], seed: int, *, epochs: float | None = None,
                 groups: int | None = None, templates: str | None = None,
                 change: Callable[[Record, int], Record] | None = None):
        """change: (record, number of the pass) -> the record as it is to be shown."""
        self.change, self.per_epoch = change, 1.0
        self.mixture, self.opened, self.seed, self.templates = mixture, tuple(opened), int(seed), templates
        for each in self.opened:
            each.check()
        per_epoch = self.per_epoch = sum(each.source.weight * len(each.usable) for each in self.opened)
        total = groups if groups is not None else max(1, round((1.0 if epochs is None else epochs) * per_epoch))
        if total < 1:
            raise ConfigError("a mixture is drawn from at least once", got=f"{total} groups", expected="1 or more")
        self.order = _order(self.opened, self.seed, total)  # [total, 2] (source, position in its records)
        if mixture.curriculum is not None:
            self.order = self.order[easy_first(self._objects(), mixture.curriculum)]
        self.drops: Counter[str] = Counter()
        for each in self.opened:
            if each.excluded:
                self.drops[f"{each.source.name}: held out for evaluation"] = len(each.excluded)
        self.held_out = Counter(self.drops)
        self.hashes = {each.source.name: getattr(each.records, "hash", "") for each in self.opened}
        self.problems = {each.source.name: dict(sorted(getattr(each.records, "problems", {}).items()))
                         for each in self.opened}
        self.excluded = {each.source.name: each.excluded for each in self.opened if each.excluded}

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> list[Sample]:
        samples, drops = self.draw(index)
        self.drops += drops
        return samples

    def draw(self, index: int) -> tuple[list[Sample], Counter[str]]:
        """Group `index` and what was passed over for it. A picture about which nothing can be asked, or that does not
        decode, gives way to the next one."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"group {index} of {len(self)}")
        index %= len(self)
        rng, drops = np.random.default_rng([self.seed, DRAW, index]), Counter()
        for step in range(STEPS_ASIDE):
            number, position = (int(v) for v in self.order[(index + step) % len(self)])
            each = self.opened[number]
            try:
                record = each.records[position]
                record = self.change(record, int(index // self.per_epoch)) if self.change else record
                samples = self._ask(each, record, rng, drops)
            except ImageError:
                drops[f"{each.source.name}: picture does not decode"] += 1
                continue
            if samples:
                samples = [replace(s, id=f"{s.id}@{index}") for s in samples]
                return in_dialogues(samples, self.mixture.follow, rng), drops
            drops[f"{each.source.name}: nothing to ask about the picture"] += 1
        raise ConfigError("no task finds anything to ask", got=f"nothing about {STEPS_ASIDE} pictures in turn",
                          expected="records with what the tasks need: " + "; ".join(
                              f"{t.name}: {', '.join(sorted(t.needs)) or 'anything'}" for t in each.tasks),
                          where=f"source {each.source.name}", do="give the source other tasks")

    def _ask(self, each: Records, record: Record, rng: np.random.Generator, drops: Counter[str]) -> list[Sample]:
        """Different questions by the tasks' weights; a task that finds none leaves its turn to the others."""
        def empty(task) -> None:
            drops[f"{each.source.name}: nothing to ask for {task.name}"] += 1

        wanted = self.mixture.pairs_per_image
        samples = different(record, each.tasks, each.weights, rng, lambda found: len(found) >= wanted, empty)
        if samples and len(samples) < wanted:
            drops[f"{each.source.name}: question short of pairs_per_image"] += wanted - len(samples)
        return samples

    def _objects(self) -> np.ndarray:
        """[total] number of objects in each picture of the order."""
        out = np.zeros(len(self.order), np.int32)
        for number, each in enumerate(self.opened):
            mine = self.order[:, 0] == number
            out[mine] = each.objects[np.searchsorted(each.usable, self.order[mine, 1])]
        return out

    @cached_property
    def about(self) -> dict:
        """Everything the groups are a function of, for manifests."""
        return {"mixture": config.to_json(self.mixture), "seed": self.seed, "groups": len(self),
                "wordings": wordings_hash(self.templates),
                "sources": {each.source.name: {"hash": self.hashes[each.source.name], "records": len(each.usable),
                                               "problems": self.problems[each.source.name]} for each in self.opened}}


def in_dialogues(samples: Sequence[Sample], follow: float, rng: np.random.Generator) -> list[Sample]:
    """The same questions; each but the first stands behind the one before it, in its dialogue, with probability
    `follow`. A dialogue has at most QUESTIONS of them and is a "conversation"."""
    if not follow:
        return list(samples)
    talks: list[list[Sample]] = []
    for sample in samples:
        on = rng.random() < follow and talks and len(talks[-1]) < QUESTIONS
        talks[-1].append(sample) if on else talks.append([sample])
    return [talk[0] if len(talk) == 1 else replace(
        talk[0], turns=tuple(turn for sample in talk for turn in sample.turns), task="conversation",
        id="+".join(sample.id for sample in talk), extra={}) for talk in talks]


def place(roots: Roots, folder: str) -> Path:
    """Where a source's folder lies: its own root if it has one, else below the parent of the others ("")."""
    named = roots if isinstance(roots, Mapping) else {"": roots} if roots is not None else {}
    if folder in named:
        return Path(named[folder])
    if "" not in named:
        raise FileError("no folder is given for a source", got=f"roots {sorted(named) or 'none'}",
                        expected=folder, do=f"pass --root PARENT, the folder that holds {folder}/, or "
                        f"--root {folder}=FOLDER; `loupe world DIR --world mini` writes a small one")
    return Path(named[""]) / folder


def open_sources(mixture: Mixture, roots: Roots, seed: int, templates: str | None = None) -> list[Records]:
    """Every source below `roots`, without the pictures of `mixture.held_out`."""
    if not mixture.sources:
        raise ConfigError("a mixture has no sources", where="mixture.sources")
    names = [source.name for source in mixture.sources]
    if len(set(names)) < len(names):
        raise ConfigError("sources need different names", got=names, where="mixture.sources")
    if seed < 0:
        raise ConfigError("seed is negative", got=seed, expected="0 or more")
    for source in mixture.sources:
        check_allowed(mixture, source)
    opened = []
    for number, source in enumerate(mixture.sources):
        made = reader(source.reader)(place(roots, source.folder), source.split, **source.options)
        check_made_of(mixture, source, made)
        opened.append(Records(source, made, number, seed, templates))
    if mixture.held_out:  # all together, so that every record is read once
        found = frozenset().union(*(
            all_keys(Identities(reader(held.reader)(place(roots, held.folder), held.split, **held.options)),
                     held.by_content) for held in mixture.held_out))
        for each in opened:
            each.exclude(found, any(held.by_content for held in mixture.held_out))
    return opened


def open_mixture(mixture: Mixture, roots: Roots, seed: int, *, epochs: float | None = None,
                 groups: int | None = None, templates: str | None = None, change=None) -> Groups:
    """The mixture's sources opened below `roots`; `groups` or `epochs` (1) says how long it runs.

    templates: folder of wordings in place of the built-in ones. Pictures of `mixture.held_out` are left out.
    change: as of Groups.
    """
    if not 0 <= mixture.follow < 1:
        raise ConfigError("no share of the questions", got=mixture.follow, expected="0 or more, below 1",
                          where="mixture.follow")
    if mixture.pairs_per_image < 1:
        raise ConfigError("too few questions per picture", got=mixture.pairs_per_image, expected="1 or more",
                          where="mixture.pairs_per_image")
    opened = open_sources(mixture, roots, seed, templates)
    if mixture.curriculum is not None:
        for each in opened:
            each.count_objects()
    return Groups(mixture, opened, seed, epochs=epochs, groups=groups, templates=templates, change=change)


def _order(opened: Sequence[Records], seed: int, total: int) -> np.ndarray:
    """[total, 2] int64 (source, record): epochs shuffled whole, each source `weight` times its records an epoch.

    A source runs through its records again and again, shuffled anew; epoch e takes the stretch from e * weight * n to
    (e + 1) * weight * n of that.
    """
    epochs, have, epoch = [], 0, 0
    while have < total:
        parts = []
        for number, each in enumerate(opened):
            n = len(each.usable)
            first, last = (math.floor(e * each.source.weight * n + 1e-9) for e in (epoch, epoch + 1))
            passes = range(first // n, max(first // n + 1, -(-last // n)))
            stream = np.concatenate([np.random.default_rng([seed, PASS, number, p]).permutation(n) for p in passes])
            mine = each.usable[stream[first - passes[0] * n:last - passes[0] * n]]
            parts.append(np.stack([np.full(len(mine), number), mine], 1))
        whole = np.concatenate(parts)
        epochs.append(whole[np.random.default_rng([seed, EPOCH, epoch]).permutation(len(whole))])
        have, epoch = have + len(whole), epoch + 1
    return np.concatenate(epochs)[:total]


def easy_first(objects: np.ndarray, curriculum: Curriculum) -> np.ndarray:
    """[total] the order with few objects first: a permutation that keeps every entry exactly once.

    Within the first `share`, entry i is the first one left with at most the objects allowed there; where none is left
    the one with the fewest. Everything passed over comes behind, in its old order.
    """
    waiting = {int(n): np.flatnonzero(objects == n) for n in np.unique(objects)}
    heads = dict.fromkeys(waiting, 0)
    steps = min(len(objects), round(curriculum.share * len(objects)))
    chosen = np.zeros(steps, np.int64)
    for i in range(steps):
        allowed = curriculum.start + math.floor((curriculum.end - curriculum.start + 1) * i / steps)
        left = [n for n in waiting if heads[n] < len(waiting[n])]
        fitting = [n for n in left if n <= allowed] or [min(left)]
        n = min(fitting, key=lambda n: waiting[n][heads[n]])
        chosen[i] = waiting[n][heads[n]]
        heads[n] += 1
    rest = np.ones(len(objects), bool)
    rest[chosen] = False
    return np.concatenate([chosen, np.flatnonzero(rest)])


def wordings_hash(templates: str | None) -> str:
    """sha256 over the wordings in use, first 16 hex digits."""
    files = {path.name: path for path in BUILT_IN.glob("*.txt")}
    files |= {path.name: path for path in Path(templates).glob("*.txt")} if templates else {}
    parts = [name.encode() + b"\0" + path.read_bytes() for name, path in sorted(files.items())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
