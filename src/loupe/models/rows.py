"""Rows of tokens added to a pretrained vocabulary, kept apart from the matrix they extend: they can train alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AddedEmbedding(nn.Module):
    """An embedding whose ids `start .. start + n - 1` read from `rows`."""

    def __init__(self, base: nn.Embedding, rows: nn.Parameter, start: int):
        super().__init__()
        self.base, self.rows, self.start = base, rows, start

    def forward(self, ids: Tensor) -> Tensor:
        offset = ids - self.start
        added = (offset >= 0) & (offset < len(self.rows))
        known = self.base(ids.masked_fill(added, 0))
        fresh = nn.functional.embedding(offset.clamp(0, len(self.rows) - 1), self.rows).to(known.dtype)
        return torch.where(added[..., None], fresh, known)

    @property
    def weight(self) -> Tensor:
        """The whole matrix, merged (a copy)."""
        return merged(self.base.weight, self.rows, self.start)


class AddedHead(nn.Module):
    """An output head whose columns `start .. start + n - 1` come from `rows`."""

    def __init__(self, base: nn.Linear, rows: nn.Parameter, start: int):
        super().__init__()
        self.base, self.rows, self.start = base, rows, start
        self.added_bias = None if base.bias is None else nn.Parameter(torch.zeros(len(rows)))

    def forward(self, x: Tensor) -> Tensor:
        known = self.base(x)
        fresh = nn.functional.linear(x, self.rows.to(x.dtype), self.added_bias).to(known.dtype)
        return torch.cat([known[..., : self.start], fresh, known[..., self.start + len(self.rows) :]], -1)

    @property
    def weight(self) -> Tensor:
        return merged(self.base.weight, self.rows, self.start)


def merged(base: Tensor, rows: Tensor, start: int) -> Tensor:
    return torch.cat([base[:start], rows.to(base.dtype), base[start + len(rows) :]]).detach()


def add_rows(language: nn.Module, start: int, count: int) -> None:
    """Give a causal language model `count` rows for the ids from `start` on; they begin as the mean of all others."""
    embedding, head = language.get_input_embeddings(), language.get_output_embeddings()
    tied = head.weight is embedding.weight
    rows = nn.Parameter(_mean_rows(embedding.weight, start, count))
    language.set_input_embeddings(AddedEmbedding(embedding, rows, start))
    head_rows = rows if tied else nn.Parameter(_mean_rows(head.weight, start, count))
    language.set_output_embeddings(AddedHead(head, head_rows, start))


def _mean_rows(weight: Tensor, start: int, count: int) -> Tensor:
    if weight.is_meta:
        return torch.empty(count, weight.shape[1], device="meta")
    return weight[:start].detach().float().mean(0, keepdim=True).repeat(count, 1)
