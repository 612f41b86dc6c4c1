"""Pictures -> what the refiner finds in them: tags, things with box, mask and attributes, rows of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from loupe.frame import Frame, frame
from loupe.image import Image
from loupe.models.refiner import Refiner, RefinerConfig, Sight, mask_logits, normal
from loupe.regions import Box, Mask

CANDIDATES = 200  # best locations of a picture that are looked at


@dataclass(frozen=True)
class Tag:
    """A word true of the picture: a class, or an attribute of something in it."""

    word: str
    score: float


@dataclass(frozen=True)
class Thing:
    """One thing found; regions in pixels of the original image."""

    name: str
    attributes: tuple[str, ...]  # in the order of the refiner's words
    box: Box
    mask: Mask
    score: float


@dataclass(frozen=True, eq=False)
class Refined:
    """One picture. The first len(things) rows of every array belong to the things, in order; with nothing found
    there is no such row, and `things` and `tags` may be empty."""

    width: int
    height: int
    tags: tuple[Tag, ...]  # best first
    things: tuple[Thing, ...]  # best first
    scores: np.ndarray  # [queries] float32; rows under the threshold are there, masking them is the reader's choice
    queries: np.ndarray  # [queries, state_width + 4] float32: states, then x, y, width, height of the box: its centre
    # and size as fractions of the image
    outlines: np.ndarray  # [things, masks + 1 + mask_width] float32: how the mask is mixed, and what it lies on


def refine(model: Refiner, images: Sequence, batch: int = 32) -> list[Refined]:
    """What `model` finds in each picture (anything Image.of takes), in order. Unreadable pictures are an ImageError."""
    out = []
    for first in range(0, len(images), batch):
        pictures = [Image.of(source) for source in images[first:first + batch]]
        frames = [frame(model.config.frame, *picture.size, model.config.size) for picture in pictures]
        pixels = np.stack([np.asarray(place.picture(picture)) for place, picture in zip(frames, pictures)])
        with torch.inference_mode():
            sight = model(normal(pixels, model.config).to(model.device))
            out += [refined_of(sight, k, place, model.config) for k, place in enumerate(frames)]
    return out


def refined_of(sight: Sight, index: int, place: Frame, config: RefinerConfig) -> Refined:
    """What is found in picture number `index`."""
    rows = ranked(sight, index, config)
    masks, outlines = outlined(sight, index, rows.places[:rows.found], rows.boxes[:rows.found], place, config)
    things = tuple(Thing(name, attributes, to_image(rows.boxes[k], place), masks[k], float(rows.scores[k]))
                   for k, (name, attributes) in enumerate(named(sight, index, rows, config)))
    return Refined(place.image_width, place.image_height, tags_of(sight.tags[index], config), things,
                   rows.scores.float().cpu().numpy(), queries(sight, index, rows, place), outlines)


@dataclass(frozen=True, eq=False)
class Rows:
    """Locations of one picture worth a row, the `found` ones first."""

    scores: Tensor  # [K]
    places: Tensor  # [K] locations
    boxes: Tensor  # [K, 4] fractions of the model's picture
    kinds: Tensor  # [K] positions in the classes
    found: int


def ranked(sight: Sight, index: int, config: RefinerConfig, only: Sequence[int] | None = None) -> Rows:
    """The rows of one picture. only: positions of the classes that are looked for (default: all)."""
    likely = sight.kind[index].softmax(-1)[:, 1:]  # [P, classes]
    if only is not None:
        asked = torch.zeros(likely.shape[1], dtype=likely.dtype, device=likely.device)
        asked[list(only)] = 1
        likely = likely * asked
    best, kind = likely.max(-1)
    scores, order = (best * sight.quality[index].sigmoid()).sort(descending=True, stable=True)
    scores, order = scores[:CANDIDATES], order[:CANDIDATES]
    boxes = sight.box[index, order].clamp(0, 1)
    kept = distinct(boxes.double().cpu().numpy(), config.overlap)
    rest = np.setdiff1d(np.arange(len(order)), kept)
    rows = torch.from_numpy(np.concatenate([kept, rest])[:config.queries]).to(order.device)
    scores, order, boxes = scores[rows], order[rows], boxes[rows]
    found = min(int((scores[:len(kept)] >= config.threshold).sum()), len(rows))
    return Rows(scores, order, boxes, kind[order], found)


def named(sight: Sight, index: int, rows: Rows, config: RefinerConfig) -> list[tuple[str, tuple[str, ...]]]:
    """(class, attributes) of the found rows."""
    traits = sight.traits[index, rows.places[:rows.found]].sigmoid().cpu().numpy()
    return [(config.classes[int(kind)], tuple(word for word, p in zip(config.attributes, likely) if p >= 0.5))
            for kind, likely in zip(rows.kinds, traits)]


def queries(sight: Sight, index: int, rows: Rows, place: Frame) -> np.ndarray:
    """float32 [K, state_width + 4], as in Refined."""
    around = [to_image(box, place) for box in rows.boxes]
    numbers = np.array([[b.centre.x / place.image_width, b.centre.y / place.image_height, b.width / place.image_width,
                         b.height / place.image_height] for b in around], np.float32).reshape(-1, 4)
    return np.concatenate([sight.state[index, rows.places].float().cpu().numpy(), numbers], 1)


def to_image(box: Tensor, place: Frame) -> Box:
    """[4] fractions of the model's picture -> pixels of the image, inside it."""
    x1, y1, x2, y2 = (float(v) for v in box)
    moved = place.to_image(Box(x1 * place.width, y1 * place.height, x2 * place.width, y2 * place.height))
    x = lambda v: min(max(v, 0.0), float(place.image_width))  # noqa: E731
    y = lambda v: min(max(v, 0.0), float(place.image_height))  # noqa: E731
    return Box(x(moved.x1), y(moved.y1), x(moved.x2), y(moved.y2))


def outlined(sight: Sight, index: int, here: Tensor, boxes: Tensor, place: Frame,
             config: RefinerConfig) -> tuple[list[Mask], np.ndarray]:
    """Masks in pixels of the image, and float32 [K, masks + 1 + mask_width], of the locations `here`."""
    masks, rows = _masks(sight, index, here, boxes, config)
    return [place.to_image(Mask.from_array(mask)) for mask in masks], rows.float().cpu().numpy()


def _masks(sight: Sight, index: int, here: Tensor, boxes: Tensor, config: RefinerConfig) -> tuple[np.ndarray, Tensor]:
    """(bool [K, S, S], [K, masks + 1 + mask_width]) of the locations `here`."""
    mixture = sight.mixture[index, here]  # [K, masks + 1]
    if not len(here):
        return np.zeros((0, config.size, config.size), bool), mixture.new_zeros(0, mixture.shape[1] + config.mask_width)
    shared = sight.shared[index:index + 1]
    logits = mask_logits(mixture, shared, here.new_zeros(len(here)))[None]  # [1, K, S / 2, S / 2]
    logits = nn.functional.interpolate(logits, size=(config.size, config.size), mode="bilinear")[0]
    edges = boxes * config.size
    at = torch.arange(config.size, device=boxes.device) + 0.5
    x, y = ((at >= edges[:, k, None] - 1) & (at <= edges[:, k + 2, None] + 1) for k in (0, 1))  # [K, S], a pixel more
    inside = (logits > 0) & y[:, :, None] & x[:, None]
    share = nn.functional.avg_pool2d(inside.float()[None], config.size // shared.shape[-1])[0].flatten(1)  # [K, H * W]
    ground = (share @ sight.ground[index].flatten(1).T) / share.sum(1, keepdim=True).clamp(min=1e-6)
    return inside.cpu().numpy(), torch.cat([mixture, ground], 1)


def tags_of(logits: Tensor, config: RefinerConfig) -> tuple[Tag, ...]:
    words = (*config.classes, *config.attributes)
    said = [Tag(word, score) for word, score in zip(words, logits.sigmoid().tolist()) if score >= config.tag_threshold]
    return tuple(sorted(said, key=lambda tag: -tag.score))


def distinct(boxes: np.ndarray, overlap: float) -> np.ndarray:
    """Positions of the boxes [K, 4], best first, that overlap no better kept one by more than an IoU of `overlap`."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    open_, kept = np.ones(len(boxes), bool), []
    for k in range(len(boxes)):
        if not open_[k]:
            continue
        kept.append(k)
        low, high = np.maximum(boxes[k, :2], boxes[:, :2]), np.minimum(boxes[k, 2:], boxes[:, 2:])
        both = np.clip(high - low, 0, None).prod(1)
        open_ &= both <= overlap * np.maximum(areas + areas[k] - both, 1e-12)
    return np.array(kept, np.int64)
