"""A run folder from start to end: recipe.json, manifest.json, metrics.jsonl, checkpoints/, tokenizer/, model/.

Starting the same command again goes on from the last checkpoint; a folder of another recipe is refused.
"""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from loupe import config
from loupe.errors import ConfigError, FileError
from loupe.models import checkpoint
from loupe.models.assembly import build
from loupe.models.export import save_part
from loupe.models.tuner import apply
from loupe.training import journal, state
from loupe.training.exam import sit
from loupe.training.journal import Journal
from loupe.training.loop import Job, fit, precision
from loupe.training.materials import Materials, tokenizer_for
from loupe.training.optim import optimiser
from loupe.training.recipe import Recipe
from loupe.training.start import begin
from loupe.training.state import Progress

PACKAGES = ("loupe", "torch", "transformers", "tokenizers", "accelerate", "peft", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    folder: Path

    @property
    def model(self) -> Path:
        """The trained model, in loupe's layout."""
        return self.folder / "model"

    @property
    def recipe(self) -> Recipe:
        return config.from_json(Recipe, _read(self.folder / "recipe.json"))

    @property
    def manifest(self) -> dict:
        return _read(self.folder / "manifest.json")

    @property
    def metrics(self) -> list[dict]:
        return journal.read(self.folder / "metrics.jsonl")

    def report(self) -> dict:
        """Per stage: updates, pictures, pairs, seconds, last loss (also per task), throughput; what was dropped; marks
        of the exam by task."""
        stages = {}
        for line in self.metrics:
            stages[line["stage"]] = line
        manifest = self.manifest
        return {"recipe": self.recipe.name, "stages": stages, "drops": manifest.get("drops", {}),
                "scores": manifest.get("scores", {})}


@dataclass(frozen=True)
class Habits:
    """Where and how a run works; nothing here changes what it learns."""

    device: str | None = None  # "cpu", "cuda"; None: what accelerate finds
    workers: int | None = None  # processes that prepare data; None: one, or none where the processor itself trains
    save_minutes: float = 5.0
    save_steps: int | None = None
    keep: int = 2  # checkpoints beside the ends of stages
    log_every: int = 10


def train(recipe: Recipe, out: str | Path, roots: str | Path | Mapping[str, str | Path] | None = None,
          data: str | Path | None = None, **habits) -> Run:
    """Train a recipe into a run folder, or go on with it; returns at once if it is finished.

    roots: the folder that holds the sources' folders, or {source folder: path}, "" standing for the parent of the rest.
    data: a corpus written by `loupe build`, used in place of the mixtures of language stages. habits: see Habits.
    """
    folder, how = Path(out), Habits(**habits)
    accelerator = Accelerator(cpu=how.device == "cpu", kwargs_handlers=[
        DistributedDataParallelKwargs(find_unused_parameters=True)])
    with accelerator.main_process_first():
        _claim(folder, recipe)
    if (folder / "model").is_dir():
        return Run(folder)
    trainer = Trainer(recipe, folder, Materials(roots, data, recipe.seed), accelerator, how)
    trainer.run()
    return Run(folder)


def _claim(folder: Path, recipe: Recipe) -> None:
    """Make the folder this recipe's, or refuse."""
    path = folder / "recipe.json"
    if path.exists():
        old = config.from_json(Recipe, _read(path))
        changed = config.differences(replace(old, notes=()), replace(recipe, notes=()))
        if changed:
            shown = "; ".join(changed[:6]) + (f"; and {len(changed) - 6} more" if len(changed) > 6 else "")
            raise ConfigError("this folder holds a run of another recipe", got=shown, where=path,
                              do="give another --out, or the old values to go on with it")
        return
    if folder.is_dir() and any(p.name != "metrics.jsonl" for p in folder.iterdir()):
        raise FileError("the run's folder holds other files", got=sorted(p.name for p in folder.iterdir())[:4],
                        expected="an empty or new folder, or a run", where=folder, do="give another --out")
    _write(path, config.to_json(recipe))


class Trainer:
    def __init__(self, recipe: Recipe, folder: Path, materials: Materials, accelerator: Accelerator, how: Habits):
        self.recipe, self.folder, self.materials, self.accelerator, self.how = (
            recipe, folder, materials, accelerator, how)
        self.saved_at = time.monotonic()

    def run(self) -> None:
        done = state.checkpoints(self.folder)
        progress, at = done[-1] if done else (Progress(), None)
        for stage in self.recipe.stages:
            self.materials.check(stage)
        with self.accelerator.main_process_first():
            tokenizer = tokenizer_for(self.recipe, self.materials, self.folder)
        self.model = build(self.recipe.model, self.accelerator.device, self.recipe.seed, tokenizer)
        begin(self.model, self.recipe)
        self._manifest()
        main = self.accelerator.is_main_process
        self.journal = Journal(self.folder / "metrics.jsonl", progress.updates) if main else None
        for k, stage in enumerate(self.recipe.stages):
            trainable = apply(self.model, stage.tune)
            if at is not None and (k < progress.index or (k == progress.index and progress.finished)):
                continue
            if at is None or k > progress.index:
                if at is not None:
                    state.restore(at, self.model, torch.nn.Module())
                touched = sorted({*progress.touched, *trainable})
                progress = replace(progress, stage=stage.name, index=k, step=0, finished=False, window={},
                                   touched=touched)
                self._stage(stage, progress, None)
            else:
                self._stage(stage, progress, at)
            at = None
        if at is not None:  # killed between the last update and the model's writing
            state.restore(at, self.model, torch.nn.Module())
        self._finish(progress)

    def _stage(self, stage, progress: Progress, at: Path | None) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)  # for the head of dense supervision
            objective, work, groups = self.materials.open(stage, self.model)
        objective.to(self.accelerator.device)
        images = stage.images
        steps = stage.steps if stage.steps is not None else max(1, len(groups) // images)
        named = {n: p for n, p in objective.named_parameters() if p.requires_grad}
        if not named:
            raise ConfigError("nothing trains", where=f"stages.{stage.name}.tune", do="set a part to Full or Adapter")
        adam = optimiser(named, stage.optim)
        if at is not None:
            state.restore(at, self.model, objective, adam)
        workers = self.how.workers  # beside torch's threads on all cores a worker halves the speed of both
        if workers is None:
            workers = int(self.accelerator.device.type != "cpu")
        job = Job(stage, self.recipe.seed, steps, groups, work, objective, adam, self.accelerator,
                  self._precision(stage), workers, self.how.log_every)

        def save(due: bool) -> None:
            due |= self.how.save_steps is not None and progress.step % self.how.save_steps == 0
            due |= time.monotonic() - self.saved_at > 60 * self.how.save_minutes
            if due and self.accelerator.is_main_process:
                state.save(self.folder, progress, self.model, objective, adam)
                state.prune(self.folder, self.how.keep)
                self.saved_at = time.monotonic()

        fit(job, progress, self.journal, save)
        self.accelerator.wait_for_everyone()

    def _precision(self, stage) -> str:
        """Decided once per run, so that a resumed run computes as it began."""
        path = self.folder / "precision.json"
        known = _read(path) if path.exists() else {}
        if stage.name not in known:
            known[stage.name] = precision(stage.precision, self.accelerator.device)
            if self.accelerator.is_main_process:
                _write(path, known)
        return known[stage.name]

    def _manifest(self, **more) -> None:
        if self.accelerator.is_main_process:
            encoder = self.model.encoder
            _write(self.folder / "manifest.json", {
                "recipe": self.recipe.name, "codec": encoder.codec.name, "dialogue": encoder.dialogue.name,
                "versions": {name: _version(name) for name in PACKAGES}, "python": platform.python_version(),
                "commit": _commit(), "device": str(self.accelerator.device),
                "processes": self.accelerator.num_processes, "data": self.materials.hashes, **more})

    def _finish(self, progress: Progress) -> None:
        drops = {**self.materials.drops, **progress.drops}
        facts = {"drops": drops, "images": progress.images, "pairs": progress.pairs, "tokens": progress.tokens,
                 "seconds": round(progress.seconds, 1)}
        if self.accelerator.is_main_process and self.recipe.exam is not None:
            facts["scores"] = sit(self.model, *self.materials.exam(self.recipe))
        self._manifest(**facts)
        if self.accelerator.is_main_process:
            if self.recipe.part:
                save_part(self.model, self.recipe.part, self.folder / self.recipe.part)
            checkpoint.save(self.model, self.folder / "model", {"recipe": self.recipe.name})
        self.accelerator.wait_for_everyone()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    """The commit of the checkout loupe runs from, if it runs from one."""
    here = Path(__file__).resolve().parents[3]
    if not (here / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _read(path: Path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise FileError("no run in this folder", expected=path.name, where=path.parent) from None
    except ValueError as error:
        raise FileError("file is no valid JSON", got=str(error), where=path) from error


def _write(path: Path, data) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(json.dumps(data, indent=1))
        temporary.replace(path)
    except OSError as error:
        raise state.cannot_write(error, path) from error
