"""Predictors that never look: what a score must beat. No torch."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError, ImageError, unknown_name
from loupe.predictor import Predictor, unanswered
from loupe.predictors.whole import Filled, TrueBox, grey, mean_colour, patch_mean, picture_mean
from loupe.regions import Box, Region
from loupe.sample import Answer, Found, Sample

Fractions = tuple[float, float, float, float]  # x1, y1, x2, y2 of the picture's sides


@dataclass(frozen=True)
class FixedBox:
    """Always the same box, as fractions of the picture."""

    name: str
    fractions: Fractions

    @property
    def identity(self) -> dict:
        return {"fractions": [round(v, 9) for v in self.fractions]}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            try:
                width, height = sample.images[0].size
            except ImageError as error:
                yield unanswered(error)
                continue
            x1, y1, x2, y2 = self.fractions
            yield Answer((Found(Box(x1 * width, y1 * height, x2 * width, y2 * height)),))


@dataclass(frozen=True)
class FixedText:
    """Always the same words."""

    name: str
    text: str
    whole = True  # says them where others weigh options

    @property
    def identity(self) -> dict:
        return {"text": self.text}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for _ in samples:
            yield Answer((self.text,), (), self.text)


def whole_image() -> FixedBox:
    return FixedBox("whole-image", (0.0, 0.0, 1.0, 1.0))


def centre_box() -> FixedBox:
    """Half of each side, in the middle."""
    return FixedBox("centre-box", (0.25, 0.25, 0.75, 0.75))


def mean_box(samples: Iterable[Sample]) -> FixedBox:
    """The mean of the true boxes of training questions, edge by edge, as fractions of their pictures."""
    seen = []
    for sample in samples:
        truth = sample.extra.get("truth")
        if not isinstance(truth, Region):
            continue
        try:
            width, height = sample.images[0].size
        except ImageError:
            continue
        x1, y1, x2, y2 = truth.box.xyxy
        seen.append((x1 / width, y1 / height, x2 / width, y2 / height))
    if not seen:
        raise ConfigError("mean-box has nothing to be fitted on", got="no true box", expected="training questions")
    return FixedBox("mean-box", tuple(float(v) for v in np.mean(seen, 0)))


@dataclass(frozen=True)
class Knowing:
    """Says something about objects that the record names, without looking: random ones. about: what it was fitted to.
    """

    name: str
    say: Callable[[Sample, np.random.Generator], Answer]
    about: str = ""
    whole = True  # as FixedText

    @property
    def identity(self) -> dict:
        return {"about": self.about} if self.about else {}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        for sample in samples:
            yield self.say(sample, np.random.default_rng(zlib.crc32(sample.id.encode())))


def random_object() -> Knowing:
    """A random object of the class that is asked for: its true box where a box is asked for, its looks where words are.
    Of a caption every object's looks, each with the box of a random one."""
    def say(sample: Sample, rng: np.random.Generator) -> Answer:
        objects, truth = sample.extra["scene"]["objects"], sample.extra.get("truth")
        if isinstance(truth, tuple):
            places = (objects[int(k)]["place"] for k in rng.permutation(len(objects)))
            return Answer(tuple(Found(place, phrase=looks(o)) for o, place in zip(objects, places)))
        names = next((o["names"] for o in objects if o["id"] == sample.extra.get("object")), ())
        same = [o for o in objects if set(o["names"]) & set(names)]
        if not same:
            return Answer(())
        chosen = same[int(rng.integers(len(same)))]
        return Answer((Found(chosen["place"]) if isinstance(truth, Region) else looks(chosen),))
    return Knowing("random-object", say)


def looks(o: Mapping) -> str:
    """The words of an object of a scene: its attributes and its class."""
    return " ".join((*o["attributes"], o["names"][0]))


def random_objects(samples: Iterable[Sample]) -> Knowing:
    """As many random objects of any class, with their true boxes, as a random training question has; without any
    "none"."""
    counts = [len(truth) for sample in samples if isinstance(truth := sample.extra.get("truth"), tuple)]
    if not counts:
        raise ConfigError("random-objects has nothing to be fitted on", got="no true list",
                          expected="training questions")

    def say(sample: Sample, rng: np.random.Generator) -> Answer:
        objects, count = sample.extra["scene"]["objects"], counts[int(rng.integers(len(counts)))]
        chosen = rng.permutation(len(objects))[:count]
        return Answer(tuple(Found(objects[int(k)]["place"]) for k in chosen) or ("none",))
    return Knowing("random-objects", say, str(sorted(Counter(counts).items())))


def random_object_filled() -> Filled:
    """The box of a random object of the class that is asked for, filled."""
    def say(sample: Sample, rng: np.random.Generator) -> Answer:
        alike = sample.extra.get("alike", ())
        return Answer((Found(alike[int(rng.integers(len(alike)))]),) if alike else ())
    return Filled("random-object-filled", Knowing("random-object", say))


def class_name() -> Knowing:
    """The right class, without a word on how it looks."""
    def say(sample: Sample, rng: np.random.Generator) -> Answer:
        known = {o["id"]: o["names"][0] for o in sample.extra["scene"]["objects"]}
        text = known.get(sample.extra.get("object"), "")
        return Answer((text,) if text else (), (), text)
    return Knowing("class-name", say)


def centre_box_filled() -> Filled:
    return Filled("centre-box-filled", centre_box())


def mean_box_filled(samples: Iterable[Sample]) -> Filled:
    return Filled("mean-box-filled", mean_box(samples))


def true_box_filled() -> Filled:
    """What a mask must beat that adds nothing to the right box."""
    return Filled("true-box-filled", TrueBox())


def majority(samples: Iterable[Sample]) -> FixedText:
    """The most frequent true text of training questions; of several, the first in order of letters. A list of names is
    a text; an empty list is "none"."""
    said = Counter(text for sample in samples if (text := _text(sample.extra.get("truth"))))
    if not said:
        raise ConfigError("majority has nothing to be fitted on", got="no true text", expected="training questions")
    return FixedText("majority", min(said, key=lambda text: (-said[text], text)))


def _text(truth) -> str:
    if isinstance(truth, str):
        return truth
    if not isinstance(truth, (tuple, list)) or not all(isinstance(v, str) for v in truth):
        return ""
    return ", ".join(truth) or "none"


BASELINES: dict[str, Callable] = {
    "whole-image": whole_image, "centre-box": centre_box, "mean-box": mean_box, "majority": majority,
    "random-object": random_object, "random-objects": random_objects, "class-name": class_name,
    "centre-box-filled": centre_box_filled, "mean-box-filled": mean_box_filled,
    "random-object-filled": random_object_filled, "true-box-filled": true_box_filled, "grey": grey,
    "mean-colour": mean_colour, "picture-mean": picture_mean, "patch-mean": patch_mean}
FITTED = ("mean-box", "majority", "mean-box-filled", "mean-colour", "random-objects")  # need training questions
SCENES = ("random-object", "random-objects", "class-name")  # need questions with their scene
# all of them know a part of the very answer
TOLD = ("random-object-filled", "true-box-filled", "picture-mean", "patch-mean")
FOR = {"referring": ("whole-image", "centre-box", "mean-box", "random-object"), "numbers": ("majority",),
       "words": ("majority", "class-name"), "boxes": ("random-objects",), "sets": ("majority",),
       "descriptions": ("majority", "class-name", "random-object"), "relations": ("majority",),
       "answers": ("majority",), "captions": ("random-object",),  # no caption is said twice: no majority
       "classes": ("majority",), "contains": ("majority",), "circular": ("majority",), "yes-no": ("majority",),
       "true-false": ("majority",), "judged": ("majority",), "anls": ("majority",), "relaxed": ("majority",),
       "masks": ("centre-box-filled", "mean-box-filled", "random-object-filled", "true-box-filled"),
       "colours": ("grey", "mean-colour", "picture-mean", "patch-mean")}


def baseline(name: str, samples: Iterable[Sample] | None = None) -> Predictor:
    """The named baseline; those of FITTED need training questions."""
    if name not in BASELINES:
        raise unknown_name("baseline", name, BASELINES)
    if name not in FITTED:
        return BASELINES[name]()
    if samples is None:
        raise ConfigError(f"{name} has nothing to be fitted on", do=f"evaluate a model: {name} is shown beside it")
    return BASELINES[name](samples)
