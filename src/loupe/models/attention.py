"""An attention for miniatures on a CPU: the plain sum, with fewer passes over the score matrix.

Registered with transformers as "lean" (a name for the specs' `attention`): queries are scaled instead of scores, the
mask is added in place, and the softmax stays in the type it runs in. Packed batches say which pairs lie where
(`blocks`); then a pair's scores are computed against the prefix and itself only, not against its neighbours. Questions
on one look give its keys and values once (`front`): every row's queries meet them in one product, no row holds a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

NAME = "lean"


@dataclass(frozen=True)
class Blocks:
    """Where the pairs of a packed batch lie: behind `front` common tokens, in groups of about equal length."""

    front: int
    groups: tuple[tuple[Tensor, Tensor], ...]  # places [R, L] int64 in the flat batch, -1 behind the end; row [R] int64

    def to(self, device) -> Blocks:
        return Blocks(self.front, tuple((places.to(device), row.to(device)) for places, row in self.groups))


@dataclass(frozen=True)
class Front:
    """Keys and values that stand before the rows of a batch: per layer [K, P, D], or [L, K, P, D] of L looks.

    rows [L, R]: the rows of the batch behind each look, any row where a look has fewer. back [N]: where each row
    stands in `rows`, flat. Both None where row r stands behind look r // (N / L).
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    rows: Tensor | None = None
    back: Tensor | None = None

    @property
    def length(self) -> int:
        return self.layers[0][0].shape[-2] if self.layers else 0

    @classmethod
    def of(cls, layers: tuple[tuple[Tensor, Tensor], ...], owners: Sequence[int]) -> Front:
        """layers of L looks [L, K, P, D]; owners [N]: the look of each row."""
        looks = layers[0][0].shape[0]
        if looks == 1:
            return cls(tuple((k[0], v[0]) for k, v in layers))
        behind = [[] for _ in range(looks)]
        for row, look in enumerate(owners):
            behind[look].append(row)
        most = max(map(len, behind))
        if [row for rows in behind for row in rows] == list(range(looks * most)):
            return cls(layers)
        back = [0] * len(owners)
        for look, rows in enumerate(behind):
            for k, row in enumerate(rows):
                back[row] = look * most + k
        padded = [rows + [0] * (most - len(rows)) for rows in behind]
        device = layers[0][0].device
        return cls(layers, torch.tensor(padded, device=device), torch.tensor(back, device=device))


def lean_attention(module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
                   scaling: float | None = None, dropout: float = 0.0, blocks: Blocks | None = None,
                   front: Front | None = None, **_) -> tuple[Tensor, None]:
    """query [B, H, T, D], key and value [B, K, S, D] -> [B, T, H, D]; the mask is additive.

    front: what every query sees besides; key, value and mask are then those of the rows alone.
    """
    if front is not None:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        return behind(query * scale, key, value, attention_mask, front, module.layer_idx).contiguous(), None
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (t.repeat_interleave(groups, dim=1) for t in (key, value))
    query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    dropout = dropout if module.training else 0.0
    if blocks is not None:
        return _blocked(query, key, value, blocks, dropout), None
    scores = query @ key.transpose(-1, -2)
    if attention_mask is not None:
        scores += attention_mask.to(scores.dtype)
    shares = torch.nn.functional.dropout(scores.softmax(-1), dropout)
    return (shares @ value).transpose(1, 2).contiguous(), None


def _blocked(query: Tensor, key: Tensor, value: Tensor, blocks: Blocks, dropout: float) -> Tensor:
    """All of [B, H, T, D] -> [B, T, H, D]. Places of no pair (padding) give zeros."""
    b, h, t, d = query.shape
    attend = partial(torch.nn.functional.scaled_dot_product_attention, dropout_p=dropout, scale=1.0)
    flat = [x.transpose(1, 2).reshape(b * t, h, d) for x in (query, key, value)]
    front = torch.arange(b, device=query.device)[:, None] * t + torch.arange(blocks.front, device=query.device)
    common = [x[:, :, :blocks.front] for x in (query, key, value)]
    places, parts = [front.reshape(-1)], [attend(*common, is_causal=True).transpose(1, 2).reshape(-1, h, d)]
    inside = [index.clamp(min=0) for index, _ in blocks.groups]
    seen = [torch.cat([front[row], own], 1) for own, (_, row) in zip(inside, blocks.groups)]
    # for all groups at once: the backward pass of a gather fills a whole tensor, however little it gathers
    for (index, _), *asked in zip(blocks.groups, *(_gathered(x, of) for x, of in zip(flat, (inside, seen, seen)))):
        length = index.shape[1]
        causal = torch.ones(length, blocks.front + length, dtype=torch.bool, device=query.device).tril(blocks.front)
        found = attend(*asked, attn_mask=causal).transpose(1, 2)  # [R, L, H, D]
        real = (index >= 0).reshape(-1).nonzero()[:, 0]
        places.append(index.reshape(-1)[real])
        parts.append(found.reshape(-1, h, d)[real])
    out = flat[0].new_zeros(b * t, h, d).index_copy(0, torch.cat(places), torch.cat(parts))
    return out.view(b, t, h, d)


def _gathered(x: Tensor, indices: Sequence[Tensor]) -> list[Tensor]:
    """[T, H, D] and places [R, L] of each group -> [R, H, L, D] of each."""
    if not indices:
        return []
    pieces = x.index_select(0, torch.cat([index.reshape(-1) for index in indices]))
    pieces = pieces.split([index.numel() for index in indices])
    return [piece.view(*index.shape, *x.shape[1:]).transpose(1, 2) for piece, index in zip(pieces, indices)]


def behind(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, front: Front, layer: int) -> Tensor:
    """query [B, H, T, D], scaled, sees its look in front and its own key, value [B, K, S, D] under the mask
    -> [B, T, H, D].

    The queries of all rows behind a look are laid side by side, so the look is read once and not repeated.
    """
    front_key, front_value = (t if t.dim() == 4 else t[None] for t in front.layers[layer])
    looks, k, p, d = front_key.shape
    b, h, t, _ = query.shape
    s, g = key.shape[2], h // k
    own = query.reshape(b, k, g * t, d)
    near = own @ key.transpose(-1, -2)  # [B, K, G * T, S]
    if mask is not None:
        near = (near.view(b, k, g, t, s) + mask[:, :, None].to(near.dtype)).view(b, k, g * t, s)
    far = _laid(own, looks, front.rows) @ front_key.transpose(-1, -2)
    scores = torch.cat([far, _laid(near, looks, front.rows)], -1)  # [L, K, R * G * T, P + S]
    shares = scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype)
    out = _lifted(shares[..., :p] @ front_value, g * t, front.back)
    out = out + _lifted(shares[..., p:], g * t, front.back) @ value  # [B, K, G * T, D]
    return out.reshape(b, h, t, d).transpose(1, 2)


def _laid(rows: Tensor, looks: int, which: Tensor | None) -> Tensor:
    """[B, K, Q, W] -> [L, K, R * Q, W]: the rows behind each look side by side."""
    _, k, q, w = rows.shape
    if which is not None:
        rows = rows[which.reshape(-1)]
    return rows.view(looks, -1, k, q, w).transpose(1, 2).reshape(looks, k, -1, w)


def _lifted(laid: Tensor, q: int, back: Tensor | None) -> Tensor:
    """Inverse of `_laid`: [L, K, R * Q, W] -> [B, K, Q, W]."""
    looks, k, _, w = laid.shape
    rows = laid.reshape(looks, k, -1, q, w).transpose(1, 2).reshape(-1, k, q, w)
    return rows if back is None else rows[back]


def register() -> None:
    AttentionInterface.register(NAME, lean_attention)
    AttentionMaskInterface.register(NAME, eager_mask)
