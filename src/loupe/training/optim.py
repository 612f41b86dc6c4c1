"""AdamW with decay on matrices only, and the learning rate as a function of the step."""

from __future__ import annotations

import math

import torch

from loupe.training.recipe import Optim


def optimiser(parameters: dict[str, torch.nn.Parameter], optim: Optim) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, in the order of their names (the order a checkpoint relies on)."""
    named = [(name, parameters[name]) for name in sorted(parameters)]
    groups = [
        {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": optim.weight_decay},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=optim.lr, betas=optim.betas, fused=True)


def warmup_steps(optim: Optim, steps: int) -> int:
    return optim.warmup if isinstance(optim.warmup, int) else round(optim.warmup * steps)


def rate(optim: Optim, step: int, steps: int) -> float:
    """Learning rate of update number `step` (0-based) out of `steps`: rises evenly, then falls to zero."""
    warm = warmup_steps(optim, steps)
    if step < warm:
        return optim.lr * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    share = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[optim.schedule]
    return optim.lr * share
