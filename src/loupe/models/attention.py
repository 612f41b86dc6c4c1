"""An attention for miniatures on a CPU: the plain sum, with fewer passes over the score matrix.

Registered with transformers as "lean" (a name for the specs' `attention`): queries are scaled instead of scores, the
mask is added in place, and the softmax stays in the type it runs in.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

NAME = "lean"


def lean_attention(module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
                   scaling: float | None = None, dropout: float = 0.0, **_) -> tuple[Tensor, None]:
    """query [B, H, T, D], key and value [B, K, S, D] -> [B, T, H, D]; the mask is additive."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (t.repeat_interleave(groups, dim=1) for t in (key, value))
    scores = (query * (query.shape[-1] ** -0.5 if scaling is None else scaling)) @ key.transpose(-1, -2)
    if attention_mask is not None:
        scores += attention_mask.to(scores.dtype)
    shares = scores.softmax(-1)
    if dropout and module.training:
        shares = torch.nn.functional.dropout(shares, dropout)
    return (shares @ value).transpose(1, 2).contiguous(), None


def register() -> None:
    AttentionInterface.register(NAME, lean_attention)
    AttentionMaskInterface.register(NAME, eager_mask)
