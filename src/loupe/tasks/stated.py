"""The picture said in words: its objects with their boxes, then questions about them turn by turn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from loupe.record import Object, Record
from loupe.regions import Box, Point
from loupe.sample import Part, Regions, Sample, Turn
from loupe.tasks.base import Task, different, identity, pick, single

ASKED = (  # what words and boxes can answer: nothing about colours of pixels or about outlines
    ("grounding", 3.0), ("description", 1.5), ("relation", 1.0), ("relation-objects", 0.7), ("coarse-position", 1.0),
    ("counting", 1.0), ("detection", 1.0), ("region", 1.5), ("presence", 0.7), ("statement", 0.7), ("choice", 0.5),
    ("reading", 0.5), ("grounded-caption", 0.3), ("conversation", 0.5), ("caption", 0.2), ("question", 0.3))
OPTIONS = {"relation": {"keep": 1.0}, "relation-objects": {"keep": 1.0}, "region": {"forms": ("point", "box")}}


@dataclass(frozen=True, kw_only=True)
class Stated(Task):
    """No picture: regions are measured on a canvas of the picture's size. extra["asked"] names each answer's task."""

    name = "stated"
    needs = frozenset({"objects"})
    placeholders = {"": ("scene",)}
    tasks: tuple[tuple[str, float], ...] = ASKED  # (name in TASKS, weight) of what is asked
    options: dict = field(default_factory=lambda: dict(OPTIONS), hash=False)  # {task name: {option: value}}
    turns: int = 8  # questions, at most
    room: int = 220  # words and coordinates behind which nothing more is asked: scenes of about one length
    box_first: float = 0.5  # share of scenes that say each box before its name

    @cached_property
    def asking(self) -> list[Task]:
        from loupe.tasks import task

        return [task(name, **{"templates": self.templates, **self.options.get(name, {})}) for name, _ in self.tasks]

    def __call__(self, record: Record, rng: np.random.Generator) -> Sample | None:
        objects = single(record)
        if not objects:
            return None
        known = self.wordings()
        wording = known[int(rng.integers(len(known)))]
        shuffled = [objects[k] for k in rng.permutation(len(objects))]
        scene = said(wording, described(record, shuffled, rng.random() < self.box_first))
        asked = self._ask(record, rng, self.room - length(scene))
        if not asked:
            return None
        turns = [turn for sample in asked for turn in sample.turns]
        names = [name for s in asked for name in [_name(s)] * (len(s.turns) // 2)]
        key = f"{zlib.crc32('/'.join(s.id for s in asked).encode()):08x}"
        return self._scene(record, key, scene, turns, {"truth": asked[-1].extra["truth"], "asked": tuple(names)})

    def _ask(self, record: Record, rng: np.random.Generator, room: int) -> list[Sample]:
        """Different questions, by the tasks' weights; one at least."""
        def enough(found: list[Sample]) -> bool:
            said = sum(length(turn.parts) + 1 for sample in found for turn in sample.turns)
            return len(found) >= self.turns or (bool(found) and said >= room)

        return different(record, self.asking, [weight for _, weight in self.tasks], rng, enough)

    def every(self, record: Record) -> list[Sample]:
        """Each question of each task on its own, behind the scene in the record's order, names first."""
        objects = single(record)
        if not objects:
            return []
        scene = said(self.wordings()[0], described(record, objects, False))
        return [self._scene(record, sample.id, scene, list(sample.turns), {**sample.extra, "asked": (_name(sample),)})
                for asking in self.asking for sample in asking.every(record)]

    def pose(self, record: Record, rng: np.random.Generator) -> Sample | None:
        return pick(self.every(record), rng)

    def _scene(self, record: Record, key: str, scene: tuple[Part, ...], turns: list[Turn], extra: dict) -> Sample:
        first = Turn("user", joined((*scene, " ", *turns[0].parts)))
        return Sample((), (first, *turns[1:]), self.name, identity(record, self.name, key), record.id, extra,
                      (record.width, record.height))


def described(record: Record, objects: list[Object], box_first: bool) -> list[tuple[Part, ...]]:
    """What is said of each object: "large red star", its box, the words printed on it with theirs."""
    out = []
    for thing in objects:
        name, box = " ".join((*thing.attributes, thing.name)), Regions((thing.box,))
        parts: list[Part] = [box, f" {name}"] if box_first else [f"{name} ", box]
        for word in record.words:
            if word.object == thing.id:
                parts += [f" says {word.text} ", Regions((word.region,))]
        out.append(tuple(parts))
    return out


def said(wording, things: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The wording with the list of things in the place of {scene}."""
    listed: list[Part] = []
    for k, parts in enumerate(things):
        listed += ["; ", *parts] if k else parts
    out: list[Part] = [wording.texts[0]]
    for text in wording.texts[1:]:
        out += [*listed, text]
    return joined(out)


def joined(parts) -> tuple[Part, ...]:
    """Neighbouring texts as one, empty ones dropped."""
    out: list[Part] = []
    for part in parts:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] += part
        elif part != "":
            out.append(part)
    return tuple(out)


def length(parts: tuple[Part, ...]) -> int:
    """Words and coordinates, about as many as a tokenizer of the world's words makes tokens."""
    words = sum(len(part.split()) for part in parts if isinstance(part, str))
    regions = [region for part in parts if isinstance(part, Regions) for region in part.regions]
    return words + sum(5 if isinstance(r, Box) else 3 if isinstance(r, Point) else 20 for r in regions)


def _name(sample: Sample) -> str:
    """The task and, where it has several, the kind of question."""
    kind = sample.extra.get("kind")
    return f"{sample.task}.{kind}" if kind else sample.task
