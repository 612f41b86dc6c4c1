"""A run folder from start to end: recipe.json, manifest.json, metrics.jsonl, checkpoints/, tokenizer/, model/.

Starting the same command again goes on from the last checkpoint; a folder of another recipe is refused.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from loupe import config
from loupe.errors import ConfigError
from loupe.models import checkpoint
from loupe.models.assembly import quiet
from loupe.models.export import save_part
from loupe.models.tuner import apply
from loupe.models.vlm import VLM
from loupe.origin import origin
from loupe.training import machine, sharding, state
from loupe.training.exam import sit
from loupe.training.folder import RunFolder, claim, given_back, held, read, same_data, write
from loupe.training.journal import Journal
from loupe.training.loop import Job, fit, precision, seeded
from loupe.training.materials import Materials
from loupe.training.optim import optimiser, tables
from loupe.training.recipe import Recipe
from loupe.training.start import first, played
from loupe.training.state import Progress
from loupe.world.layout import worlds


class Run(RunFolder):
    @property
    def model(self) -> Path:
        """The trained model, in loupe's layout; of a run that trains a part alone, the part."""
        return self.folder / outputs(self.recipe)[-1]

    @property
    def recipe(self) -> Recipe:
        return config.from_json(Recipe, read(self.folder / "recipe.json"))


@dataclass(frozen=True)
class Habits:
    """Where and how a run works; nothing here changes what it learns."""

    device: str | None = None  # "cpu", "cuda", "cuda:1" in a single process; None: what accelerate finds
    workers: int | None = None  # processes that prepare data; None: one, or none where the processor itself trains
    save_minutes: float = 5.0
    save_steps: int | None = None
    keep: int = 2  # checkpoints beside the ends of stages
    log_every: int = 10
    shard: bool = False  # cut the model up over the processes, for one that does not fit into each
    recompute: bool = False  # what the language model's layers compute is not kept for the backward pass
    refined: str | Path | None = None  # what a refiner found: of `loupe refine`, or shared by runs; None: in the run


def train(recipe: Recipe, out: str | Path, roots: str | Path | Mapping[str, str | Path] | None = None,
          data: str | Path | None = None, **habits) -> Run:
    """Train a recipe into a run folder, or go on with it; returns at once if it is finished.

    roots: the folder that holds the sources' folders, or {source folder: path}, "" standing for the parent of the rest.
    data: a corpus written by `loupe build`, used in place of the mixtures of language stages. habits: see Habits.
    """
    folder, how = Path(out), Habits(**habits)
    accelerator = machine.accelerator(how.device, unused=True)  # one that is not there is said before all else
    with accelerator.main_process_first():
        new = claim(folder, recipe)
    if all((folder / name).is_dir() for name in outputs(recipe)):
        return Run(folder)
    materials = Materials(roots, data, recipe.seed, folder, how.refined and Path(how.refined))
    with held(folder, accelerator.is_main_process), given_back(folder, new):
        Trainer(recipe, folder, materials, accelerator, how).run()
    accelerator.end_training()
    return Run(folder)


def outputs(recipe: Recipe) -> list[str]:
    """Folders a finished run holds: its part, and a whole model unless all it trained is a part of one."""
    whole = not recipe.part or any(stage.objective == "language" for stage in recipe.stages)
    return [recipe.part] * bool(recipe.part) + ["model"] * whole


class Trainer:
    def __init__(self, recipe: Recipe, folder: Path, materials: Materials, accelerator: Accelerator, how: Habits):
        self.recipe, self.folder, self.materials, self.accelerator, self.how = (
            recipe, folder, materials, accelerator, how)
        self.saved_at = time.monotonic()

    def run(self) -> None:
        done = state.checkpoints(self.folder)
        progress, at = done[-1] if done else (Progress(), None)
        self.materials.check(self.recipe, progress.index)
        if self.how.shard:
            sharding.check(self.recipe.stages, self.accelerator.num_processes)
        self.model = self._built(0)
        self.games = self._games()
        self._manifest()
        main = self.accelerator.is_main_process
        self.journal = Journal(self.folder / "metrics.jsonl", progress.updates) if main else None
        objective = None
        for k, stage in enumerate(self.recipe.stages):
            with seeded(self.recipe.seed, stage.name):  # adapters and LoRA matrices begin with random numbers
                trainable = apply(self.model, stage.tune)
            if at is not None and (k < progress.index or (k == progress.index and progress.finished)):
                continue
            if at is None or k > progress.index:
                if at is not None:
                    state.restore(at, self.model, torch.nn.Module())
                touched = sorted({*progress.touched, *trainable})
                progress = replace(progress, stage=stage.name, index=k, step=0, finished=False, window={},
                                   touched=touched)
                objective = self._stage(stage, progress, None)
            else:
                objective = self._stage(stage, progress, at)
            at = None
            if self.how.shard:  # the next stage cuts it up anew: it trains other parts
                at = state.checkpoints(self.folder)[-1][1]
                self.model = self._built(k + 1)
        if at is not None:  # killed between the last update and the model's writing
            objective = self._open(self.recipe.stages[-1])[0] if self.recipe.part else torch.nn.Module()
            state.restore(at, self.model, objective)
        self._finish(progress, objective)

    def _built(self, stages: int) -> VLM:
        """The model as so many stages tune it, without what they have learnt."""
        with self.accelerator.main_process_first():
            model = first(self.recipe, self.materials, self.folder, self.accelerator.device)
        for stage in self.recipe.stages[:stages]:
            with seeded(self.recipe.seed, stage.name):
                apply(model, stage.tune)
        if self.how.recompute:  # transformers calls it otherwise from 5.23 on
            language = model.language
            enable = getattr(language, "activation_checkpointing_enable", language.gradient_checkpointing_enable)
            enable({"use_reentrant": False})
        return model

    def _open(self, stage):
        """(objective, work, groups)"""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)  # for what the objective adds, as the head of dense supervision
            objective, work, groups = self.materials.open(stage, self.model)
        return objective.to(self.accelerator.device), work, groups

    def _stage(self, stage, progress: Progress, at: Path | None) -> torch.nn.Module:
        objective, work, groups = self._open(stage)
        hashes = dict(getattr(groups, "hashes", {}))
        if at is not None:
            same_data(progress.data, hashes, f"stage {stage.name} of {self.folder}")
        progress.data = hashes
        images = stage.images
        steps = stage.steps if stage.steps is not None else max(1, len(groups) // images)
        named = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        if not named:
            raise ConfigError("nothing trains", where=f"stages.{stage.name}.tune", do="set a part to Full or Adapter")
        if at is not None:
            state.restore(at, self.model, objective, goes_on=True)
        sharded = None
        if self.how.shard:
            sharded = sharding.shard(objective, self.model.language, self.accelerator.device.type)
            named = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        adam = optimiser(named, stage.optim, tables(objective))
        if at is not None:
            state.restore_optimiser(at, adam)
        workers = self.how.workers  # beside torch's threads on all cores a worker halves the speed of both
        if workers is None:
            workers = int(self.accelerator.device.type != "cpu")
        job = Job(stage, self.recipe.seed, steps, groups, work, objective, adam, self.accelerator,
                  self._precision(stage), workers, self.how.log_every, sharded)

        def save(due: bool) -> None:
            due |= self.how.save_steps is not None and progress.step % self.how.save_steps == 0
            due |= time.monotonic() - self.saved_at > 60 * self.how.save_minutes
            main = self.accelerator.is_main_process
            if self.how.shard:  # all give their parts: the clock of one decides
                due = broadcast_object_list([due])[0]
            if due and (main or self.how.shard):
                state.save(self.folder, progress, self.model, objective, adam, main)
                self.saved_at = time.monotonic()
            if due and main:
                state.prune(self.folder, self.how.keep)

        fit(job, progress, self.journal, save)
        self.accelerator.wait_for_everyone()
        return objective

    def _precision(self, stage) -> str:
        """Decided once per run, so that a resumed run computes as it began."""
        path = self.folder / "precision.json"
        known = read(path) if path.exists() else {}
        if stage.name not in known:
            known[stage.name] = precision(stage.precision, self.accelerator.device)
            if self.accelerator.is_main_process:
                write(path, known)
        return known[stage.name]

    def _manifest(self, **more) -> None:
        if self.accelerator.is_main_process:
            encoder = self.model.encoder
            write(self.folder / "manifest.json", {
                "recipe": self.recipe.name, "codec": encoder.codec.name, "dialogue": encoder.dialogue.name,
                **origin(), "device": str(self.accelerator.device),
                "processes": self.accelerator.num_processes, "data": self.materials.hashes,
                "worlds": worlds(self.materials.roots), **self.games, **more})

    def _games(self) -> dict:
        """{"games": seeds of recorded games by game} where the model learns from such; decided when the run begins."""
        path = self.folder / "manifest.json"
        known = read(path).get("games", {}) if path.exists() else played(self.recipe, self.materials)
        return {"games": known} if known else {}

    def _finish(self, progress: Progress, objective: torch.nn.Module) -> None:
        drops = {**self.materials.drops, **progress.drops}
        facts = {"drops": drops, "images": progress.images, "pairs": progress.pairs, "tokens": progress.tokens,
                 "seconds": round(progress.seconds, 1)}
        if self.accelerator.is_main_process and self.recipe.exam is not None:
            facts["scores"] = sit(self.model, *self.materials.exam(self.recipe))
        if self.accelerator.is_main_process and hasattr(objective, "score"):
            facts["scores"] = objective.score(self.materials.held_out(self.recipe.stages[-1]))
        self._manifest(**facts)
        if self.accelerator.is_main_process:
            for name in outputs(self.recipe):
                if name == "model":
                    checkpoint.save(self.model, self.folder / name, {"recipe": self.recipe.name, **self.games})
                elif not (self.folder / name).is_dir():
                    checkpoint.write_folder(self.folder / name, partial(self._write_part, objective))
        self.accelerator.wait_for_everyone()

    def _write_part(self, objective: torch.nn.Module, folder: Path) -> None:
        """In transformers' layout: by the objective where it knows more than the model, as the text side of a CLIP."""
        with quiet():
            if hasattr(objective, "write"):
                objective.write(folder)
            else:
                save_part(self.model, self.recipe.part, folder)
