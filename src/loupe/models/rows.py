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
        if (louder := getattr(self.base, "embed_scale", None)) is not None:  # Gemma-3's embedding is no plain one
            fresh = fresh * louder
        return torch.where(added[..., None], fresh, known)

    @property
    def weight(self) -> Tensor:
        """The whole matrix, merged (a copy)."""
        return merged(self.base.weight, self.rows, self.start)


class AddedHead(nn.Module):
    """An output head whose columns `start .. start + n - 1` come from `rows`; `start` may lie behind the base's last
    column, where a tokenizer brings tokens (as <pad>) that its model has no rows for."""

    def __init__(self, base: nn.Linear, rows: nn.Parameter, start: int):
        super().__init__()
        self.base, self.rows, self.start = base, rows, start
        self.added_bias = None if base.bias is None else nn.Parameter(torch.zeros(len(rows)))

    def forward(self, x: Tensor) -> Tensor:
        known = self.base(x)
        bias = None if self.added_bias is None else self.added_bias.to(x.dtype)
        fresh = nn.functional.linear(x, self.rows.to(x.dtype), bias).to(known.dtype)
        parts = [known[..., : self.start], fresh, known[..., self.start + len(self.rows) :]]
        gap = self.start - known.shape[-1]  # tokens the tokenizer knows and the matrix does not: never said
        if gap > 0:
            parts.insert(1, known.new_full((*known.shape[:-1], gap), torch.finfo(known.dtype).min))
        return torch.cat(parts, -1)

    @property
    def weight(self) -> Tensor:
        return merged(self.base.weight, self.rows, self.start)


def merged(base: Tensor, rows: Tensor, start: int) -> Tensor:
    """One matrix. Ids between the base's last and `start` get the mean of the base's rows."""
    parts = [base[:start], rows.to(base.dtype), base[start + len(rows) :]]
    if start > len(base):
        parts.insert(1, base.float().mean(0, keepdim=True).to(base.dtype).expand(start - len(base), -1))
    return torch.cat(parts).detach()


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
