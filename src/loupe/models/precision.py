"""Where bfloat16 pays: a CPU without instructions for it multiplies ten times slower than in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def fast_bf16(device: str = "cpu") -> bool:
    """Does this device multiply bfloat16 in hardware?"""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    if device == "cpu":
        flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, flag, bool)() for flag in flags)
    return device == "mps"


def mixed(device: str, precision: str) -> AbstractContextManager:
    """Autocast to bfloat16 if `precision` is "bf16" and the device is fast at it; else nothing."""
    if precision == "bf16" and fast_bf16(device):
        return torch.autocast(device, torch.bfloat16)
    return nullcontext()
