"""Questions being answered side by side, each joining and leaving when it will: a step writes one token of each.

Row i of the buffers holds the keys and values of one question and what was answered so far, from column 0 on without
gaps; a mask hides what lies behind. A row that leaves is filled by the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from loupe.models.decoding import Prefix, Rows
from loupe.models.vlm import VLM

WIDER = 64  # columns added at a time


class _Layer(DynamicLayer):
    """Keys and values [rows, H, columns, D] of one layer; `at` [N] is the column each of the first N rows writes."""

    def __init__(self):
        super().__init__()
        self.buffers: tuple[Tensor, Tensor] | None = None
        self.at: Tensor | None = None
        self.wide = 0

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(self.at), device=key_states.device)
        for buffer, new in zip(self.buffers, (key_states, value_states)):
            buffer[rows, :, self.at] = new[:, :, 0]
        self.keys, self.values = (b[:len(rows), :, :self.wide] for b in self.buffers)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.wide - 1

    def room(self, rows: int, columns: int, like: Tensor) -> None:
        """At least so many rows and columns; what is there stays."""
        known = self.buffers[0].shape if self.buffers else (0, 0, 0, 0)
        if rows <= known[0] and columns <= known[2]:
            return
        n, wide = max(rows, known[0]), max(-(-columns // WIDER) * WIDER, known[2])
        grown = tuple(like.new_zeros(n, like.shape[1], wide, like.shape[3]) for _ in range(2))
        for new, old in zip(grown, self.buffers or ()):
            new[:known[0], :, :known[2]] = old
        self.buffers = grown


class Slots:
    """The questions of one model that are being answered. Not safe between threads: one thread steps it."""

    def __init__(self, model: VLM):
        self.model = model
        self.lengths: list[int] = []  # [N] tokens each row holds
        count = model.language.config.get_text_config().num_hidden_layers
        self.layers = [_Layer() for _ in range(count)]
        self.cache = Cache(layers=self.layers)

    def __len__(self) -> int:
        return len(self.lengths)

    @torch.inference_mode()
    def join(self, prefix: Prefix, owners: Sequence[int], bodies: Sequence[Sequence[int]]) -> Tensor:
        """Read questions behind looks `owners[i]` of the prefix; they are the last rows from now on.

        Gives [n, V] float32, the logits behind each.
        """
        batch = Rows(self.model, prefix, owners, bodies, 0)
        logits = batch.ask()
        first, n = len(self), len(bodies)
        lengths = [prefix.length + len(body) for body in bodies]
        for layer, read in zip(self.layers, batch.whole()):
            layer.room(first + n, max(lengths) + 1, read[0])
            for buffer, new in zip(layer.buffers, read):
                buffer[first:first + n, :, :max(lengths)] = new[:, :, :max(lengths)]
        self.lengths += lengths
        return logits

    @torch.inference_mode()
    def step(self, ids: Sequence[int]) -> Tensor:
        """One token for each row -> [N, V] float32."""
        device, wide = self.model.device, max(self.lengths) + 1
        at = torch.tensor(self.lengths, device=device)
        for layer in self.layers:
            layer.room(len(self), wide, layer.buffers[0])
            layer.at, layer.wide = at, wide
        mask = torch.arange(wide, device=device) <= at[:, None]
        x = self.model.embed(torch.tensor(list(ids), device=device)[:, None])
        hidden = self.model.hidden(x, mask[:, None, None], at[:, None], self.cache)
        self.lengths = [n + 1 for n in self.lengths]
        return self.model.logits(hidden[:, 0]).float()

    @torch.inference_mode()
    def leave(self, row: int) -> int:
        """Row `row` is done; gives the row that now stands in its place (itself, if it was the last)."""
        last = len(self) - 1
        if row != last:
            for layer in self.layers:
                for buffer in layer.buffers:
                    buffer[row, :, :self.lengths[last]] = buffer[last, :, :self.lengths[last]]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        if not self.lengths:  # an idle server holds no memory
            for layer in self.layers:
                layer.buffers = layer.keys = layer.values = None
        return last


def together(prefixes: Sequence[Prefix]) -> Prefix:
    """Looks with the same opening as one Prefix, look i of it being prefixes[i]."""
    if len(prefixes) == 1:
        return prefixes[0]
    first = prefixes[0]
    layers = tuple((torch.cat([p.layers[k][0] for p in prefixes]), torch.cat([p.layers[k][1] for p in prefixes]))
                   for k in range(len(first.layers)))
    return Prefix(first.ids, layers, first.length, torch.cat([p.seen for p in prefixes]), first.images)


def apart(prefix: Prefix) -> list[Prefix]:
    """Each look of a Prefix by itself, in memory of its own."""
    count = len(prefix.layers[0][0]) if prefix.layers else 1
    if count == 1:
        return [prefix]
    n = prefix.images
    return [Prefix(prefix.ids, tuple((k[i:i + 1].clone(), v[i:i + 1].clone()) for k, v in prefix.layers),
                   prefix.length, prefix.seen[i * n:(i + 1) * n].clone(), n) for i in range(count)]


def weight(prefix: Prefix) -> int:
    """Bytes of its tensors."""
    return sum(t.nbytes for pair in prefix.layers for t in pair) + prefix.seen.nbytes
