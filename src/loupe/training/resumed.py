"""The model of a run in progress, as one of its checkpoints holds it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from loupe.errors import CheckpointError
from loupe.models.look import Limits
from loupe.models.tuner import apply
from loupe.models.vlm import VLM
from loupe.predictors.checkpoint import Model
from loupe.training import state
from loupe.training.materials import Materials
from loupe.training.run import Run
from loupe.training.start import first
from loupe.training.state import Progress


def answering(run: Run) -> list[tuple[Progress, Path]]:
    """Checkpoints whose stage trains a model that answers, oldest first."""
    kinds = {stage.name: stage.objective for stage in run.recipe.stages}
    return [(progress, path) for progress, path in state.checkpoints(run.folder)
            if kinds.get(progress.stage) == "language"]


def model_at(checkpoint: str | Path, device: str = "cpu") -> VLM:
    """RUN/checkpoints/<stage>-<step> as a model: built as the run builds it, with the weights trained so far."""
    checkpoint = Path(checkpoint)
    run = Run(checkpoint.parent.parent)
    found = next((p for p, path in state.checkpoints(run.folder) if path.name == checkpoint.name), None)
    if found is None:
        raise CheckpointError("this is no checkpoint of a run", got=checkpoint.name, where=checkpoint.parent,
                              expected="RUN/checkpoints/<stage>-<step>")
    recipe = run.recipe
    if not (recipe.weights or recipe.model.language.checkpoint) and not (run.folder / "tokenizer").is_dir():
        raise CheckpointError("the run has no tokenizer yet", where=run.folder, expected="the folder tokenizer/")
    model = first(recipe, Materials(None, None, recipe.seed), run.folder, torch.device(device))
    for stage in recipe.stages[:found.index + 1]:
        apply(model, stage.tune)
    state.restore(checkpoint, model, nn.Module())
    return model


def load(checkpoint: str | Path, device: str = "cpu", **limits) -> Model:
    """`model_at` as a predictor; its name and identity are the checkpoint's."""
    name = Path(checkpoint).name
    given = {key: value for key, value in limits.items() if value is not None}
    return Model(model_at(checkpoint, device), name, Limits(**given), name)
