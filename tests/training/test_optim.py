"""The learning rate by hand, and decay on matrices only."""

import pytest
import torch

from loupe.errors import ConfigError
from loupe.training.optim import optimiser, rate, warmup_steps
from loupe.training.recipe import Optim


def test_rate_by_hand():
    """Warm-up of 4 in 12 steps: rises by quarters, then half a cosine wave over the other 8."""
    optim = Optim(lr=1.0, warmup=4)
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.961940, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.038060]
    assert [rate(optim, k, 12) for k in range(12)] == pytest.approx(expected, abs=1e-6)
    assert rate(Optim(lr=1.0, schedule="linear"), 3, 4) == 0.25
    assert rate(Optim(lr=3.0, schedule="constant"), 3, 4) == 3.0


def test_warmup_is_steps_or_a_share():
    assert warmup_steps(Optim(1.0, warmup=200), 4648) == 200
    assert warmup_steps(Optim(1.0, warmup=0.03), 4648) == 139
    with pytest.raises(ConfigError, match="warm-up"):
        Optim(1.0, warmup=-1)


def test_decay_falls_on_matrices():
    layer = torch.nn.Linear(2, 2)
    adam = optimiser(dict(layer.named_parameters()), Optim(1.0, weight_decay=0.5))
    decays = {p.ndim: group["weight_decay"] for group in adam.param_groups for p in group["params"]}
    assert decays == {2: 0.5, 1: 0.0}
