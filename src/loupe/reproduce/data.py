"""The worlds an experiment learns from, written once; what baselines that do not look score on its questions."""

from __future__ import annotations

from pathlib import Path

from loupe import world
from loupe.evals import evaluate, open_questions
from loupe.evals.benchmark import Shelf
from loupe.predictors.beside import beside
from loupe.reproduce import log
from loupe.reproduce.cell import asked
from loupe.reproduce.experiment import Column, Experiment
from loupe.reproduce.log import baselines, write_baselines


def write(experiment: Experiment, data: Path, workers: int = 1) -> None:
    """Every world that is not there yet; a stopped one goes on."""
    for each in experiment.worlds:
        world.write(data / each.folder, each.images, each.seed, each.val, world=each.world, workers=workers)


def roots(experiment: Experiment, data: Path) -> dict[str, Path]:
    """The first world's folders by their own names; of the others each as WORLD/FOLDER."""
    first, *more = experiment.worlds
    found = {"": data / first.folder}
    for each in more:
        found |= {f"{each.folder}/{place.name}": place for place in sorted((data / each.folder).iterdir())
                  if place.is_dir()}
    return found


def questions(column: Column, where: dict[str, Path], shelf: Shelf):
    return open_questions(column.benchmark, where, "any", shelf=shelf, most=column.limit)


def measure_baselines(experiment: Experiment, out: Path, data: Path, columns: tuple[Column, ...]) -> None:
    """What trivial predictors score in these columns, kept beside the logs."""
    found, shelf, where = baselines(out, experiment), Shelf(), roots(experiment, data)
    missing = [column for column in columns if column.name not in found]
    for column in missing:
        opened = questions(column, where, shelf)
        values = {}
        for name, predictor in beside(opened, where, shelf)[0].items():
            result = evaluate(predictor, opened, where, limit=column.limit, progress=False)
            values[name] = round(figure(result, column).value, 6)
        found[column.name] = {"asked": asked(column, experiment), "values": values}
    if missing or not (log.folder(out, experiment) / f"{log.BASELINES}.json").is_file():
        write_baselines(out, experiment, found)


def figure(result, column: Column):
    """The column's figure of a result."""
    return next(f for f in result.scores.figures if not column.figure or f.name == column.figure)
