"""K seeded views of a picture, and what is known of the whole picture as a view shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loupe.augment import resized_crop, shown
from loupe.errors import ConfigError
from loupe.frame import Frame
from loupe.image import Image
from loupe.models.refined import Refined, Tag, Thing
from loupe.record import Record
from loupe.regions import Box

LEAST = 0.3  # share of a thing's pixels that a view must show of it


@dataclass(frozen=True)
class Shown(Image):
    """A view that remembers whose it is: what a refiner finds is kept under the whole picture and the number."""

    origin: Image | None = None
    number: int = 0


@dataclass(frozen=True)
class Views:
    """View 0 is the whole picture, so count = 1 means no augmentation; the others are random resized crops, half of
    them mirrored. The paper does not say its crops; at least half of the area is our choice."""

    count: int = 1
    seed: int = 0
    smallest: float = 0.5  # share of the picture's area

    def __post_init__(self):
        if self.count < 1 or not 0 < self.smallest <= 1:
            raise ConfigError("a picture cannot be shown so", got=f"{self.count} views, {self.smallest:g} of its area",
                              expected="at least 1 view, of a share from 0 to 1")

    def key(self, number: int) -> list:
        """What a view depends on beside the picture."""
        self._known(number)
        return [number, self.seed, self.smallest] if number else [0]

    def frame(self, content: str, width: int, height: int, number: int) -> Frame | None:
        """The view's Frame, of the picture's own pixels (the model's frame follows); None for the whole picture.

        content: the picture's content hash. The same view on every machine and in every run.
        """
        self._known(number)
        if not number:
            return None
        rng = np.random.default_rng([self.seed, number, int(content, 16)])
        return resized_crop(width, height, rng, (self.smallest, 1.0), flipped=bool(rng.integers(2)))

    def show(self, record: Record, number: int) -> Record:
        """The record as its view shows it, its picture a `Shown`; view 0 is the record itself."""
        origin = record.image
        place = self.frame(origin.content_hash, *origin.size, number)
        if place is None:
            return record
        seen = shown(record, place, LEAST)
        return replace(seen, image=Shown(data=seen.image.data, origin=origin, number=number))

    def drawn(self, content: str, epoch: int, seed: int = 0) -> int:
        """Which view a picture is shown in, in one epoch: all of them before one comes again."""
        start = int(np.random.default_rng([seed, int(content, 16)]).integers(self.count))
        return (start + epoch) % self.count

    def _known(self, number: int) -> None:
        if not 0 <= number < self.count:
            raise ConfigError("no such view", got=number, expected=f"0 to {self.count - 1}")


def through(whole: Refined, place: Frame) -> tuple[tuple[Tag, ...], tuple[Thing, ...]]:
    """(tags, things) of the whole picture in the frame's pixels. A thing of which less than LEAST is seen is gone,
    and so is a tag none of whose things is left."""
    things = tuple(moved for thing in whole.things if (moved := moved_thing(thing, place)) is not None)
    named, left = {thing.name for thing in whole.things}, {thing.name for thing in things}
    return tuple(tag for tag in whole.tags if tag.word not in named - left), things


def moved_thing(thing: Thing, place: Frame) -> Thing | None:
    box = place.to_model(thing.box)
    shown = Box(min(max(box.x1, 0.0), place.width), min(max(box.y1, 0.0), place.height),
                min(max(box.x2, 0.0), place.width), min(max(box.y2, 0.0), place.height))
    mask = place.to_model(thing.mask)
    seen = (shown.area / box.area if box.area else 0.0) if not thing.mask.area else mask.area / (
        thing.mask.area * place.width * place.height / place.view.area)
    if seen < LEAST or not shown.area:
        return None
    return Thing(thing.name, thing.attributes, shown, mask, thing.score)
