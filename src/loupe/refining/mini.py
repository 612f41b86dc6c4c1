"""The shipped small refiner as tagger, detector and segmenter. The net runs once for all three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from loupe.frame import Frame, frame
from loupe.image import Image
from loupe.models.refined import Tag, named, outlined, queries, ranked, tags_of, to_image
from loupe.models.refiner import Refiner, Sight, load_refiner, normal
from loupe.refining.parts import Detection, Outlines, Thresholds, fingerprint
from loupe.regions import Box

SHIPPED = "loupe/refiner"


class Mini:
    """A Refiner that remembers its last look."""

    def __init__(self, model: Refiner, name: str, thresholds: Thresholds | None = None):
        given, config = thresholds or Thresholds(), model.config
        self.model, self.name, self._last = model, name, ()
        for field, value in (("tag_threshold", given.tag), ("threshold", given.box), ("overlap", given.overlap)):
            if value is not None:
                setattr(config, field, value)
        self.identity = {"name": name, "weights": fingerprint(model), "tag": config.tag_threshold,
                         "box": config.threshold, "overlap": config.overlap}

    def look(self, images: Sequence[Image]) -> tuple[Sight, list[Frame]]:
        key = tuple(image.content_hash for image in images)
        if not self._last or self._last[0] != key:
            config = self.model.config
            frames = [frame(config.frame, *image.size, config.size) for image in images]
            pixels = np.stack([np.asarray(place.picture(image)) for place, image in zip(frames, images)])
            with torch.inference_mode():
                self._last = key, self.model(normal(pixels, config).to(self.model.device)), frames
        return self._last[1:]


class MiniTagger:
    def __init__(self, mini: Mini):
        self.mini, self.name, self.identity = mini, mini.name, mini.identity

    def tags(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        sight, _ = self.mini.look(images)
        return [tags_of(logits, self.mini.model.config) for logits in sight.tags]


class MiniDetector:
    """Knows its own classes; other words (its attributes among them) find nothing."""

    def __init__(self, mini: Mini):
        self.mini, self.name, self.identity, self.width = mini, mini.name, mini.identity, mini.model.config.state_width
        self.threshold = mini.model.config.threshold

    def detect(self, images: Sequence[Image], words: Sequence[Sequence[str]]) -> list[Detection]:
        sight, frames = self.mini.look(images)
        return [self._picture(sight, k, place, asked) for k, (place, asked) in enumerate(zip(frames, words))]

    def _picture(self, sight: Sight, index: int, place: Frame, asked: Sequence[str]) -> Detection:
        config = self.mini.model.config
        only = [k for k, name in enumerate(config.classes) if name in asked]
        if not only:
            return Detection.nothing(self.width)
        rows = ranked(sight, index, config, only)
        said = named(sight, index, rows, config)
        return Detection(tuple(name for name, _ in said), tuple(traits for _, traits in said),
                         tuple(to_image(box, place) for box in rows.boxes[:rows.found]),
                         rows.scores.float().cpu().numpy(), queries(sight, index, rows, place))


class MiniSegmenter:
    """A box is outlined by the location whose own box lies closest to it."""

    def __init__(self, mini: Mini):
        config = mini.model.config
        self.mini, self.name, self.identity = mini, mini.name, mini.identity
        self.width = config.masks + 1 + config.mask_width

    def segment(self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]) -> list[Outlines]:
        if not any(boxes):
            return [Outlines((), np.zeros((0, self.width), np.float32)) for _ in images]
        sight, frames = self.mini.look(images)
        return [self._picture(sight, k, place, some) for k, (place, some) in enumerate(zip(frames, boxes))]

    def _picture(self, sight: Sight, index: int, place: Frame, boxes: Sequence[Box]) -> Outlines:
        sides = torch.tensor([place.width, place.height] * 2)
        asked = torch.tensor([place.to_model(box).xyxy for box in boxes]).reshape(-1, 4) / sides
        asked = asked.to(sight.box)
        masks, rows = outlined(sight, index, closest(asked, sight.box[index].clamp(0, 1)), asked, place,
                               self.mini.model.config)
        return Outlines(tuple(masks), rows)


def closest(asked: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """[K, 4], [P, 4] -> [K] position of the box with the largest IoU."""
    low, high = torch.maximum(asked[:, None, :2], boxes[:, :2]), torch.minimum(asked[:, None, 2:], boxes[:, 2:])
    both = (high - low).clamp(min=0).prod(-1)  # [K, P]
    areas = (asked[:, 2:] - asked[:, :2]).prod(-1)[:, None] + (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return (both / (areas - both).clamp(min=1e-12)).argmax(-1)


def load_mini(thresholds: Thresholds | None = None, device: str = "cpu") -> Mini:
    return Mini(load_refiner(SHIPPED, device), SHIPPED, thresholds)
