"""Cells: a row with a seed, what each is waiting for, and what tells a finished one from one that has to be done anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass

from loupe import config
from loupe.errors import ConfigError
from loupe.reproduce.experiment import Column, Experiment, Row


@dataclass(frozen=True, order=True)
class Cell:
    row: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.row}-{self.seed}"


def cell(experiment: Experiment, name: str) -> Cell:
    """"rscd-0" -> the cell."""
    row, _, seed = name.rpartition("-")
    if not seed.isdigit():
        raise ConfigError("this names no cell", got=name, expected="ROW-SEED, as in "
                          f"{experiment.rows[0].name}-0")
    return Cell(experiment.row(row).name, int(seed))


def needs(experiment: Experiment, of: Cell) -> list[Cell]:
    """The cells whose products this one takes up."""
    return [beside(experiment, name, of.seed) for name in experiment.row(of.row).needs]


def beside(experiment: Experiment, row: str, seed: int) -> Cell:
    """The cell of that row which cells of the seed take up: with the same seed, or the only one."""
    return Cell(row, 0 if experiment.row(row).once else seed)


def wanted(experiment: Experiment, tables: Iterable[str], seeds: Sequence[int]) -> list[Cell]:
    """Every cell of these tables with all it needs, in the order of the experiment's rows, seed by seed."""
    names: set[str] = set()
    waiting = [name for table in map(experiment.table, tables) for name in (*table.rows, *table.controls)]
    while waiting:
        name = waiting.pop()
        names.add(name)
        waiting += experiment.row(name).needs
    found = [beside(experiment, row.name, seed) for seed in seeds for row in experiment.rows if row.name in names]
    return list(dict.fromkeys(found))


def with_needs(experiment: Experiment, of: Cell) -> list[Cell]:
    """The cell behind everything it needs, in the order in which it can be done."""
    before = [c for name in needs(experiment, of) for c in with_needs(experiment, name)]
    return list(dict.fromkeys([*before, of]))


def made(experiment: Experiment, of: Cell) -> str:
    """Identity of what a cell trains or writes: of its settings, the data's, and those of the cells it begins with."""
    row = experiment.row(of.row)
    facts = {
        "recipe": _plain(experiment.recipe_of(row, of.seed)) if row.trains else None,
        "row": [_plain(row.reads), _plain(row.writes), row.blind],
        "worlds": _worlds(experiment),
        "needs": [made(experiment, need) for need in needs(experiment, of)],
    }
    asked_so = {name: value for name, value in (("without", list(row.without)), ("told", row.told)) if value}
    if asked_so:
        facts["asked so"] = asked_so
    recorded = experiment.recorded(row)
    if recorded:
        facts["recordings"] = [asdict(recording) for recording in recorded]
    return _hash(facts)


def asked(column: Column, experiment: Experiment) -> str:
    """Identity of a column's questions, and of what is read from the answers. What stands at its default is left out,
    so that a setting added later changes nothing."""
    facts = [column.benchmark.spec(), column.figure, column.limit, _worlds(experiment)]
    later = {"measured": column.measured, "scale": column.scale}
    chosen = {name: value for name, value in later.items() if value not in ("", 1)}
    return _hash([*facts, chosen] if chosen else facts)


def _worlds(experiment: Experiment) -> list[dict]:
    return [{key: value for key, value in asdict(world).items() if key != "also" or value}
            for world in experiment.worlds]


def _plain(value):
    """JSON of a setting, without what stands at its default: a setting added later changes nothing."""
    if is_dataclass(value):
        kept = {}
        for f in fields(value):
            default = f.default if f.default is not MISSING else (
                f.default_factory() if f.default_factory is not MISSING else MISSING)
            if getattr(value, f.name) != default and f.name not in ("notes", "says"):
                kept[f.name] = _plain(getattr(value, f.name))
        return {"is": type(value).__name__, **kept}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return config.to_json(value)


def _hash(facts) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def trained(experiment: Experiment, row: Row) -> set[tuple[str, str]]:
    """(task, its options as JSON) of everything this row or a row it begins as is trained on."""
    found = set() if not row.begins else trained(experiment, experiment.row(row.begins))
    if row.trains:
        for stage in experiment.recipe_of(row, 0).stages:
            for source in stage.mixture.sources:
                found |= {(name, json.dumps(source.task_options.get(name, {}), sort_keys=True))
                          for name, weight in source.tasks if weight > 0}
    return found
