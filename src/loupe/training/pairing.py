"""Lyrics' first stage as a run trains it: pictures with what a refiner found, that in words, and a caption (§3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from loupe.augment import mirrored
from loupe.errors import ConfigError, ImageError
from loupe.models.encoding import Encoder
from loupe.models.mqformer import Found, Querying
from loupe.models.mqtext import Marks, Texts, read
from loupe.models.vlm import VLM
from loupe.record import Record
from loupe.refining.spatial import objects
from loupe.training.aligning import TERMS, Aligned, Alignment
from loupe.training.kept import Kept
from loupe.training.objective import Work
from loupe.training.pretraining import Drawn
from loupe.training.recipe import Align, Stage

CHANCE = 4  # numbers of `Aligned.draw`


@dataclass(frozen=True)
class Paired:
    """One picture of an update: its record, one of its captions, the view it is shown in, and where its chance
    comes from."""

    drawn: Drawn
    caption: str
    view: int
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Pairs:
    """`Aligned` before the tower."""

    pixels: Tensor  # [n, 3, S, S]
    found: Found
    texts: Texts
    draw: Tensor  # [n, 4]
    hide: Tensor  # [n, O]

    def to(self, device) -> Pairs:
        return Pairs(*(getattr(self, f.name).to(device) for f in fields(self)))


class PairWork:
    """Paired pictures -> Work. Pictures that do not decode are dropped, what is longer than the MQ-Former reads is cut;
    both are counted. Pictures are kept up to `room` bytes (see `Kept`)."""

    def __init__(self, encoder: Encoder, tokenizer, marks: Marks, longest: int, align: Align, room: int | None = None):
        self.encoder, self.tokenizer, self.marks, self.longest, self.align = encoder, tokenizer, marks, longest, align
        self.kept = Kept(room)

    def __call__(self, group: Sequence[Paired]) -> Work:
        shown, pixels, captions, drops = [], [], [], Counter()
        for pair in group:
            try:
                record, flipped = self._record(pair)
                pixels.append(self._pixels(pair, record))
            except ImageError as error:
                drops["picture does not decode"] += 1
                if drops.total() == len(group):
                    raise ImageError("no picture of an update decodes", got=error, do="mend the folder") from None
                continue
            shown.append((pair, record))
            captions.append(mirrored(pair.caption) if flipped else pair.caption)
        images = [record.image for _, record in shown]
        finder, codec = self.encoder.finder, self.encoder.codec
        refined = finder.refine(images)
        things = [objects(each.things, codec, self.encoder.frame_of((each.width, each.height)),
                          self.align.objects == "together") for each in refined]
        texts, lost = read(self.tokenizer, self.marks, things, captions, codec.marks, self.longest)
        if lost:
            drops["longer than the MQ-Former reads: an object, or the end of a caption"] += lost
        written = texts.owner.max(1).values + 1  # [n] objects of each picture
        draw, hide = self._chance([pair.seed for pair, _ in shown], int(written.max()))
        there = torch.arange(hide.shape[1]) < written[:, None]
        hidden = ((hide < self.align.rate) & there).any(1) | (there.any(1) & (self.align.least > 0))
        count = float(len(shown))
        batch = Pairs(torch.from_numpy(self.encoder.normal(np.stack(pixels))), finder.rows(images), texts, draw, hide)
        return Work(batch, torch.tensor([count] * 3 + [float(hidden.sum())], dtype=torch.float64), count,
                    images=len(shown), pairs=len(shown),
                    ids=tuple("/".join(map(str, pair.drawn.key)) for pair, _ in shown), drops=drops)

    def _record(self, pair: Paired) -> tuple[Record, bool]:
        """(as the view shows it, is it mirrored?)"""
        record, views = pair.drawn.record, self.encoder.finder.views
        if not pair.view:
            return record, False
        image = record.image
        place = views.frame(image.content_hash, *image.size, pair.view)
        return views.show(record, pair.view), place.flip

    def _pixels(self, pair: Paired, record: Record) -> np.ndarray:
        """uint8 [S, S, 3]"""
        image = record.image
        return self.kept.get((*pair.drawn.key, pair.view), lambda: np.asarray(self.encoder.frame(image).picture(image)))

    @staticmethod
    def _chance(seeds: Sequence[tuple[int, ...]], most: int) -> tuple[Tensor, Tensor]:
        """[n, 4] and [n, O] in [0, 1): of a picture and its turn alone, whatever the others are."""
        drawn = np.stack([np.random.default_rng(list(seed)).random(CHANCE + most) for seed in seeds])
        both = torch.from_numpy(drawn.astype(np.float32)).clamp(max=1 - 2**-24)
        return both[:, :CHANCE], both[:, CHANCE:]


class Aligning(nn.Module):
    """The four objectives behind the model's own tower, which is run as it is."""

    unit, terms = "captions", TERMS

    def __init__(self, model: VLM, marks: Marks, align: Align):
        super().__init__()
        self.vision = model.vision
        self.alignment = Alignment(model.bridge.former, marks, align.hard, align.rate, align.least)

    def forward(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        tower = self.vision(pairs.pixels.to(next(self.vision.parameters()).dtype))
        return self.alignment(Aligned(tower, pairs.found, pairs.texts, pairs.draw, pairs.hide))


def check(stage: Stage, model: VLM) -> None:
    """Contrastive sums go over one forward pass of all processes; an MQ-Former and a refiner are there."""
    if stage.accumulation > 1 or stage.images < 2:
        raise ConfigError("pictures are told apart within one forward pass of all processes",
                          got=f"{stage.images} pictures in {stage.accumulation} parts", where=f"stages.{stage.name}",
                          expected="at least 2 pictures and accumulation=1", do="use more processes for larger batches")
    if not isinstance(model.bridge, Querying) or model.spec.refiner is None:
        raise ConfigError("this stage trains an MQ-Former with what a refiner found", where=f"stages.{stage.name}",
                          got=f"bridge {model.spec.bridge.kind}, refiner {model.spec.refiner}",
                          expected="model.bridge.kind=mqformer and model.refiner")


def fitting(tokenizer, vocabulary: int, where: str) -> Marks:
    """The marks of a tokenizer that the model has rows for."""
    marks = Marks.of(tokenizer)
    if len(tokenizer) > vocabulary:
        raise ConfigError("the MQ-Former has too few words for this tokenizer", got=f"{len(tokenizer)} entries",
                          expected=f"at most model.bridge.mqformer.vocabulary={vocabulary}", where=where,
                          do="raise it, or choose another tokenizer")
    return marks
