"""The worlds and games an experiment learns from, written once; what baselines that do not look score on its
questions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from loupe import world
from loupe.data.draw import place
from loupe.evals.spec import Benchmark
from loupe.predictors.baselines import TOLD, whole_image
from loupe.predictors.beside import beside
from loupe.reproduce import log, photos, playing
from loupe.reproduce.cell import Cell, asked
from loupe.reproduce.experiment import Column, Experiment, Play
from loupe.reproduce.log import baselines, write_baselines
from loupe.reproduce.measuring import Asking, measure, rungs


def write(experiment: Experiment, data: Path, workers: int = 1, cells: Iterable[Cell] = ()) -> None:
    """Every world that is not there yet, and what these cells learn from of recorded games; a stopped one goes on."""
    for each in experiment.worlds:
        world.write(data / each.folder, each.images, each.seed, each.val, world=each.world, also=each.also,
                    workers=workers)
    for recording in dict.fromkeys(r for cell in cells for r in experiment.recorded(experiment.row(cell.row))):
        playing.record(recording, data)
    for what in {c.benchmark.folder: c.benchmark for c in experiment.columns
                 if isinstance(c.benchmark, Benchmark) and c.benchmark.boxes == "found"}.values():
        _boxes(what, roots(experiment, data))


def _boxes(what: Benchmark, where: dict[str, Path]) -> None:
    """Boxes the shipped refiner finds in the pictures that are asked about, beside the data."""
    path = place(where, what.folder) / f"boxes_{what.split}.json"
    if not path.is_file():
        from loupe.predictors.found_boxes import find

        find(what, where, "loupe/refiner", path)


def roots(experiment: Experiment, data: Path) -> dict[str, Path]:
    """The first world's folders by their own names; of the others each as WORLD/FOLDER."""
    first, *more = experiment.worlds
    found = {"": data / first.folder}
    for each in more:
        found |= {f"{each.folder}/{place.name}": place for place in sorted((data / each.folder).iterdir())
                  if place.is_dir()}
    found |= {recording.folder: data / recording.folder for recording in experiment.recordings}
    return found | photos.roots(data)


def measure_baselines(experiment: Experiment, out: Path, data: Path, columns: tuple[Column, ...]) -> None:
    """What trivial predictors score in these columns, and the questions' own figures, kept beside the logs."""
    found = baselines(out, experiment)
    asking = Asking(whole_image(), roots(experiment, data), progress=False)
    missing = [column for column in columns if column.name not in found]
    for column in missing:
        line = playing.beside(column) if isinstance(column.benchmark, Play) else _beside(column, asking)
        line = {kind: {name: round(value, 6) for name, value in values.items()} for kind, values in line.items()}
        found[column.name] = {"asked": asked(column, experiment), **line}
    if missing or not (log.folder(out, experiment) / f"{log.BASELINES}.json").is_file():
        write_baselines(out, experiment, found)


def _beside(column: Column, asking: Asking) -> dict[str, dict[str, float]]:
    """{"values" of baselines} and, where the column has some, {"rungs"}."""
    opened = asking.questions(column.benchmark, column.limit)
    known = {name: made for name, made in beside(opened, asking.where, asking.shelf)[0].items() if name not in TOLD}
    values = {name: measure(asking.of(predictor), column, column.name).value for name, predictor in known.items()}
    below = rungs(asking.of(next(iter(known.values()))), column) if column.rungs else {}
    return {"values": values, **({"rungs": below} if below else {})}
