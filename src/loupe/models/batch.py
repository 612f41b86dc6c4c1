"""Groups of question-answer pairs packed behind their images, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from loupe.errors import ConfigError
from loupe.image import Image
from loupe.models.attention import Blocks
from loupe.models.encoding import IGNORE, Encoded, Encoder
from loupe.models.mqformer import Found
from loupe.sample import Sample

PARTS = 4  # groups of about equal length that pairs are sorted into for blocked attention

__all__ = ["IGNORE", "Batch", "pack", "pack_encoded", "separate"]


@dataclass(frozen=True)
class Batch:
    """B rows of T tokens, N images, A supervised tokens, P pairs. A row is one group (or a part of a long one)."""

    ids: Tensor  # [B, T] int64; 0 at image slots and padding
    positions: Tensor  # [B, T] int64; every pair starts behind the prefix
    front: Tensor  # [B] int64: tokens of each row's prefix
    spans: Tensor  # [P', 3] int64: row, first and behind-last place of every pair that fits
    pixels: Tensor  # [N, 3, S, S] float32
    slots: Tensor  # [I] int64: flat places b * T + t that hold image tokens
    seen: Tensor  # [I] int64: which image token, n * tokens + k
    at: Tensor  # [A] int64: flat places whose next token is supervised
    targets: Tensor  # [A] int64: that token
    owner: Tensor  # [A] int64: which pair it belongs to, 0..P-1 in the order given
    pairs: int = 0
    dropped: int = 0  # pairs left out because they do not fit
    found: Found | None = None  # of the N images, for a bridge of kind "mqformer"

    def to(self, device) -> Batch:
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True)
                 for f in fields(self) if isinstance(getattr(self, f.name), (Tensor, Found))}
        return replace(self, **moved)

    @cached_property
    def mask(self) -> Tensor:
        """[B, 1, T, T] bool: query may see key. Padding sees itself: no empty softmax."""
        rows, length = self.ids.shape
        place = torch.arange(length, device=self.ids.device)
        part = torch.where(place < self.front[:, None], 0, -1)  # [B, T]: 0 prefix, k + 1 pair k, -1 padding
        for k, (row, start, end) in enumerate(self.spans.tolist()):
            part[row, start:end] = k + 1
        earlier = place[:, None] >= place
        same = (part[:, :, None] == part[:, None]) & (part[:, :, None] >= 0)
        shared = (part[:, :, None] > 0) & (part[:, None] == 0)
        own = torch.eye(length, dtype=torch.bool, device=place.device)
        return ((same & earlier) | shared | own)[:, None]

    @cached_property
    def blocks(self) -> Blocks | None:
        """The same for attention that works pair by pair; None where rows have prefixes of different lengths."""
        if not len(self.spans) or not (self.front == self.front[0]).all():
            return None
        length, lengths = self.ids.shape[1], self.spans[:, 2] - self.spans[:, 1]
        order, groups = lengths.argsort(stable=True), []
        for chosen in order.split(max(1, -(-len(order) // PARTS))):
            row, start, _ = self.spans[chosen].T
            ahead = torch.arange(int(lengths[chosen].max()), device=row.device)
            places = row[:, None] * length + start[:, None] + ahead
            groups.append((torch.where(ahead < lengths[chosen][:, None], places, -1), row))
        return Blocks(int(self.front[0]), tuple(groups))

    @property
    def labels(self) -> Tensor:
        """[B, T]: the token each place must predict, else IGNORE (of several at one place, the last)."""
        out = torch.full_like(self.ids, IGNORE).view(-1)
        out[self.at] = self.targets
        return out.view_as(self.ids)


def pack(groups: Sequence[Sequence[Sample]], encoder: Encoder, max_length: int | None = None,
         too_long: str = "raise") -> Batch:
    """One row per group: the images once, every pair behind them on its own.

    A pair sees the prefix and itself only. A group longer than `max_length` goes on in further rows that share its
    image tokens. A single pair that does not fit raises ConfigError, or is left out and counted (too_long="drop").
    """
    samples = [sample for group in groups for sample in group]
    encoded = encoder.encode(samples)
    each = iter(zip(encoded, samples))
    rows = [[(e, s.images) for e, s in (next(each) for _ in group)] for group in groups]
    return pack_encoded(rows, encoder, max_length, too_long)


def separate(groups: Sequence[Sequence[Sample]], encoder: Encoder, **options) -> Batch:
    """The same pairs one to a row."""
    return pack([[sample] for group in groups for sample in group], encoder, **options)


def pack_encoded(groups: Sequence[Sequence[tuple[Encoded, tuple[Image, ...]]]], encoder: Encoder,
                 max_length: int | None = None, too_long: str = "raise") -> Batch:
    """As `pack`, of samples already encoded."""
    limit = max_length or encoder.max_length
    images: dict[Image, int] = {}
    rows: list[_Row] = []
    pair = dropped = 0
    for group in groups:
        open_rows: dict[tuple, _Row] = {}
        for encoded, pictures in group:
            if len(encoded) > limit:
                dropped += _too_long(encoded, limit, too_long)
                pair += 1
                continue
            numbers = tuple(images.setdefault(picture, len(images)) for picture in pictures)
            key = numbers, encoded.prefix
            row = open_rows.get(key)
            if row is None or row.length + len(encoded.ids) > limit:
                row = open_rows[key] = _Row(encoded.prefix, numbers)
                rows.append(row)
            row.add(encoded, pair)
            pair += 1
    return _tensors(rows, list(images), encoder, pair, dropped)


def _too_long(encoded: Encoded, limit: int, choice: str) -> int:
    if choice == "drop":
        return 1
    raise ConfigError("one question with its answer does not fit", got=f"{len(encoded)} tokens "
                      f"({len(encoded.prefix)} of them image and opening)", expected=f"at most {limit}",
                      where="model.language.max_length", do="raise it, shorten the text, or merge image tokens")


class _Row:
    def __init__(self, prefix: tuple[int, ...], images: tuple[int, ...]):
        self.prefix, self.images = prefix, images
        self.ids = list(prefix)
        self.spans: list[tuple[int, int]] = []  # of each pair
        self.at: list[int] = []
        self.targets: list[int] = []
        self.owner: list[int] = []

    @property
    def length(self) -> int:
        return len(self.ids)

    def add(self, encoded: Encoded, pair: int) -> None:
        start, last = len(self.ids), len(self.prefix) - 1
        for k, label in enumerate(encoded.labels):
            if label == IGNORE or (k == 0 and last < 0):  # nothing stands before the first token of all
                continue
            self.at.append(start + k - 1 if k else last)
            self.targets.append(label)
            self.owner.append(pair)
        self.ids += encoded.ids
        self.spans.append((start, len(self.ids)))


def _tensors(rows: list[_Row], images: list[Image], encoder: Encoder, pairs: int, dropped: int) -> Batch:
    length = max((row.length for row in rows), default=1)
    ids = np.zeros((len(rows), length), np.int64)
    positions = np.zeros((len(rows), length), np.int64)
    slots, seen = [], []
    for b, row in enumerate(rows):
        line = np.asarray(row.ids, np.int64)
        ids[b, : len(line)] = line.clip(0)
        front = len(row.prefix)
        positions[b, :front] = np.arange(front)
        for start, end in row.spans:
            positions[b, start:end] = np.arange(front, front + end - start)
        places = np.flatnonzero(line < 0)
        slots.append(places + b * length)
        seen.append(_image_tokens(line, places, row, encoder.tokens))
    join = lambda parts: torch.from_numpy(np.concatenate(parts)) if parts else torch.zeros(0, dtype=torch.int64)  # noqa: E731
    many = lambda values: torch.tensor([v for line in values for v in line], dtype=torch.int64)  # noqa: E731
    return Batch(
        torch.from_numpy(ids), torch.from_numpy(positions), torch.tensor([len(row.prefix) for row in rows]),
        torch.tensor([(b, *span) for b, row in enumerate(rows) for span in row.spans]).reshape(-1, 3),
        torch.from_numpy(encoder.pixels(images)), join(slots), join(seen),
        many([p + b * length for p in row.at] for b, row in enumerate(rows)), many(row.targets for row in rows),
        many(row.owner for row in rows), pairs, dropped, encoder.found(images) if images else None)


def _image_tokens(line: np.ndarray, places: np.ndarray, row: _Row, tokens: int) -> np.ndarray:
    """For each image slot the number of its image token: slots of an image come in whole runs of `tokens`."""
    images = np.asarray(row.images, np.int64)[-1 - line[places]] if len(places) else places
    return images * tokens + np.arange(len(places)) % tokens
