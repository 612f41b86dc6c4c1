"""A refiner's run: recipe.json, manifest.json with its scores, metrics.jsonl, checkpoints/, and refiner/ at the end.

The same command again goes on from the last checkpoint, or returns at once when refiner/ is there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from torch import nn
from tqdm import tqdm

from loupe import config
from loupe.data.draw import open_sources
from loupe.data.mixture import Mixture
from loupe.errors import ImageError
from loupe.evals.metrics.detection import Seen, average_precision, pairs, rates
from loupe.models.checkpoint import write_folder
from loupe.models.refined import Refined, refine
from loupe.models.refiner import Refiner, RefinerConfig, load_refiner, save_refiner
from loupe.origin import origin
from loupe.plain import Roots
from loupe.record import Object, Record
from loupe.regions import Mask, iou
from loupe.training import machine, state
from loupe.training.folder import RunFolder, claim, given_back, held, read, same_data, write
from loupe.training.journal import Journal
from loupe.training.loop import Job, fit, precision
from loupe.training.materials import SCANNED, Records, there
from loupe.training.optim import optimiser
from loupe.training.pretraining import Words
from loupe.training.refiner_recipe import RefinerRecipe
from loupe.training.refining import RefinerWork, Refining
from loupe.training.run import Habits
from loupe.training.state import Progress
from loupe.world.layout import worlds

PART = "refiner"
TRIED = 256  # training pictures that choose the threshold
LEAST = 0.05  # threshold


class RefinerRun(RunFolder):
    @property
    def model(self) -> Path:
        """The trained refiner, for `load_refiner`."""
        return self.folder / PART

    @property
    def recipe(self) -> RefinerRecipe:
        return config.from_json(RefinerRecipe, read(self.folder / "recipe.json"))


def pretrain_refiner(recipe: RefinerRecipe, out: str | Path, roots: Roots = None, **habits) -> RefinerRun:
    """Train a refiner into a run folder, or go on with it; returns at once if it is finished.

    roots: the folder that holds the sources' folders, or {source folder: path}. habits: see training.run.Habits.
    """
    folder, how = Path(out), Habits(**habits)
    accelerator = machine.accelerator(how.device)
    with accelerator.main_process_first():
        new = claim(folder, recipe)
    if not (folder / PART).is_dir():
        with held(folder, accelerator.is_main_process), given_back(folder, new):
            there(recipe.stage.mixture, roots, "stage.mixture")
            there(Mixture((recipe.judged,)), roots, "judged")
            _run(recipe, folder, roots, accelerator, how)
    return RefinerRun(folder)


def _run(recipe: RefinerRecipe, folder: Path, roots: Roots, accelerator: Accelerator, how: Habits) -> None:
    stage = recipe.stage
    groups = stage.steps * stage.images if stage.steps is not None else None
    records = Records(stage.mixture, roots, recipe.seed, groups, stage.epochs)
    judged = open_sources(Mixture((recipe.judged,)), roots, recipe.seed)[0]
    words = Words.of(records.first(SCANNED), recipe.classes, recipe.attributes)
    torch.manual_seed(recipe.seed)
    model = Refiner(RefinerConfig(classes=list(words.classes), attributes=list(words.attributes), **recipe.model))
    model.to(accelerator.device, memory_format=torch.channels_last)
    objective = Refining(model, recipe.losses)
    adam = optimiser(dict(objective.named_parameters()), stage.optim)
    done = state.checkpoints(folder)
    progress, at = done[-1] if done else (Progress(stage=stage.name), None)
    if at is not None:
        same_data(progress.data, records.hashes, folder)
        state.restore(at, nn.Module(), objective, goes_on=True)
        state.restore_optimiser(at, adam)
    progress.data = records.hashes
    facts = {"recipe": recipe.name, **origin(), "device": str(accelerator.device),
             "processes": accelerator.num_processes, "data": records.hashes, "worlds": worlds(roots)}
    main = accelerator.is_main_process
    if main:
        write(folder / "manifest.json", facts)
    if not progress.finished:
        _fit(recipe, folder, records, objective, adam, progress, accelerator, how)
    facts |= {"drops": progress.drops, "images": progress.images, "seconds": round(progress.seconds, 1)}
    if main:
        model.eval()
        model.config.threshold = threshold(model, list(records.first(TRIED)))
        fresh = folder / f".{PART}"
        shutil.rmtree(fresh, ignore_errors=True)  # of a kill between here and the end
        write_folder(fresh, lambda inside: save_refiner(model, inside), SafetensorError)
        kept = load_refiner(fresh).to(accelerator.device)  # judged as it is shipped: float16 weights
        facts["scores"] = judge(kept, [judged.records[int(k)] for k in judged.usable[:recipe.pictures]])
        facts["parameters"] = sum(p.numel() for p in model.parameters())
        write(folder / "manifest.json", facts)
        fresh.rename(folder / PART)
    accelerator.wait_for_everyone()


def _fit(recipe: RefinerRecipe, folder: Path, records: Records, objective: Refining, adam, progress: Progress,
         accelerator: Accelerator, how: Habits) -> None:
    stage, saved = recipe.stage, [time.monotonic()]
    workers = how.workers if how.workers is not None else int(accelerator.device.type != "cpu")
    steps = stage.steps if stage.steps is not None else max(1, len(records) // stage.images)
    job = Job(stage, recipe.seed, steps, records, RefinerWork(objective.model.config), objective, adam, accelerator,
              precision(stage.precision, accelerator.device), workers, how.log_every)

    def save(due: bool) -> None:
        due |= how.save_steps is not None and progress.step % how.save_steps == 0
        due |= time.monotonic() - saved[0] > 60 * how.save_minutes
        if due and accelerator.is_main_process:
            state.save(folder, progress, nn.Module(), objective, adam)
            state.prune(folder, how.keep)
            saved[0] = time.monotonic()

    fit(job, progress, Journal(folder / "metrics.jsonl", progress.updates) if accelerator.is_main_process else None,
        save)
    accelerator.wait_for_everyone()


def threshold(model: Refiner, records: Sequence[Record]) -> float:
    """The least score of a said thing that gives the best F1 on these pictures; the config's where nothing is found."""
    before, model.config.threshold = model.config.threshold, LEAST
    rows, real = [], 0  # (score, was it right?) of everything found
    for record, found in _looked(model, records, "choosing a threshold"):
        said, true = _said(found), _true(record)
        right = {k for k, _ in pairs(said, true)}
        rows += [(each.score, k in right) for k, each in enumerate(said)]
        real += len(true)
    model.config.threshold = before
    rows.sort(key=lambda row: -row[0])
    hits = np.cumsum([hit for _, hit in rows])
    if not len(hits) or not hits[-1]:
        return before
    return round(rows[int(np.argmax(2 * hits / (np.arange(1, len(rows) + 1) + real)))][0] - 5e-4, 3)


def judge(model: Refiner, records: Sequence[Record]) -> dict:
    """Scores of what `model` finds in the pictures of `records`, as shares of 1, and how many pictures were read.

    A thing is found if its class is right and its box has an IoU of 0.5 or more; masks and attributes are judged on
    those that were found. Parts and crowds are not asked for.
    """
    seen = list(_looked(model, records, "judging"))
    return {"pictures": len(seen), **_scores(seen, model.config)}


def _looked(model: Refiner, records: Sequence[Record], title: str, batch: int = 32) -> Iterator[tuple[Record, Refined]]:
    """Every record whose picture decodes, and what is found in it."""
    for first in tqdm(range(0, len(records), batch), desc=title, unit="batch", delay=2, disable=None):
        some = records[first:first + batch]
        try:
            yield from zip(some, refine(model, [record.image for record in some], batch))
        except ImageError:
            for record in some:
                try:
                    yield record, refine(model, [record.image])[0]
                except ImageError:
                    continue


def _true(record: Record) -> list[Seen]:
    return [Seen(o.box, o.name) for o in asked_for(record)]


def asked_for(record: Record) -> list[Object]:
    return [o for o in record.objects if o.part_of is None and not o.crowd]


def _said(found: Refined) -> list[Seen]:
    return [Seen(thing.box, thing.name, thing.score) for thing in found.things]


def _scores(seen: Sequence[tuple[Record, Refined]], config: RefinerConfig) -> dict:
    boxes, masks, exact, right, asked, tags = [], [], 0, 0, 0, np.zeros(3)
    for record, found in seen:
        true, said, real = asked_for(record), _said(found), _true(record)
        boxes.append((said, real))
        for k, j in pairs(said, real):
            thing, truth = found.things[k], true[j]
            if truth.shape is not None:
                masks.append(iou(thing.mask, _outline(truth, record)))
            if truth.attributes:
                wrong = set(thing.attributes) ^ (set(truth.attributes) & set(config.attributes))
                asked, exact, right = asked + 1, exact + (not wrong), right + len(config.attributes) - len(wrong)
        words = {tag.word for tag in found.tags}
        truth = {w for o in true for w in (o.name, *o.attributes)} & {*config.classes, *config.attributes}
        tags += len(words & truth), len(words), len(truth)
    precision_, recall, f1 = rates(boxes)
    figures = {"box precision": precision_, "box recall": recall, "box F1": f1, "box AP50": average_precision(boxes),
               "tag F1": 2 * tags[0] / max(1, tags[1] + tags[2])}
    if masks:
        figures["mask IoU of found"] = float(np.mean(masks))
    if asked:
        figures |= {"all attributes right of found": exact / asked,
                    "each attribute right of found": right / asked / max(1, len(config.attributes))}
    return {name: round(float(value), 4) for name, value in figures.items()}


def _outline(thing: Object, record: Record):
    return Mask.from_polygons(thing.shape, record.width, record.height) if isinstance(thing.shape, tuple) \
        else thing.shape
