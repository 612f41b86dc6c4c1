"""A run in progress on disk: what a killed run needs to go on to the same losses. Written whole or not at all."""

from __future__ import annotations

import errno
import json
import pickle
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from loupe.errors import CheckpointError, FileError
from loupe.models.checkpoint import write_folder
from loupe.training.sharding import load_states, states_of, whole

PROGRESS, WEIGHTS, OPTIMISER = "progress.json", "weights.safetensors", "optimiser.pt"


@dataclass
class Progress:
    """Where a run stands. Model randomness is seeded from (seed, stage, step, process), so the position says it all."""

    stage: str = ""
    index: int = 0  # of the stage
    step: int = 0  # updates done in the stage
    finished: bool = False  # the stage
    updates: int = 0  # in all stages
    images: int = 0
    pairs: int = 0
    tokens: int = 0  # supervised answer tokens
    seconds: float = 0.0  # spent in training steps
    drops: dict[str, int] = field(default_factory=dict)
    window: dict = field(default_factory=dict)  # sums since the last line of metrics
    touched: list[str] = field(default_factory=list)  # parameters trained so far
    data: dict[str, str] = field(default_factory=dict)  # hashes of the stage's annotations, by source


def save(folder: Path, progress: Progress, model: nn.Module, objective: nn.Module, optimiser,
         main: bool = True) -> Path:
    """checkpoints/<stage>-<step>: trained parameters, the objective's own, optimiser, position. Of a model that is cut
    up all processes call it; the `main` one writes."""
    out = folder / "checkpoints" / f"{progress.stage}-{progress.step}"
    weights, states = weights_of(model, objective, progress.touched, main), states_of(optimiser, main)
    if not main or out.exists():
        return out

    def write(place: Path) -> None:
        save_file(weights, place / WEIGHTS)
        torch.save(states, place / OPTIMISER)
        (place / PROGRESS).write_text(json.dumps(asdict(progress), indent=1))

    return write_folder(out, write, SafetensorError, RuntimeError)


def cannot_write(error: OSError, where: Path) -> FileError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return FileError("cannot write checkpoint", got="a full disk" if full else error.strerror or error, where=where,
                     do="free some space and run the same command again: it goes on from the last checkpoint")


def weights_of(model: nn.Module, objective: nn.Module, touched: list[str],
               keep: bool = True) -> dict[str, torch.Tensor]:
    named = dict(model.named_parameters())
    out = {f"model.{name}": named[name] for name in touched}
    out |= {f"objective.{name}": p for name, p in extras(model, objective).items()}
    full = ((name, whole(p.detach())) for name, p in out.items())
    return {name: p.cpu().contiguous().clone() for name, p in full if keep}


def extras(model: nn.Module, objective: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters of the objective that are not the model's (the head of dense supervision)."""
    own = {id(p) for p in model.parameters()}
    return {name: p for name, p in objective.named_parameters() if id(p) not in own}


def restore(folder: Path, model: nn.Module, objective: nn.Module, goes_on: bool = False) -> None:
    """Weights from a checkpoint into built parts; of the objective too, where its stage goes on."""
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise damaged(error, folder / WEIGHTS) from None
    targets = {f"model.{n}": p for n, p in model.named_parameters()}
    targets |= {f"objective.{n}": p for n, p in extras(model, objective).items()}
    if not goes_on:  # a finished stage: its objective may be gone
        weights = {n: w for n, w in weights.items() if n.startswith("model.") or n in targets}
    with torch.no_grad():
        for name, weight in weights.items():
            if name not in targets or targets[name].shape != weight.shape:
                got = tuple(targets[name].shape) if name in targets else "no such parameter"
                raise CheckpointError("checkpoint does not fit the model", got=f"{name}: {got}",
                                      expected=tuple(weight.shape), where=folder, do="start a new --out")
            targets[name].copy_(weight)


def restore_optimiser(folder: Path, optimiser: torch.optim.Optimizer) -> None:
    try:
        states = torch.load(folder / OPTIMISER, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise damaged(error, folder / OPTIMISER) from None
    load_states(optimiser, states)


def damaged(error: Exception, where: Path) -> CheckpointError:
    """They are written whole; a machine that lost its power or a copy may have cut one short all the same."""
    return CheckpointError("this checkpoint is damaged", got=(str(error) or type(error).__name__).splitlines()[0][:200],
                           where=where, do="delete its folder and run the same command again: it goes on from the "
                           "checkpoint before")


def checkpoints(folder: Path) -> list[tuple[Progress, Path]]:
    """Whole checkpoints of a run folder, oldest first."""
    found = []
    for path in (folder / "checkpoints").glob("*/" + PROGRESS):
        if not path.parent.name.startswith("."):
            try:
                found.append((Progress(**json.loads(path.read_text())), path.parent))
            except (ValueError, TypeError) as error:
                raise damaged(error, path) from None
    return sorted(found, key=lambda pair: (pair[0].index, pair[0].step))


def prune(folder: Path, keep: int) -> None:
    """Delete all but the last `keep` (the last one stays in any case) and the ends of stages."""
    for progress, path in checkpoints(folder)[:-max(1, keep)]:
        if not progress.finished:
            shutil.rmtree(path)
