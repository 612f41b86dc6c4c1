"""The layers of Llama, Qwen2 and Qwen3 in a third of the calls: the same sums as transformers' modules.

A decoding step of a small model costs what its calls cost, not what it multiplies. So answers in float32 without a
gradient go through here; training, other types and other architectures go through transformers. Norms and linear
layers that something was hung onto (adapters, LoRA) are called as the modules they are.

`merged` lays the weights that meet the same input side by side, for as long as one batch of answers is being written.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache

from loupe.models.attention import Front, behind

KNOWN = {"LlamaModel", "Qwen2Model", "Qwen3Model"}
SMALL = 2**18  # elements of a matrix up to which its calls cost more than what it multiplies


@dataclass(frozen=True)
class Merged:
    """One layer's weights. H query heads and K key and value heads of width d."""

    qkv: Tensor  # [(H + 2 K) d, D]
    bias: Tensor | None  # [(H + 2 K) d]
    turned: Tensor | None  # [H + K, d]: the norm of queries, times the attention's scale, and that of keys
    heads: int
    fed: Tensor  # [2 F, D]: gate and up


def runs(decoder: nn.Module) -> bool:
    """Whether `run` may stand in for the decoder now."""
    if type(decoder).__name__ not in KNOWN or decoder.training or torch.is_grad_enabled():
        return False
    weight = decoder.norm.weight
    if weight.dtype != torch.float32 or torch.is_autocast_enabled(weight.device.type):
        return False
    plain = set(getattr(decoder.config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
    return plain and not any(_touched(part) for layer in decoder.layers for part in (layer, layer.self_attn, layer.mlp))


def merged(decoder: nn.Module) -> tuple[Merged, ...] | None:
    """A copy of the weights for `run`; None where a layer is not small, or something was hung onto it."""
    out = []
    for layer in decoder.layers:
        attn, mlp = layer.self_attn, layer.mlp
        parts = (attn.q_proj, attn.k_proj, attn.v_proj, mlp.gate_proj, mlp.up_proj)
        norms = (attn.q_norm, attn.k_norm) if hasattr(attn, "q_norm") else ()
        if any(type(p) is not nn.Linear or p.weight.numel() > SMALL or _touched(p) for p in parts):
            return None
        if any(map(_touched, norms)) or mlp.gate_proj.bias is not None or len({p.bias is None for p in parts[:3]}) > 1:
            return None
        heads, keys = (p.weight.shape[0] // attn.head_dim for p in (attn.q_proj, attn.k_proj))
        scale, weights, biases = attn.scaling, [p.weight for p in parts[:3]], [p.bias for p in parts[:3]]
        turned = None
        if norms:
            turned = torch.cat([norms[0].weight.expand(heads, -1) * scale, norms[1].weight.expand(keys, -1)])
        else:
            weights[0] = weights[0] * scale
            biases[0] = None if biases[0] is None else biases[0] * scale
        out.append(Merged(torch.cat(weights), None if biases[0] is None else torch.cat(biases), turned, heads,
                          torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])))
    return tuple(out)


def run(decoder: nn.Module, x: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None = None,
        front: Front | None = None, ready: tuple[Merged, ...] | None = None) -> Tensor:
    """x [N, T, D], mask additive [N or 1, 1, T, S], positions [N or 1, T] -> [N, T, D] behind the final norm.

    cache: keys and values of the rows, used and filled; front: what every row sees before them; ready: of `merged`.
    """
    cos, sin = decoder.rotary_emb(x, positions)  # [N, T, d]
    half = cos.shape[-1] // 2
    angles = cos[:, :, None], torch.cat([-sin[..., :half], sin[..., half:]], -1)[:, :, None]
    for number, layer in enumerate(decoder.layers):
        attn, some = layer.self_attn, ready and ready[number]
        query, key, value = _asked(attn, some, _normed(layer.input_layernorm, x), angles)
        if cache is not None:
            key, value = cache.update(key, value, number)
        if front is not None:
            out = behind(query, key, value, mask, front, number)
        else:
            out = _attended(query, key, value, mask)
        x = x + _linear(attn.o_proj, out.reshape(*x.shape[:2], -1))
        x = x + _fed(layer.mlp, some, _normed(layer.post_attention_layernorm, x))
    return _normed(decoder.norm, x)


def _asked(attn: nn.Module, ready: Merged | None, x: Tensor, angles: tuple[Tensor, Tensor]
           ) -> tuple[Tensor, Tensor, Tensor]:
    """x [N, T, D] -> queries, scaled, [N, H, T, d], keys and values [N, K, T, d]."""
    n, t, _ = x.shape
    d = attn.head_dim
    if ready is not None:
        both = nn.functional.linear(x, ready.qkv, ready.bias).view(n, t, -1, d)
        keys = (both.shape[2] - ready.heads) // 2
        turned, value = both.split([ready.heads + keys, keys], 2)
        if ready.turned is not None:
            turned = nn.functional.rms_norm(turned, (d,), None, attn.q_norm.variance_epsilon) * ready.turned
        query, key = _turned(turned, angles).transpose(1, 2).split([ready.heads, keys], 1)
        return query, key, value.transpose(1, 2)
    query, key, value = (_linear(part, x).view(n, t, -1, d) for part in (attn.q_proj, attn.k_proj, attn.v_proj))
    if hasattr(attn, "q_norm"):
        query, key = _normed(attn.q_norm, query), _normed(attn.k_norm, key)
    query, key = (_turned(each, angles).transpose(1, 2) for each in (query, key))
    return query * attn.scaling, key, value.transpose(1, 2)


def _attended(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """[N, H, T, d], scaled, and [N, K, S, d] -> [N, T, H, d]."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
    scores = query @ key.transpose(-1, -2)
    return ((scores if mask is None else scores.add_(mask)).softmax(-1) @ value).transpose(1, 2)


def _turned(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """x [N, T, H, d] by the rotary angles; their sine has the sign of the half it is added to."""
    cos, sin = angles
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


def _fed(mlp: nn.Module, ready: Merged | None, x: Tensor) -> Tensor:
    if ready is not None:
        gate, up = nn.functional.linear(x, ready.fed).chunk(2, -1)
    else:
        gate, up = _linear(mlp.gate_proj, x), _linear(mlp.up_proj, x)
    return _linear(mlp.down_proj, mlp.act_fn(gate) * up)


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    if _touched(norm):
        return norm(x)
    return nn.functional.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _linear(linear: nn.Module, x: Tensor) -> Tensor:
    if type(linear) is not nn.Linear or _touched(linear):
        return linear(x)
    return nn.functional.linear(x, linear.weight, linear.bias)


def _touched(module: nn.Module) -> bool:
    """Does something hang onto it?"""
    return bool(module._forward_hooks or module._forward_pre_hooks)
