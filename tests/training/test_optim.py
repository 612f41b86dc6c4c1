"""The learning rate by hand, and decay on matrices only."""

from copy import deepcopy

import pytest
import torch

from loupe.errors import ConfigError
from loupe.training.optim import optimiser, orthogonal, rate, tables, warmup_steps
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
    assert warmup_steps(Optim(1.0, warmup=0.03), 4648) == 139 and warmup_steps(Optim(1.0, warmup=0.03), 4660) == 140
    with pytest.raises(ConfigError, match="warm-up"):
        Optim(1.0, warmup=-1)


def test_decay_falls_on_matrices():
    layer = torch.nn.Linear(2, 2)
    adam = optimiser(dict(layer.named_parameters()), Optim(1.0, weight_decay=0.5))
    decays = {p.ndim: group["weight_decay"] for group in adam.param_groups for p in group["params"]}
    assert decays == {2: 0.5, 1: 0.0}


def test_muon_against_torch():
    """Three steps of torch's Muon (in bf16) and of ours on a tall and a wide matrix; the bias goes by AdamW."""
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Sequential(torch.nn.Linear(24, 48), torch.nn.Linear(48, 24)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    start = {n: p.detach().clone() for n, p in ours.named_parameters()}
    mine = optimiser(dict(ours.named_parameters()), Optim(0.01, 0.1, betas=(0.9, 0.99), method="muon"))
    matrices, biases = ([p for p in theirs.parameters() if p.ndim == n] for n in (2, 1))
    others = (torch.optim.Muon(matrices, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
              torch.optim.AdamW(biases, lr=0.01, weight_decay=0, betas=(0.9, 0.99)))
    for step in range(3):
        for p, q in zip(ours.parameters(), theirs.parameters()):
            p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(step))
            q.grad = p.grad.clone()
        for each in (mine, *others):
            each.step()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        moved = (q - start[name]).norm()
        assert (p - q).norm() < (0.05 if p.ndim == 2 else 1e-5) * moved, name


def test_orthogonal_leaves_no_small_direction():
    values = torch.linalg.svdvals(orthogonal(torch.diag(torch.tensor([5.0, 1.0, 0.3]))[None]))
    assert values.min() > 0.6 and values.max() < 1.3


def test_muon_leaves_embeddings_and_heads_to_adamw():
    model = torch.nn.ModuleDict({"words": torch.nn.Embedding(9, 4), "map": torch.nn.Linear(4, 4),
                                 "head": torch.nn.Linear(4, 9, bias=False)})
    assert tables(model) == {"words.weight", "head.weight"}
    muon = optimiser(dict(model.named_parameters()), Optim(0.1, method="muon"), tables(model))
    turned = [p for group in muon.param_groups if group.get("matrices") for p in group["params"]]
    assert [id(p) for p in turned] == [id(model["map"].weight)]


def test_muon_goes_on_where_it_stopped():
    """State saved and loaded gives the same next step."""
    layers = [torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)]
    layers[1].load_state_dict(layers[0].state_dict())
    muons = [optimiser(dict(layer.named_parameters()), Optim(0.1, method="muon")) for layer in layers]
    for layer in layers[:1]:
        layer.weight.grad, layer.bias.grad = torch.ones(4, 4).tril(), torch.ones(4)
        muons[0].step()
    layers[1].load_state_dict(layers[0].state_dict())
    muons[1].load_state_dict(deepcopy(muons[0].state_dict()))
    for layer, muon in zip(layers, muons):
        layer.weight.grad, layer.bias.grad = torch.ones(4, 4).triu(), torch.ones(4)
        muon.step()
    assert torch.equal(layers[0].weight, layers[1].weight)


def test_unknown_method():
    with pytest.raises(ConfigError, match="adamw"):
        Optim(1.0, method="adam")
