"""Annotated folders and predictors made by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from loupe.bootstrapping import Settings
from loupe.readers import reader
from loupe.regions import Box
from loupe.sample import Answer, Found, Regions, Sample

PAINT = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
NAMES = ("red cup", "green cup", "blue cup", "yellow plate", "purple plate", "left bowl")
PICTURES = [[(20, 20, 30, 40), (60, 30, 25, 25)], [(15, 20, 50, 60)], [], [(5, 5, 40, 40), (50, 50, 4, 4)],
            [(3 * k, 5, 3, 60) for k in range(17)], [(10, 10, 30, 30), (60, 60, 30, 30)]]
SMALL = Settings(least_share=0.01, together=2, shard=4, flip=True)
FILES = ("pairs.jsonl", "records/train.jsonl", "manifest.json")


def folder(root: Path, pictures, side: int = 100) -> Path:
    """Objects365's layout: pictures[i] is a list of x, y, w, h; box k of a picture is painted with PAINT[k]."""
    place = root / "images" / "train"
    place.mkdir(parents=True)
    images, annotations = [], []
    for number, boxes in enumerate(pictures, 1):
        pixels = np.zeros((side, side, 3), np.uint8)
        pixels[::7, ::5] = (number % 256, number % 256, (number + number // 256) % 256)  # no two files alike
        for k, (x, y, w, h) in enumerate(boxes):
            pixels[y:y + h, x:x + w] = PAINT[k % len(PAINT)]
            annotations.append({"id": 100 * number + k, "image_id": number, "category_id": 1 + k // 3 % 2,
                                "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
        Pillow.fromarray(pixels).save(place / f"p{number}.png")
        images.append({"id": number, "file_name": f"p{number}.png", "width": side, "height": side})
    (root / "zhiyuan_objv2_train.json").write_text(json.dumps(
        {"images": images, "annotations": annotations,
         "categories": [{"id": k, "name": name} for k, name in ((1, "Cup"), (2, "Plate/Dish"))]}))
    return root


def opened(root: Path):
    return reader("objects365")(root, "train")


def asked_box(sample: Sample) -> Box:
    return next(part.regions[0] for part in sample.turns[0].parts if isinstance(part, Regions))


def words(sample: Sample) -> str:
    return "".join(part for part in sample.turns[0].parts if isinstance(part, str))


@dataclass
class Seer:
    """Sees the paint: describes a box by the colour in its middle, finds a colour by its pixels.

    asked: every question; looks: how many pictures were looked at.
    """

    name: str = "seer"
    asked: list[Sample] = field(default_factory=list)

    @property
    def identity(self) -> dict:
        return {"weights": self.name}

    def answer(self, samples):
        for sample in samples:
            self.asked.append(sample)
            yield self.reply(sample)

    def reply(self, sample: Sample) -> Answer:
        pixels = sample.images[0].array()
        if sample.task == "description":
            centre = asked_box(sample).centre
            k = PAINT.index(tuple(int(v) for v in pixels[int(centre.y), int(centre.x)]))
            return Answer((NAMES[k],), (), NAMES[k], 0.5 + 0.05 * k)
        k = next((k for k, name in enumerate(NAMES) if set(name.split()) & set(words(sample).strip("?").split()) & {
            "red", "green", "blue", "yellow", "purple", "left", "right"} or name in words(sample)), None)
        ys, xs = np.nonzero((pixels == PAINT[k]).all(-1)) if k is not None else ((), ())
        if not len(xs):
            return Answer(("nowhere",), (), "nowhere", 0.9)
        box = Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
        return Answer((Found(box, 0.8),), (), "box", 0.8)


@dataclass
class Table:
    """Says what the tables say. describes: {(picture's id, box's left edge): text}; finds: {text: box or None};
    weighs: {(question's words, answer): log-probability}."""

    describes: dict = field(default_factory=dict)
    finds: dict = field(default_factory=dict)
    weighs: dict | None = None
    draws: dict = field(default_factory=dict)
    name: str = "table"

    def __post_init__(self):
        self.looks: list[int] = []
        if self.weighs is None:
            self.weigh = None
        if not self.draws:
            self.sampled = None

    def seen(self, looks):
        self.looks.append(len(looks))
        return self

    def answer(self, samples):
        for sample in samples:
            if sample.task == "description":
                text = self.describes.get((sample.record, asked_box(sample).x1), "")
                yield Answer((text,) if text else (), (), text, 0.25)
            else:
                phrase = words(sample).removeprefix("Where is ").removesuffix("?")
                box = self.finds.get(phrase)
                yield Answer((Found(box, 0.5),) if box else ("no",), (), "", 0.5)

    def weigh(self, samples):
        for sample in samples:
            said = sample.turns[-1].parts[0]
            if isinstance(said, Regions):
                phrase = words(sample).removeprefix("Where is ").removesuffix("?")
                yield self.weighs.get((phrase, said.regions[0].x1))
            else:
                yield self.weighs.get((asked_box(sample).x1, said))

    def sampled(self, samples, temperature, seed=0):
        for sample in samples:
            number = int(sample.id.rsplit("/", 1)[1])
            text = self.draws.get((asked_box(sample).x1, number), "")
            yield Answer((text,) if text else (), (), text, 0.125)


class Lying(Seer):
    """Calls the first thing of the last picture by the other one's name."""

    def reply(self, sample):
        if sample.task == "description" and sample.record == "6":
            return Answer(("green cup",), (), "", 0.5)
        return super().reply(sample)


def contents(out) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}
