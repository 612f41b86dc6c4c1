"""Dense supervision of a vision tower: every patch learns what object it lies on and where that object ends.

Works on Records of any reader with objects: class from the names, attributes where annotated, the box, which of the
patch's places lie on the object, the word printed there, and the patch's own colours. A tower trained so gives a
language model something to bind words to from the first step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice

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
from loupe.training.kept import Kept
from loupe.training.objective import Work

FINE = 4  # each patch is looked at in FINE x FINE places
OWNED = 3  # places of one object that make a patch its own
TERMS = ("class", "attribute", "box", "place", "outline", "word", "colour")
WEIGHTS = (1.0, 1.0, 5.0, 1.0, 0.5, 1.0, 0.5)
JUDGED = 500  # held-out pictures that score a tower
WAVES = 64  # numbers that say one edge of a box in the sine code, as location tokens start with


@dataclass(frozen=True)
class Words:
    """The commonest class names, attributes and printed words of the records, by falling count, then by letter."""

    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    printed: tuple[str, ...] = ()

    @classmethod
    def of(cls, records: Iterable[Record], classes: int = 256, attributes: int = 64, printed: int = 64) -> Words:
        names, traits, texts = Counter(), Counter(), Counter()
        for record in records:
            names.update(o.name for o in record.objects if o.name)
            traits.update(a for o in record.objects for a in o.attributes)
            texts.update(w.text for w in record.words)
        top = lambda counts, n: tuple(sorted(counts, key=lambda w: (-counts[w], w))[:n])  # noqa: E731
        if not names:
            raise ConfigError("nothing to learn densely: these sources name no objects", where="mixture.sources",
                              do="use a source with objects, as visual-genome or coco")
        return cls(top(names, classes), top(traits, attributes), top(texts, printed))


@dataclass(frozen=True)
class Patches:
    """N pictures of P patches. `kind` 0 is ground, k is classes[k - 1], -1 an object of a rarer class."""

    pixels: Tensor  # [N, 3, S, S]
    kind: Tensor  # [N, P] int64
    traits: Tensor  # [N, P, A] float32 0/1; NaN where the object has no attributes annotated
    box: Tensor  # [N, P, 4] float32, fractions of the picture; NaN off objects
    outline: Tensor  # [N, P, FINE * FINE] float32: does each place of the patch lie on its object? NaN off objects
    printed: Tensor  # [N, P] int64: 0 no word, k is printed[k - 1], -1 a rarer word, or mirrored letters

    def to(self, device) -> Patches:
        return Patches(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


class DenseWork:
    """(Drawn, mirrored or not) pairs -> Work. Pictures that do not decode are dropped and counted.

    Pictures and targets are kept, up to `room` bytes (see `Kept`).
    """

    def __init__(self, encoder: Encoder, grid: int, words: Words, room: int | None = None):
        self.encoder, self.grid, self.words = encoder, grid, words
        self.kept = Kept(room)

    def __call__(self, group: Sequence[tuple[Drawn, bool]]) -> Work:
        made, ids, drops = decoded(group, lambda drawn: self.kept.get(drawn.key, lambda: self._found(drawn.record)))
        columns = [mirror(*found) if mirrored else found for found, mirrored in made]
        pixels, kind, traits, box, outline, printed = (np.stack(column) for column in zip(*columns))
        batch = Patches(*(torch.from_numpy(t) for t in (
            self.encoder.normal(pixels), kind, traits, box, outline.astype(np.float32), printed)))
        batch.outline[batch.box[..., 0].isnan()] = torch.nan
        owned, known = float((~batch.box.isnan()[..., 0]).sum()), float((~batch.traits[..., :1].isnan()).sum())
        count = float(batch.kind.numel())
        counts = torch.tensor([count, known, owned, owned, owned, count, count], dtype=torch.float64)
        return Work(batch, counts, count, images=len(ids), ids=tuple(ids), drops=drops)

    def _found(self, record: Record) -> tuple[np.ndarray, ...]:
        """(pixels uint8 [S, S, 3], kind [P], traits [P, A], box [P, 4], outline [P, FINE * FINE], printed [P])"""
        frame = self.encoder.frame(record.image)
        return np.asarray(frame.picture(record.image)), *patch_targets(record, frame, self.grid, self.words)


def decoded(group: Sequence[tuple[Drawn, object]], targets: Callable) -> tuple[list, list[str], Counter]:
    """([(targets of a record, what came with it)], ids, drops) of the pictures that decode; ImageError if none does."""
    made, ids, drops = [], [], Counter()
    for drawn, beside in group:
        try:
            made.append((targets(drawn), beside))
        except ImageError as error:
            drops["picture does not decode"] += 1
            if drops.total() == len(group):
                raise ImageError("no picture of an update decodes", got=error, do="mend the folder") from None
            continue
        ids.append("/".join(map(str, drawn.key)))
    return made, ids, drops


@dataclass(frozen=True)
class Drawn:
    """One record of a source, read when it is needed."""

    key: tuple[str, int]  # name of the source, position
    records: Sequence[Record]

    @property
    def record(self) -> Record:
        return self.records[self.key[1]]


def mirror(pixels: np.ndarray, kind: np.ndarray, traits: np.ndarray, box: np.ndarray, outline: np.ndarray,
           printed: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same picture and targets, left and right exchanged; nobody reads the words any more."""
    grid = math.isqrt(len(kind))
    turned = np.arange(len(kind)).reshape(grid, grid)[:, ::-1].ravel()
    x1, y1, x2, y2 = box[turned].T
    inside = outline[turned].reshape(-1, FINE, FINE)[:, :, ::-1].reshape(outline.shape)
    return (pixels[:, ::-1], kind[turned], traits[turned], np.stack([1 - x2, y1, 1 - x1, y2], -1), inside,
            np.where(printed[turned] == 0, 0, -1))


class Dense(nn.Module):
    """Per patch: cross-entropy of the class, of each attribute, of the places on its object and of the printed word;
    L1 of the box's edges, squares of their sine codes (so that they can be copied straight into location tokens) and
    of the colours of the patch's FINE x FINE places."""

    unit, terms = "patches", TERMS

    def __init__(self, model: VLM, words: Words):
        super().__init__()
        self.tower, self.encoder, self.words = model.vision, model.encoder, words
        grid, width = self.tower.grid, self.tower.width
        if self.tower.tokens != grid**2:
            raise ConfigError("dense supervision needs one token per patch", got=f"{self.tower.tokens} tokens",
                              expected=f"{grid} x {grid}", where="model.vision.drop_cls")
        self.sizes = (len(words.classes) + 1, len(words.attributes), 4, 4 * WAVES, FINE**2, len(words.printed) + 1,
                      3 * FINE**2)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, sum(self.sizes)))
        self.register_buffer("centre", places(grid).repeat(1, 2), persistent=False)  # [P, 4]

    def forward(self, patches: Patches) -> tuple[Tensor, Tensor]:
        out = self.head(self.tower(patches.pixels)).float()  # [N, P, sum(sizes)]
        kind, traits, box, place, outline, printed, colour = out.split(self.sizes, -1)
        known = max(1, traits.shape[-1])  # attributes; sources without any give none
        named = lambda out, right: nn.functional.cross_entropy(  # noqa: E731
            out.flatten(0, 1), right.flatten(), reduction="sum", ignore_index=-1)
        binary = nn.functional.binary_cross_entropy_with_logits
        losses = (
            named(kind, patches.kind),
            _where(binary, traits, patches.traits).sum() / known,
            _where(nn.functional.l1_loss, box + self.centre, patches.box).mean(-1).sum(),
            _where(nn.functional.mse_loss, place, codes(patches.box)).mean(-1).sum(),
            _where(binary, outline, patches.outline).mean(-1).sum(),
            named(printed, patches.printed),
            (colour - colours(patches.pixels, self.tower.grid)).square().mean(-1).sum(),
        )
        total = sum(weight * loss for weight, loss in zip(WEIGHTS, losses))
        return total, torch.stack([loss.detach() for loss in losses])


    @torch.no_grad()
    def score(self, records: Iterable[Record]) -> dict[str, float]:
        """On the first JUDGED pictures, shares of the patches that lie on objects: class right, every attribute right,
        box with IoU >= 0.5; of the patches on a printed word, the word right; IoU of the places on objects."""
        work = DenseWork(self.encoder, self.tower.grid, self.words, room=0)
        chosen = list(islice(records, JUDGED))
        device, training, sums = next(self.parameters()).device, self.training, torch.zeros(8, dtype=torch.float64)
        self.eval()
        for first in range(0, len(chosen), 64):
            batch = chosen[first:first + 64]
            patches = work([(Drawn(("held out", k), batch), False) for k in range(len(batch))]).batch.to(device)
            out = self.head(self.tower(patches.pixels)).float()
            sums += self._right(out.split(self.sizes, -1), patches).cpu()
        self.train(training)
        owned, named, box, traits, texts, read, both, either = sums.tolist()
        share = lambda part, whole: round(part / max(1.0, whole), 4)  # noqa: E731
        return {"pictures": len(chosen), "class": share(named, owned), "attributes": share(traits, owned),
                "box IoU >= 0.5": share(box, owned), "printed word": share(read, texts),
                "outline IoU": share(both, either)}

    def _right(self, out: Sequence[Tensor], patches: Patches) -> Tensor:
        """[8] sums over patches, as `score` divides them."""
        kind, traits, box, _, outline, printed, _ = out
        on = ~patches.box.isnan()[..., 0] & (patches.kind > 0)
        right = box + self.centre
        corner = torch.maximum(right[..., :2], patches.box[..., :2])
        far = torch.minimum(right[..., 2:], patches.box[..., 2:])
        shared = (far - corner).clamp(min=0).prod(-1)
        union = (right[..., 2:] - right[..., :2]).clamp(min=0).prod(-1) + (
            patches.box[..., 2:] - patches.box[..., :2]).prod(-1) - shared
        traits_right = ((traits > 0) == (patches.traits > 0.5)).all(-1) & ~patches.traits.isnan().any(-1)
        inside, true = (outline > 0) & on[..., None], (patches.outline > 0.5) & on[..., None]
        text = patches.printed > 0
        return torch.stack([v.sum().double() for v in (
            on, on & (kind.argmax(-1) == patches.kind), on & (shared >= 0.5 * union), on & traits_right, text,
            text & (printed.argmax(-1) == patches.printed), inside & true, inside | true)])


def _where(loss, out: Tensor, target: Tensor) -> Tensor:
    """The elementwise loss, zero where the target is NaN."""
    known = ~target.isnan()
    return loss(out, target.nan_to_num(0.0), reduction="none") * known


def codes(box: Tensor) -> Tensor:
    """[N, P, 4] fractions -> [N, P, 4 * WAVES]; NaN stays NaN."""
    return sine(box.flatten(), WAVES).view(*box.shape[:2], -1)


def colours(pixels: Tensor, grid: int) -> Tensor:
    """[N, 3, S, S] -> [N, P, 3 * FINE * FINE]: mean colour of each place of each patch."""
    fine = nn.functional.adaptive_avg_pool2d(pixels.float(), grid * FINE)  # [N, 3, grid * FINE, grid * FINE]
    return nn.functional.unfold(fine, FINE, stride=FINE).transpose(1, 2)


def patch_targets(record: Record, frame: Frame, grid: int, words: Words) -> tuple[np.ndarray, ...]:
    """(kind [P], traits [P, A], box [P, 4], outline [P, FINE * FINE], printed [P]) as Patches has them, outline as
    uint8 and 0 off objects."""
    objects = [o for o in record.objects if o.name and not o.crowd]
    fine = places_of(objects, frame, grid)
    owner = owners_of(fine, len(objects))
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
    outline = ((fine == owner[:, None]) & (owner >= 0)[:, None]).astype(np.uint8)
    return kinds[owner], traits[owner], boxes[owner], outline, _printed(record, frame, grid, words)


def _printed(record: Record, frame: Frame, grid: int, words: Words) -> np.ndarray:
    """[P] the printed word on each patch, as Patches has it."""
    texts = [Object(str(k), word.region.box) for k, word in enumerate(record.words)]
    known = {text: k + 1 for k, text in enumerate(words.printed)}
    values = np.array([*(known.get(word.text, -1) for word in record.words), 0])
    return values[owners(texts, frame, grid)]


def owners(objects: Sequence[Object], frame: Frame, grid: int) -> np.ndarray:
    """[grid * grid] index of the object each patch lies on; -1 on none. Smaller objects lie in front of larger ones."""
    return owners_of(places_of(objects, frame, grid), len(objects))


def owners_of(fine: np.ndarray, count: int) -> np.ndarray:
    """[P, FINE * FINE] objects at the places of each patch -> [P] the commonest, if it owns enough of them."""
    counts = (fine[:, None] == np.arange(max(1, count))[:, None]).sum(-1)  # [P, objects]
    return np.where(counts.max(1) >= OWNED, counts.argmax(1), -1)


def places_of(objects: Sequence[Object], frame: Frame, grid: int) -> np.ndarray:
    """[grid * grid, FINE * FINE] index of the object at each place of each patch, -1 for none."""
    side = grid * FINE
    canvas = np.full((side, side), -1)
    xs, ys = _places(frame, side)
    for k in sorted(range(len(objects)), key=lambda k: -objects[k].box.area):
        canvas[_inside(objects[k], xs, ys)] = k
    return canvas.reshape(grid, FINE, grid, FINE).transpose(0, 2, 1, 3).reshape(grid * grid, FINE**2)


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
