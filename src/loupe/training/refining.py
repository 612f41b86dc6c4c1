"""What a refiner learns from a Record: who owns each pixel, which thing each location lies on, and where it ends.

Locations carry the thing that owns most of their pixels; what lies in front hides what lies behind. Parts of things
are left to the whole, crowds and rare classes are neither things nor ground. Works on Records of any reader with
objects; where outlines are not annotated the box stands for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from loupe.frame import Frame, frame
from loupe.models.refiner import FINE, STRIDE, Refiner, RefinerConfig, Sight, mask_logits, normal
from loupe.record import Record
from loupe.training.kept import Kept
from loupe.training.objective import Work
from loupe.training.pretraining import Drawn, Words, decoded, owners_of, places_of
from loupe.training.refiner_recipe import LOSSES

EACH = 24.0  # locations that one thing, or the tags of one picture, weigh as much as
GROUND, UNKNOWN = -1, -2
IGNORED = -100  # class of a location that teaches none


@dataclass(frozen=True)
class Targets:
    """One picture. Things are numbered from 0 in it."""

    pixels: np.ndarray  # [S, S, 3] uint8
    owner: np.ndarray  # [S, S] int8: thing, GROUND or UNKNOWN
    cell: np.ndarray  # [P] int8: the same for every location
    kind: np.ndarray  # [O] int64 in classes; -1 a rarer one
    traits: np.ndarray  # [O, A] float32 0/1; NaN where no attribute is annotated
    box: np.ndarray  # [O, 4] float32, fractions of the model's picture
    tags: np.ndarray  # [classes + attributes] float32 0/1

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in vars(self).values())

    def mirrored(self) -> Targets:
        side = len(self.owner) // STRIDE
        x1, y1, x2, y2 = self.box.T
        return Targets(self.pixels[:, ::-1], self.owner[:, ::-1], self.cell.reshape(side, side)[:, ::-1].ravel(),
                       self.kind, self.traits, np.stack([1 - x2, y1, 1 - x1, y2], -1), self.tags)


def targets(record: Record, place: Frame, words: Words) -> Targets:
    """Of one record as the model sees it through `place`. At most 127 things; a picture without any is all ground."""
    size, grid = place.width, place.width // STRIDE
    seen = [o for o in record.objects if o.part_of is None and (o.name or o.crowd)][:127]
    fine = places_of(seen, place, grid)  # [P, STRIDE * STRIDE]: every pixel
    owner = fine.reshape(grid, grid, STRIDE, STRIDE).transpose(0, 2, 1, 3).reshape(size, size)
    classes = {name: k for k, name in enumerate(words.classes)}
    things = [o for o in seen if not o.crowd]
    number = {id(o): k for k, o in enumerate(things)}
    order = np.array([number.get(id(o), UNKNOWN) for o in seen] + [GROUND], np.int8)  # GROUND reads the last
    kind = np.array([classes.get(o.name, -1) for o in things], np.int64)
    traits = np.full((len(things), len(words.attributes)), np.nan, np.float32)
    box = np.zeros((len(things), 4), np.float32)
    for k, thing in enumerate(things):
        box[k] = np.clip(np.asarray(place.to_model(thing.box).xyxy) / size, 0, 1)
        if thing.attributes:
            traits[k] = [word in thing.attributes for word in words.attributes]
    named = {o.name for o in things} | {a for o in things for a in o.attributes}
    tags = np.array([word in named for word in (*words.classes, *words.attributes)], np.float32)
    return Targets(np.asarray(place.picture(record.image)), order[owner], order[owners_of(fine, len(seen))], kind,
                   traits, box, tags)


@dataclass(frozen=True)
class Scenes:
    """N pictures with O things in all; `owner` and `cell` number things through the batch."""

    pixels: Tensor  # [N, 3, S, S] float32
    owner: Tensor  # [N, S, S] int16
    cell: Tensor  # [N, P] int64
    kind: Tensor  # [O] int64
    traits: Tensor  # [O, A]
    box: Tensor  # [O, 4]
    tags: Tensor  # [N, T]

    def to(self, device) -> Scenes:
        return Scenes(*(t.to(device, non_blocking=True) for t in vars(self).values()))


class RefinerWork:
    """(Drawn, mirrored or not) pairs -> Work; pictures that do not decode are dropped and counted.

    Targets are kept, up to `room` bytes (see `Kept`).
    """

    def __init__(self, config: RefinerConfig, room: int | None = None):
        self.config, self.words = config, Words(tuple(config.classes), tuple(config.attributes))
        self.kept = Kept(room)

    def __call__(self, group: Sequence[tuple[Drawn, bool]]) -> Work:
        made, ids, drops = decoded(group, lambda drawn: self.kept.get(drawn.key, lambda: self._targets(drawn.record)))
        found = [each.mirrored() if mirrored else each for each, mirrored in made]
        scenes = stacked(found, self.config)
        known = float((~scenes.traits[:, :1].isnan()).sum())
        things, cells = float(len(scenes.kind)), float(scenes.cell.numel())
        counts = torch.tensor([cells, known, things, things, things, len(found)], dtype=torch.float64)
        return Work(scenes, counts, cells, images=len(found), ids=tuple(ids), drops=drops)

    def _targets(self, record: Record) -> Targets:
        return targets(record, frame(self.config.frame, *record.image.size, self.config.size), self.words)


def stacked(found: Sequence[Targets], config: RefinerConfig) -> Scenes:
    firsts = np.cumsum([0] + [len(f.kind) for f in found])
    owner, cell = ([np.where(a >= 0, a + np.int32(first), a) for a, first in zip(arrays, firsts)]
                   for arrays in ([f.owner for f in found], [f.cell for f in found]))
    many = [torch.from_numpy(np.concatenate([getattr(f, name) for f in found])) for name in ("kind", "traits", "box")]
    return Scenes(normal(np.stack([f.pixels for f in found]), config), torch.from_numpy(np.stack(owner)),
                  torch.from_numpy(np.stack(cell).astype(np.int64)), *many,
                  torch.from_numpy(np.stack([f.tags for f in found])))


class Refining(nn.Module):
    """The losses. Every location learns its class; a thing's other facts are learnt by all locations that lie on it,
    each thing weighing the same whatever its size."""

    unit, terms = "locations", tuple(name for name, _ in LOSSES)

    def __init__(self, model: Refiner, losses: Sequence[tuple[str, float]] = LOSSES):
        super().__init__()
        self.model = model
        self.weights = tuple(dict(losses).get(name, 0.0) for name in self.terms)

    def forward(self, scenes: Scenes) -> tuple[Tensor, Tensor]:
        sight = self.model(scenes.pixels)
        tags = nn.functional.binary_cross_entropy_with_logits(sight.tags, scenes.tags, reduction="sum")
        losses = (class_loss(sight, scenes), *thing_losses(sight, scenes), mask_loss(sight, scenes), tags)
        scale = (1.0, *[EACH] * (len(losses) - 1))
        total = sum(weight * each * loss for weight, each, loss in zip(self.weights, scale, losses))
        return total, torch.stack([loss.detach() for loss in losses])


def class_loss(sight: Sight, scenes: Scenes) -> Tensor:
    """Cross-entropy summed over the locations whose class is known."""
    kinds = torch.where(scenes.kind < 0, IGNORED, scenes.kind + 1)
    kinds = torch.cat([kinds, kinds.new_tensor([IGNORED, 0])])  # UNKNOWN and GROUND count from the end
    wanted = kinds[scenes.cell]
    return nn.functional.cross_entropy(sight.kind.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED,
                                       reduction="sum")


def thing_losses(sight: Sight, scenes: Scenes) -> tuple[Tensor, Tensor, Tensor]:
    """(attributes, box, quality), each summed over things and averaged over the locations of one; attributes are summed
    over words."""
    own = scenes.cell >= 0
    thing = scenes.cell[own]  # [L]
    share = 1.0 / torch.bincount(thing, minlength=len(scenes.kind)).clamp(min=1)[thing]
    wanted = scenes.traits[thing]
    known = ~wanted.isnan()
    traits = nn.functional.binary_cross_entropy_with_logits(sight.traits[own], wanted.nan_to_num(0.0),
                                                            reduction="none")
    traits = (traits * known).sum(-1)
    overlap, generalised = overlaps(sight.box[own], scenes.box[thing])
    quality = nn.functional.binary_cross_entropy_with_logits(sight.quality[own], overlap.detach(), reduction="none")
    return (share * traits).sum(), (share * (1 - generalised)).sum(), (share * quality).sum()


def mask_loss(sight: Sight, scenes: Scenes) -> Tensor:
    """Cross-entropy per place inside the true box, averaged there and summed over things.

    Two locations speak for each thing: the one that would be kept, and one at random.
    """
    picture, place = torch.nonzero(scenes.cell >= 0, as_tuple=True)
    thing = scenes.cell[picture, place]
    if not len(thing):
        return sight.shared.sum() * 0.0
    score = best_score(sight.kind.detach(), sight.quality.detach())[picture, place]
    chosen = torch.cat([strongest(thing, score, len(scenes.kind)),
                        strongest(thing, torch.rand_like(score), len(scenes.kind))]).sort().values  # picture by picture
    picture, place, thing = picture[chosen], place[chosen], thing[chosen]
    logits = mask_logits(sight.mixture[picture, place], sight.shared, picture)  # [K, H, W]
    wanted = (scenes.owner[picture] == thing[:, None, None]).float()  # [K, S, S]
    wanted = nn.functional.avg_pool2d(wanted, FINE)
    inside = within(scenes.box[thing], logits.shape[-1])
    losses = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * inside
    return (losses.sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).sum() / 2


def best_score(kind: Tensor, quality: Tensor) -> Tensor:
    """[..., classes + 1], [...] logits -> [...] probability of the likeliest class times the box's expected IoU."""
    return kind.softmax(-1)[..., 1:].amax(-1) * quality.sigmoid()


def strongest(thing: Tensor, score: Tensor, things: int) -> Tensor:
    """Position of the highest score of every thing that occurs. thing, score: [L]"""
    best = score.new_full((things,), -1.0).scatter_reduce(0, thing, score, "amax")
    position = torch.arange(len(thing), device=thing.device)
    first = torch.full((things,), len(thing), device=thing.device)
    first = first.scatter_reduce(0, thing, torch.where(score == best[thing], position, len(thing)), "amin")
    return first[first < len(thing)]


def within(box: Tensor, side: int) -> Tensor:
    """[K, 4] fractions -> [K, side, side] 1.0 at places that the box touches, and one place around."""
    low, high = torch.floor(box[:, :2] * side) - 1, torch.ceil(box[:, 2:] * side) + 1
    at = torch.arange(side, device=box.device)
    x, y = ((at >= low[:, k, None]) & (at < high[:, k, None]) for k in (0, 1))  # [K, side]
    return (y[:, :, None] & x[:, None]).float()


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al. 2019) of boxes [L, 4] pair by pair."""
    size = lambda low, high: (high - low).clamp(min=0).prod(-1)  # noqa: E731
    areas = size(a[:, :2], a[:, 2:]) + size(b[:, :2], b[:, 2:])
    both = size(torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:]))
    hull = size(torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:]))
    union = (areas - both).clamp(min=1e-9)
    return both / union, both / union - (hull - union) / hull.clamp(min=1e-9)
