"""The log of a finished cell: one small JSON file, all that a table needs of it.

    {"loupe": "reproduction", "version": 1, "row", "seed", "made": identity of what was trained,
     "columns": {name: {"asked": identity of the questions, "value", "count", "unreadable", "questions": hash,
                        "interval": of a value that is no share, over its questions}},
     "facts": {...}, "minutes": {"train", "measure"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loupe.errors import FileError
from loupe.reproduce.cell import Cell, asked, made
from loupe.reproduce.experiment import Experiment
from loupe.writers.files import atomic

KIND, VERSION = "reproduction", 1
BASELINES = "baselines"


@dataclass
class Log:
    cell: Cell
    made: str
    columns: dict[str, dict] = field(default_factory=dict)
    facts: dict = field(default_factory=dict)  # what happened: pictures, losses, pairs, versions
    minutes: dict[str, float] = field(default_factory=dict)  # of processor time, by what it was spent on

    def finished(self, experiment: Experiment) -> bool:
        """Made by the settings as they are now, and measured in every column of its tables."""
        wanted = experiment.columns_of(experiment.row(self.cell.row))
        return self.made == made(experiment, self.cell) and all(self.has(c.name, asked(c, experiment)) for c in wanted)

    def has(self, column: str, identity: str) -> bool:
        return self.columns.get(column, {}).get("asked") == identity

    @property
    def cost(self) -> float:
        return sum(self.minutes.values())


def folder(out: Path, experiment: Experiment) -> Path:
    return Path(out) / "logs" / experiment.name


def path(out: Path, experiment: Experiment, of: Cell) -> Path:
    return folder(out, experiment) / f"{of.name}.json"


def read(where: Path) -> Log | None:
    """None where there is no such log; a damaged one is a FileError."""
    data = _json(where)
    if data is None:
        return None
    try:
        return Log(Cell(data["row"], data["seed"]), data["made"], data["columns"], data["facts"], data["minutes"])
    except (KeyError, TypeError) as error:
        raise FileError("a log lacks something", got=f"no {error}", where=where,
                        do="delete it; its cell is done again") from None


def write(where: Path, log: Log) -> None:
    put(where, {"row": log.cell.row, "seed": log.cell.seed, "made": log.made, "columns": log.columns,
                "facts": log.facts, "minutes": {key: round(value, 2) for key, value in log.minutes.items()}})


def known(out: Path, experiment: Experiment) -> dict[Cell, Log]:
    """Every log of the folder whose row the experiment has and whose settings are still the same."""
    found = {}
    names = {row.name for row in experiment.rows}
    for where in sorted(folder(out, experiment).glob("*.json")):
        log = read(where) if where.stem != BASELINES else None
        if log is not None and log.cell.row in names and log.made == made(experiment, log.cell):
            found[log.cell] = log
    return found


def finished(out: Path, experiment: Experiment, of: Cell) -> bool:
    log = read(path(out, experiment, of))
    return log is not None and log.finished(experiment)


def baselines(out: Path, experiment: Experiment) -> dict[str, dict]:
    """{column: {"asked", "values": {baseline: value}, "rungs": {label: value}}} of those columns that are asked as
    they are now."""
    data = _json(folder(out, experiment) / f"{BASELINES}.json") or {"columns": {}}
    now = {column.name: asked(column, experiment) for column in experiment.columns if not column.mean}
    return {name: line for name, line in data["columns"].items() if line.get("asked") == now.get(name)}


def write_baselines(out: Path, experiment: Experiment, columns: Mapping[str, dict]) -> None:
    put(folder(out, experiment) / f"{BASELINES}.json", {"columns": dict(columns)})


def put(where: Path, data: Mapping) -> None:
    with atomic(where) as file:
        text = json.dumps({"loupe": KIND, "version": VERSION, **data}, indent=1, ensure_ascii=False)
        file.write(text.encode() + b"\n")


def _json(where: Path) -> dict | None:
    try:
        data = json.loads(where.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileError("cannot read a log", got=error, where=where, do="delete it; its cell is done again") from None
    if not isinstance(data, dict) or (data.get("loupe"), data.get("version")) != (KIND, VERSION):
        raise FileError("this is no log of a reproduction", got=str(data)[:60], where=where,
                        expected=f'{{"loupe": "{KIND}", "version": {VERSION}, ...}}')
    return data
