"""The layers of Llama, Qwen2 and Qwen3 in a third of the calls: the same sums as transformers' modules.

A decoding step of a small model costs what its calls cost, not what it multiplies. So answers on a CPU (float32, no
gradient) go through here; training, other types and other architectures go through transformers. Norms and linear
layers that something was hung onto (adapters, LoRA) are called as the modules they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache

from loupe.models.attention import Front, behind

KNOWN = {"LlamaModel", "Qwen2Model", "Qwen3Model"}


def runs(decoder: nn.Module, x: Tensor) -> bool:
    """Whether `run` may stand in for the decoder now."""
    if type(decoder).__name__ not in KNOWN or x.dtype != torch.float32 or torch.is_grad_enabled():
        return False
    if torch.is_autocast_enabled(x.device.type) or decoder.training:
        return False
    config = decoder.config
    plain = set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
    return plain and not any(_touched(part) for layer in decoder.layers for part in (layer, layer.self_attn, layer.mlp))


def run(decoder: nn.Module, x: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None = None,
        front: Front | None = None) -> Tensor:
    """x [N, T, D], mask additive [N or 1, 1, T, S], positions [N or 1, T] -> [N, T, D] behind the final norm.

    cache: keys and values of the rows, used and filled; front: what every row sees before them.
    """
    cos, sin = decoder.rotary_emb(x, positions)  # [N, T, d]
    half = cos.shape[-1] // 2
    cos, sin = cos[:, :, None], torch.cat([-sin[..., :half], sin[..., half:]], -1)[:, :, None]
    for number, layer in enumerate(decoder.layers):
        x = x + _attended(layer.self_attn, _normed(layer.input_layernorm, x), mask, cos, sin, number, cache, front)
        x = x + _fed(layer.mlp, _normed(layer.post_attention_layernorm, x))
    return _normed(decoder.norm, x)


def _attended(attn: nn.Module, x: Tensor, mask: Tensor | None, cos: Tensor, sin: Tensor, number: int,
              cache: Cache | None, front: Front | None) -> Tensor:
    n, t, _ = x.shape
    d = attn.head_dim
    query, key, value = (_linear(part, x).view(n, t, -1, d) for part in (attn.q_proj, attn.k_proj, attn.v_proj))
    if hasattr(attn, "q_norm"):
        query, key = _normed(attn.q_norm, query), _normed(attn.k_norm, key)
    query, key = (_turned(each, cos, sin).transpose(1, 2) for each in (query, key))  # [N, H, T, d]
    value = value.transpose(1, 2)
    if cache is not None:
        key, value = cache.update(key, value, number)
    query = query * attn.scaling
    if front is not None:
        out = behind(query, key, value, mask, front, number)
    else:
        groups = query.shape[1] // key.shape[1]
        if groups > 1:
            key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
        scores = query @ key.transpose(-1, -2)
        out = ((scores if mask is None else scores.add_(mask)).softmax(-1) @ value).transpose(1, 2)
    return _linear(attn.o_proj, out.reshape(n, t, -1))


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [N, T, H, d] by the rotary angles; sin has the sign of the half it is added to."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


def _fed(mlp: nn.Module, x: Tensor) -> Tensor:
    return _linear(mlp.down_proj, mlp.act_fn(_linear(mlp.gate_proj, x)) * _linear(mlp.up_proj, x))


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
