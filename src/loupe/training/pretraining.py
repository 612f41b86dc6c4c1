"""Dense supervision of a vision tower: every patch learns what object it lies on and where that object ends.

Works on Records of any reader with objects: class from the names, attributes where annotated, the box, and the mean
colour of the patch itself. A tower trained so gives a language model something to bind words to from the first step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from loupe.errors import ConfigError, ImageError
from loupe.frame import Frame
from loupe.models.bridge import sine
from loupe.models.encoding import Encoder
from loupe.models.vision import places
from loupe.models.vlm import VLM
from loupe.record import Object, Record
from loupe.regions import Mask, Polygon
from loupe.regions import pixels as region_pixels
from loupe.training.objective import Work

FINE = 4  # each patch is looked at in FINE x FINE places
OWNED = 3  # places of one object that make a patch its own
TERMS = ("class", "attribute", "box", "place", "colour")
WEIGHTS = (1.0, 1.0, 5.0, 1.0, 0.5)
WAVES = 64  # numbers that say one edge of a box in the sine code, as location tokens start with


@dataclass(frozen=True)
class Words:
    """The commonest class names and attributes of the records, by falling count, then by letter."""

    classes: tuple[str, ...]
    attributes: tuple[str, ...]

    @classmethod
    def of(cls, records: Iterable[Record], classes: int = 256, attributes: int = 64) -> Words:
        names, traits = Counter(), Counter()
        for record in records:
            names.update(o.name for o in record.objects if o.name)
            traits.update(a for o in record.objects for a in o.attributes)
        top = lambda counts, n: tuple(sorted(counts, key=lambda w: (-counts[w], w))[:n])  # noqa: E731
        if not names:
            raise ConfigError("nothing to learn densely: these sources name no objects", where="mixture.sources",
                              do="use a source with objects, as visual-genome or coco")
        return cls(top(names, classes), top(traits, attributes))


@dataclass(frozen=True)
class Patches:
    """N pictures of P patches. `kind` 0 is ground, k is classes[k - 1], -1 an object of a rarer class."""

    pixels: Tensor  # [N, 3, S, S]
    kind: Tensor  # [N, P] int64
    traits: Tensor  # [N, P, A] float32 0/1; NaN where the object has no attributes annotated
    box: Tensor  # [N, P, 4] float32, fractions of the picture; NaN off objects

    def to(self, device) -> Patches:
        return Patches(*(t.to(device, non_blocking=True) for t in (self.pixels, self.kind, self.traits, self.box)))


class DenseWork:
    """(Record, mirrored or not) pairs -> Work. Pictures that do not decode are dropped and counted.

    Pictures and targets are kept, up to `room` bytes: small sources are gone through many times.
    """

    def __init__(self, encoder: Encoder, grid: int, words: Words, room: int = 2**28):
        self.encoder, self.grid, self.words, self.room = encoder, grid, words, room
        self.kept: dict[str, tuple[np.ndarray, ...]] = {}

    def __call__(self, group: Sequence[tuple[Record, bool]]) -> Work:
        columns, ids, drops = [], [], Counter()
        for record, mirrored in group:
            try:
                found = self._found(record)
            except ImageError as error:
                drops["picture does not decode"] += 1
                if drops.total() == len(group):
                    raise ImageError("no picture of an update decodes", got=error, do="mend the folder") from None
                continue
            columns.append(mirror(*found) if mirrored else found)
            ids.append(record.id)
        pixels, *targets = (np.stack(column) for column in zip(*columns))
        batch = Patches(torch.from_numpy(self._normal(pixels)), *(torch.from_numpy(t) for t in targets))
        owned, traits = float((~batch.box.isnan()[..., 0]).sum()), float((~batch.traits[..., :1].isnan()).sum())
        count = float(batch.kind.numel())
        counts = torch.tensor([count, traits, owned, owned, count], dtype=torch.float64)
        return Work(batch, counts, count, images=len(ids), ids=tuple(ids), drops=drops)

    def _found(self, record: Record) -> tuple[np.ndarray, ...]:
        """(pixels uint8 [S, S, 3], kind [P], traits [P, A], box [P, 4])"""
        key = f"{record.source}/{record.split}/{record.id}"
        if key not in self.kept:
            frame = self.encoder.frame(record.image)
            found = np.asarray(frame.picture(record.image)), *patch_targets(record, frame, self.grid, self.words)
            self.room -= sum(array.nbytes for array in found)
            if self.room < 0:
                return found
            self.kept[key] = found
        return self.kept[key]

    def _normal(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [N, S, S, 3] -> float32 [N, 3, S, S], as the tower reads it."""
        mean, std = (255 * np.asarray(v, np.float32) for v in (self.encoder.vision.mean, self.encoder.vision.std))
        return np.ascontiguousarray(((pixels.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2))


def mirror(pixels: np.ndarray, kind: np.ndarray, traits: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same picture and targets, left and right exchanged."""
    grid = math.isqrt(len(kind))
    turned = np.arange(len(kind)).reshape(grid, grid)[:, ::-1].ravel()
    x1, y1, x2, y2 = box[turned].T
    return pixels[:, ::-1], kind[turned], traits[turned], np.stack([1 - x2, y1, 1 - x1, y2], -1)


class Dense(nn.Module):
    """Per patch: cross-entropy of the class, of each attribute, L1 of the box's edges, squares of their sine codes
    (so that they can be copied straight into location tokens) and of the patch's mean colour."""

    unit, terms = "patches", TERMS

    def __init__(self, model: VLM, words: Words):
        super().__init__()
        self.tower = model.vision
        grid, width = self.tower.grid, self.tower.width
        if self.tower.tokens != grid**2:
            raise ConfigError("dense supervision needs one token per patch", got=f"{self.tower.tokens} tokens",
                              expected=f"{grid} x {grid}", where="model.vision.drop_cls")
        self.sizes = (len(words.classes) + 1, len(words.attributes), 4, 4 * WAVES, 3)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, sum(self.sizes)))
        self.register_buffer("centre", places(grid).repeat(1, 2), persistent=False)  # [P, 4]

    def forward(self, patches: Patches) -> tuple[Tensor, Tensor]:
        out = self.head(self.tower(patches.pixels)).float()  # [N, P, sum(sizes)]
        kind, traits, box, place, colour = out.split(self.sizes, -1)
        known = max(1, traits.shape[-1])  # attributes; sources without any give none
        losses = (
            nn.functional.cross_entropy(kind.flatten(0, 1), patches.kind.flatten(), reduction="sum", ignore_index=-1),
            _where(nn.functional.binary_cross_entropy_with_logits, traits, patches.traits).sum() / known,
            _where(nn.functional.l1_loss, box + self.centre, patches.box).mean(-1).sum(),
            _where(nn.functional.mse_loss, place, codes(patches.box)).mean(-1).sum(),
            (colour - mean_colour(patches.pixels, self.tower.grid)).square().mean(-1).sum(),
        )
        total = sum(weight * loss for weight, loss in zip(WEIGHTS, losses))
        return total, torch.stack([loss.detach() for loss in losses])


def _where(loss, out: Tensor, target: Tensor) -> Tensor:
    """The elementwise loss, zero where the target is NaN."""
    known = ~target.isnan()
    return loss(out, target.nan_to_num(0.0), reduction="none") * known


def codes(box: Tensor) -> Tensor:
    """[N, P, 4] fractions -> [N, P, 4 * WAVES]; NaN stays NaN."""
    return sine(box.flatten(), WAVES).view(*box.shape[:2], -1)


def mean_colour(pixels: Tensor, grid: int) -> Tensor:
    """[N, 3, S, S] -> [N, P, 3]"""
    return nn.functional.adaptive_avg_pool2d(pixels.float(), grid).flatten(2).transpose(1, 2)


def patch_targets(record: Record, frame: Frame, grid: int, words: Words) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(kind [P], traits [P, A], box [P, 4]) as Patches has them."""
    objects = [o for o in record.objects if o.name and not o.crowd]
    owner = owners(objects, frame, grid)
    classes = {name: k + 1 for k, name in enumerate(words.classes)}
    traits = np.full((len(objects) + 1, len(words.attributes)), np.nan, np.float32)
    boxes = np.full((len(objects) + 1, 4), np.nan, np.float32)
    kinds = np.zeros(len(objects) + 1, np.int64)
    size = np.array([frame.width, frame.height] * 2, np.float32)
    for k, thing in enumerate(objects):
        kinds[k] = classes.get(thing.name, -1)
        boxes[k] = np.clip(np.asarray(frame.to_model(thing.box).xyxy, np.float32) / size, 0, 1)
        if thing.attributes:
            traits[k] = [word in thing.attributes for word in words.attributes]
    return kinds[owner], traits[owner], boxes[owner]


def owners(objects: Sequence[Object], frame: Frame, grid: int) -> np.ndarray:
    """[grid * grid] index of the object each patch lies on; -1 on none. Smaller objects lie in front of larger ones."""
    side = grid * FINE
    canvas = np.full((side, side), -1)
    xs, ys = _places(frame, side)
    for k in sorted(range(len(objects)), key=lambda k: -objects[k].box.area):
        canvas[_inside(objects[k], xs, ys)] = k
    places = canvas.reshape(grid, FINE, grid, FINE).transpose(0, 2, 1, 3).reshape(grid * grid, FINE**2)
    counts = (places[:, None] == np.arange(max(1, len(objects)))[:, None]).sum(-1)  # [P, objects]
    return np.where(counts.max(1) >= OWNED, counts.argmax(1), -1)


@lru_cache(64)
def _places(frame: Frame, side: int) -> tuple[np.ndarray, np.ndarray]:
    """[side] x and [side] y of the fine places' centres, in pixels of the image."""
    centres = (np.arange(side) + 0.5) / side
    x, y = frame.xy_to_image(centres * frame.width, centres * frame.height)
    return x, y


def _inside(thing: Object, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """[side, side] bool: places within the object's outline if annotated, else within its box."""
    if isinstance(thing.shape, Mask):
        columns, rows = np.floor(xs).astype(int), np.floor(ys).astype(int)
        known = ((rows >= 0) & (rows < thing.shape.height))[:, None] & (columns >= 0) & (columns < thing.shape.width)
        pixels = thing.shape.array()
        return known & pixels[rows.clip(0, thing.shape.height - 1)][:, columns.clip(0, thing.shape.width - 1)]
    if thing.shape:
        inside = np.zeros((len(ys), len(xs)), bool)
        for polygon in thing.shape:  # in places: one is xs[1] - xs[0] pixels wide, and less than nothing if mirrored
            x, y = np.asarray(polygon.points).T
            moved = zip((x - xs[0]) / (xs[1] - xs[0]) + 0.5, (y - ys[0]) / (ys[1] - ys[0]) + 0.5)
            inside |= region_pixels(Polygon(tuple(moved)), len(xs), len(ys))
        return inside
    box = thing.box
    return ((ys >= box.y1) & (ys < box.y2))[:, None] & ((xs >= box.x1) & (xs < box.x2))
