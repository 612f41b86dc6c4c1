"""A model cut up over the processes of a run: each keeps one part of parameters, gradients and the optimiser's state,
and has a layer whole only while it computes with it (torch's fully_shard, FSDP2). What is learnt stays the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from loupe.errors import ConfigError
from loupe.training.recipe import Stage


def check(stages: Sequence[Stage], processes: int) -> None:
    """ConfigError where a run cannot be cut up."""
    if processes < 2:
        raise ConfigError("a run of one process has nobody to share with", got="--shard", do="launch several: "
                          "torchrun --nproc-per-node 8 -m loupe train ..., or leave --shard out")
    for stage in stages:
        if stage.optim.method == "muon":  # it turns whole matrices
            raise ConfigError("Muon needs whole matrices", got="--shard", where=f"stages.{stage.name}.optim.method",
                              do="set it to adamw, or leave --shard out")


class Sharded(nn.Module):
    """An objective, cut up: each of `layers` for itself, all else together. Called as the objective is."""

    def __init__(self, objective: nn.Module, layers: Sequence[nn.Module], device: str):
        super().__init__()
        self.objective = objective
        mesh = init_device_mesh(device, (dist.get_world_size(),))
        inside = {id(p) for layer in layers for p in layer.parameters()}
        self.rest = [(module, name) for module in objective.modules() for name, p in
                     module.named_parameters(recurse=False) if p.requires_grad and id(p) not in inside]
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(self, mesh=mesh)

    def forward(self, batch) -> tuple[Tensor, Tensor]:
        loss, terms = self.objective(batch)
        # gradients are summed parameter by parameter in step: a process whose pictures need not all has zeros to give
        return loss + sum(getattr(module, name).flatten()[0] for module, name in self.rest) * 0.0, terms


def shard(objective: nn.Module, language: nn.Module, device: str) -> Sharded:
    """`language`: whose layers are cut up one by one where the objective holds them."""
    lists = [m for m in language.modules() if isinstance(m, nn.ModuleList)]
    layers = max(lists, key=len, default=nn.ModuleList())
    mine = set(objective.modules())
    return Sharded(objective, [layer for layer in layers if layer in mine], device)


def whole(t: Tensor) -> Tensor:
    """A parameter or state in one piece; of what is cut up all processes must ask."""
    return t.full_tensor() if isinstance(t, DTensor) else t


def cut_like(t: Tensor, parameter: Tensor) -> Tensor:
    """This process' part of a state that is whole, if the parameter is cut up and the state has its shape."""
    if not isinstance(parameter, DTensor) or t.shape != parameter.shape:
        return t
    return distribute_tensor(t.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None)


def states_of(optimiser: torch.optim.Optimizer, keep: bool = True) -> dict:
    """`optimiser.state_dict()` in whole tensors, on the processor; of what is cut up all processes must ask, and only
    those that `keep` get it."""
    states = optimiser.state_dict()
    out: dict = {}
    for number, known in states["state"].items():
        pieces = {name: whole(v) if isinstance(v, Tensor) else v for name, v in known.items()}
        if keep:
            out[number] = {name: v.cpu() if isinstance(v, Tensor) else v for name, v in pieces.items()}
    return {**states, "state": out}


def load_states(optimiser: torch.optim.Optimizer, states: dict) -> None:
    """The reverse of `states_of`."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    cut = {number: {name: cut_like(v, parameters[number]) if isinstance(v, Tensor) else v for name, v in known.items()}
           for number, known in states["state"].items()}
    optimiser.load_state_dict({**states, "state": cut})
