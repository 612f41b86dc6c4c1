"""One cell: its model trained, or pairs written; asked every question; its log written. Goes on where it was stopped.

    WORK/<row>-<seed>-<identity>/run/         the run folder; checkpoints are dropped when its log is there
    WORK/<row>-<seed>-<identity>/answers/     predictions, question by question
    WORK/<row>-<seed>-<identity>/pairs/       what a bootstrapping row wrote
    WORK/<row>-<seed>-<identity>/spent.json   processor seconds
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loupe import bootstrapping, config
from loupe.errors import FileError
from loupe.readers import reader
from loupe.reproduce import data, log, photos
from loupe.reproduce.cell import Cell, asked, beside, made, needs
from loupe.reproduce.experiment import Experiment, Pairs
from loupe.reproduce.measuring import Asking, measure

try:
    import fcntl
except ImportError:  # Windows: two processes on one cell are not kept apart
    fcntl = None


@dataclass(frozen=True)
class Places:
    """out: logs and page; work: runs; data: worlds."""

    out: Path
    work: Path
    data: Path

    def of(self, experiment: Experiment, cell: Cell) -> Path:
        return self.work / f"{cell.name}-{made(experiment, cell)[:8]}"

    def model(self, experiment: Experiment, cell: Cell) -> Path:
        """The folder of the cell's trained model; a row that trains nothing has that of the row it begins as."""
        row = experiment.row(cell.row)
        if row.trains:
            return self.of(experiment, cell) / "run" / "model"
        return self.model(experiment, beside(experiment, row.begins, cell.seed))

    @property
    def refined(self) -> Path:
        """What a refiner found, shared by all cells."""
        return self.work / "refined"

    def product(self, experiment: Experiment, cell: Cell) -> Path:
        """What other cells take up."""
        return (self.of(experiment, cell) / "pairs" / "manifest.json" if experiment.row(cell.row).writes
                else self.model(experiment, cell))


def run(experiment: Experiment, cell: Cell, places: Places) -> log.Log:
    """Do what is left of a cell. A second process on the same one waits for the first, and finds its work done."""
    row, folder = experiment.row(cell.row), places.of(experiment, cell)
    for need in needs(experiment, cell):
        if not places.product(experiment, need).exists():
            raise FileError("a cell needs another that is not there", got=f"no {need.name}", where=places.work,
                            do=f"loupe reproduce does it first: --only {need.name}")
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        where = log.path(places.out, experiment, cell)
        before = log.read(where)
        new = log.Log(cell, made(experiment, cell))
        if before is not None and before.made == new.made:
            new.columns, new.facts = before.columns, before.facts
        if not new.facts or not places.product(experiment, cell).exists():
            with _spent(folder, "bootstrap" if row.writes else "train"):
                if row.writes:
                    new.facts = _write_pairs(experiment, cell, places)
                elif row.trains:
                    new.facts = _train(experiment, cell, places)
        with _spent(folder, "measure"):
            _measure(experiment, cell, places, new)
        new.minutes = {key: seconds / 60 for key, seconds in _seconds(folder).items()}
        log.write(where, new)
        shutil.rmtree(folder / "run" / "checkpoints", ignore_errors=True)
        return new


def _train(experiment: Experiment, cell: Cell, places: Places) -> dict:
    import torch

    from loupe.training.run import train

    torch.set_num_threads(1)
    row, where = experiment.row(cell.row), data.roots(experiment, places.data)
    recipe, facts = experiment.recipe_of(row, cell.seed), {}
    if row.begins:
        begun = beside(experiment, row.begins, cell.seed)
        recipe = recipe.change(f"weights={places.model(experiment, begun).resolve()}")
    recipe, seen = photos.drawn(recipe, where, experiment.worlds[0].images)
    facts |= seen
    if row.reads:
        recipe, facts["pairs"] = _reading(experiment, cell, row.reads, recipe, places, where)
    done = train(recipe, places.of(experiment, cell) / "run", where, device="cpu", workers=0, save_minutes=0.5, keep=1,
                 refined=places.refined if recipe.model.refiner else None)
    told = ("step", "images", "pairs", "answer_tokens", "loss")  # where no language model learns there are no answers
    stages = {name: {key: line[key] for key in told if key in line} | {
        "losses": {task: round(value, 4) for task, value in line.get("losses", {}).items()}}
        for name, line in done.report()["stages"].items()}
    manifest = done.manifest
    return facts | {"stages": stages, "versions": manifest["versions"], "commit": manifest["commit"],
                    "parts": _parts(done.model)}


def _parts(model: Path) -> dict[str, str]:
    """What the model was built from, with the hash of its weights."""
    origins = json.loads((model / "manifest.json").read_text("utf-8")).get("origins", {})
    return {part: f"{base['id']} {base['weights']}" for part, base in sorted(origins.items())}


def _reading(experiment: Experiment, cell: Cell, reads: Pairs, recipe, places: Places, where: dict):
    """The recipe with the pairs' source drawn as often as the row wants, its folder among `where`; without any pair
    the source is left out. The second is what the log says of it."""
    folder = places.of(experiment, beside(experiment, reads.of, cell.seed)) / f"kept-{reads.iou:g}"
    count, kept = _keep(experiment, cell, reads, places, folder)
    for stage in recipe.stages:
        own = [source for source in stage.mixture.sources if source.name == reads.source]
        others = sum(source.weight for source in stage.mixture.sources if source not in own)
        if own and count:
            where[own[0].folder] = folder
            drawn = reads.share / (1 - reads.share) * others * experiment.worlds[0].images / count
            recipe = recipe.change(f"stages.{stage.name}.mixture.sources.{reads.source}.weight={drawn:.9g}")
        elif own:
            left = [source for source in stage.mixture.sources if source not in own]
            recipe = recipe.change(f"stages.{stage.name}.mixture.sources={json.dumps(config.to_json(tuple(left)))}")
    return recipe, {"pictures": count, "kept": kept, "share": reads.share if count else 0.0}


def _keep(experiment: Experiment, cell: Cell, reads: Pairs, places: Places, folder: Path) -> tuple[int, int]:
    """(pictures, pairs) of the records that this row's filter keeps, written to the folder."""
    from loupe.bootstrapping.output import write_kept

    maker = beside(experiment, reads.of, cell.seed)
    stored = bootstrapping.read(places.of(experiment, maker) / "pairs")
    pairs = bootstrapping.kept(stored.pairs, bootstrapping.Rule(iou=reads.iou))
    if not pairs:
        return 0, 0
    writes = experiment.row(reads.of).writes
    opened = _annotated(experiment, writes, places)
    wanted = {pair.record for pair, _ in pairs}
    positions = {opened[k].id: k for k in range(min(writes.limit, len(opened)))}
    return write_kept(folder, "train", opened, pairs, {id: positions[id] for id in wanted}), len(pairs)


def _annotated(experiment: Experiment, writes, places: Places):
    where = data.roots(experiment, places.data)
    return reader(writes.reader)(where[writes.source], "train")


def _write_pairs(experiment: Experiment, cell: Cell, places: Places) -> dict:
    """Boxes described and found again by the model this row begins as; what the log says of it."""
    writes = experiment.row(cell.row).writes
    settings = bootstrapping.Settings(least_share=writes.least_share, limit=writes.limit, margin=False)
    stored = bootstrapping.run(_model(experiment, cell, places), _annotated(experiment, writes, places),
                               places.of(experiment, cell) / "pairs", settings)
    chosen = stored.manifest["selection"]
    return {"described": chosen["described"], "kept": chosen["kept"], "kept share": chosen["share"],
            "table 5": chosen["table 5"]}


def _model(experiment: Experiment, cell: Cell, places: Places):
    import torch

    from loupe.predictors import Blind, without
    from loupe.predictors.checkpoint import Model

    torch.set_num_threads(1)
    row = experiment.row(cell.row)
    more = {"refined": places.refined, "spatial": row.told} if experiment.recipe_of(row, 0).model.refiner else {}
    model = Model.load(places.model(experiment, cell), device="cpu", **more)
    model.name = cell.name
    if row.without:
        return without(model, *row.without)
    return Blind(model) if row.blind else model


def _measure(experiment: Experiment, cell: Cell, places: Places, new: log.Log) -> None:
    """Every column that the log lacks."""
    row = experiment.row(cell.row)
    left = [c for c in experiment.columns_of(row) if not new.has(c.name, asked(c, experiment))]
    if not left:
        return
    asking = Asking(_model(experiment, cell, places), data.roots(experiment, places.data),
                    places.of(experiment, cell) / "answers")
    for column in left:
        identity = asked(column, experiment)
        found = measure(asking, column, f"{column.name}-{identity[:8]}")
        line = {"asked": identity, "value": round(found.value, 6), "count": found.count,
                "unreadable": found.unreadable, "questions": found.questions}
        if not column.share and found.low is not None:
            line["interval"] = [round(found.low, 6), round(found.high, 6)]
        new.columns[column.name] = line


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    with open(folder / "lock", "a") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _spent(folder: Path, what: str) -> Iterator[None]:
    """Adds the processor seconds of the block to the folder's account, a stopped block's too."""
    began = time.process_time()
    try:
        yield
    finally:
        account = _seconds(folder)
        account[what] = account.get(what, 0.0) + time.process_time() - began
        log.put(folder / "spent.json", {"seconds": account})


def _seconds(folder: Path) -> dict[str, float]:
    path = folder / "spent.json"
    return json.loads(path.read_text("utf-8"))["seconds"] if path.is_file() else {}


