"""What the three parts of a refiner are asked and answer. Regions in pixels of the picture that was given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from loupe.errors import ConfigError, unknown_name
from loupe.image import Image
from loupe.models.refined import Tag
from loupe.regions import Box, Mask

BOX_NUMBERS = 4  # x, y of the centre, width, height, as fractions of the picture: the end of a query's row


@dataclass(frozen=True)
class Thresholds:
    """None: the part's own. Part of what tells two refiners apart."""

    tag: float | None = None  # least score of a tag; a part with thresholds per class keeps those where this is None
    box: float | None = None  # least score of a box that is said
    overlap: float | None = None  # IoU above which the weaker of two boxes is the same thing said again

    @classmethod
    def parsed(cls, text: str) -> Thresholds:
        """From "tag=0.5,box=0.3,overlap=0.7", any of them."""
        made = cls()
        for part in filter(None, (each.strip() for each in text.split(","))):
            name, equals, value = (each.strip() for each in part.partition("="))
            if name not in (known := [f.name for f in fields(cls)]):
                raise unknown_name("threshold", name, known)
            try:
                number = float(value)
            except ValueError:
                number = -1.0
            if not equals or not 0 <= number <= 1:
                raise ConfigError("no threshold", got=repr(part), expected=f"{name}=0.5, from 0 to 1")
            made = replace(made, **{name: number})
        return made


@dataclass(frozen=True, eq=False)
class Detection:
    """One picture. The first len(names) rows of both arrays belong to the things, best first; the others are under the
    threshold. With nothing looked for there are no rows at all."""

    names: tuple[str, ...]
    attributes: tuple[tuple[str, ...], ...]  # of each thing; a detector without them says ()
    boxes: tuple[Box, ...]
    scores: np.ndarray  # [Q] float32
    queries: np.ndarray  # [Q, width + 4] float32: state of the query, then its box

    @classmethod
    def nothing(cls, width: int) -> Detection:
        return cls((), (), (), np.zeros(0, np.float32), np.zeros((0, width + BOX_NUMBERS), np.float32))


@dataclass(frozen=True, eq=False)
class Outlines:
    """The boxes of one picture, in order."""

    masks: tuple[Mask, ...]
    rows: np.ndarray  # [boxes, width] float32


class Part(Protocol):
    name: str  # what a person calls it: an id, or the folder it was loaded from

    @property
    def identity(self) -> dict:
        """JSON-able: a print of its weights, and its thresholds. Not where it lay: moved, it is the same."""


class Tagger(Part, Protocol):
    def tags(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        """Words true of each picture, best first; () is an ordinary answer."""


class Detector(Part, Protocol):
    width: int  # of a query's state
    threshold: float  # rows of lower scores are to be masked

    def detect(self, images: Sequence[Image], words: Sequence[Sequence[str]]) -> list[Detection]:
        """Things that the words of each picture name."""


class Segmenter(Part, Protocol):
    width: int  # of a box's row

    def segment(self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]) -> list[Outlines]:
        """What each box holds; a picture without boxes costs nothing."""


def fingerprint(model) -> str:
    """16 hex digits of a torch module's weights: the same on every machine, in one pass."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        raw = tensor.detach().cpu().contiguous().reshape(-1)
        if raw.is_floating_point():
            raw = raw.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[raw.element_size()])
        at = torch.arange(1, len(raw) + 1) % 65521
        sums = (int(raw.long().sum()), int((raw.long() * at).sum()))  # whole numbers: no order of summing matters
        digest.update(json.dumps([name, list(tensor.shape), sums]).encode())
    return digest.hexdigest()[:16]
