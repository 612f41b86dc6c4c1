"""AdamW with decay on matrices only, or Muon on the matrices; and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection

import torch
from torch import Tensor, nn

from loupe.training.recipe import Optim

MOMENTUM = 0.95
QUINTIC = (3.4445, -4.7750, 2.0315)  # five rounds bring singular values near one (Jordan et al., 2024)
MATCH = 0.2  # root mean square of an AdamW update, which Muon's is scaled to (Liu et al., 2025, arXiv 2502.16982)


class Muon(torch.optim.AdamW):
    """Momentum made orthogonal for groups marked `matrices`, AdamW for the others; one learning rate fits both.

    torch.optim.Muon works in bf16 always, which processors without it do thirty times slower; this one in the
    gradients' own type, all matrices of a shape at once.
    """

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            if not group.get("matrices"):
                continue
            alike = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[p.shape].append(p)
            for shape, same in alike.items():
                grads = torch.stack([p.grad for p in same])
                momenta = torch.stack([self._momentum(p) for p in same])
                rate = group["lr"] * MATCH * math.sqrt(max(shape))
                for p, update in zip(same, orthogonal(grads.lerp(momenta, MOMENTUM))):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=rate)
                    p.grad = None  # AdamW passes it over
        return super().step(closure)

    def _momentum(self, p: nn.Parameter) -> Tensor:
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for it in every state it loads
            state["momentum"] = torch.zeros_like(p)
        return state["momentum"].lerp_(p.grad, 1 - MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """[K, A, B] -> the same with all singular values near one, by Newton-Schulz rounds."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def tables(module: nn.Module) -> set[str]:
    """Names of parameters that are embeddings, or a head of the same shape: rows to look up, not maps."""
    shapes = {m.weight.shape for m in module.modules() if isinstance(m, nn.Embedding)}
    return {f"{name}.weight" for name, m in module.named_modules()
            if isinstance(m, nn.Embedding) or (isinstance(m, nn.Linear) and m.weight.shape in shapes)}


def optimiser(parameters: dict[str, nn.Parameter], optim: Optim, rows: Collection[str] = ()) -> torch.optim.AdamW:
    """Over the trainable parameters, in the order of their names (the order a checkpoint relies on).

    rows: names of matrices that Muon leaves to AdamW (`tables`).
    """
    named = [(name, parameters[name]) for name in sorted(parameters)]
    muon = optim.method == "muon"
    turned = {name for name, p in named if muon and p.ndim == 2 and name not in rows}
    groups = [
        {"params": [p for name, p in named if name in turned], "weight_decay": optim.weight_decay, "matrices": True},
        {"params": [p for name, p in named if p.ndim >= 2 and name not in turned], "weight_decay": optim.weight_decay},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    kind = Muon if muon else torch.optim.AdamW
    return kind([g for g in groups if g["params"]], lr=optim.lr, betas=optim.betas, fused=True)


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
