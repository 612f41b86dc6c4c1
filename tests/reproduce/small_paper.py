"""An experiment of three rows that costs nothing, logs as cells would leave them, and processes that only pretend."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from loupe.evals.spec import Benchmark
from loupe.recipes import recipe
from loupe.reproduce import log
from loupe.reproduce.cell import Cell, asked, made
from loupe.reproduce.experiment import Bootstrap, Claim, Column, Experiment, Pairs, Row, Table, World

HITS = Column("hits", "Hits", "is it right", Benchmark("b-hits", "records", "records", "val"), limit=100)
ERROR = Column("error", "Error", "how far off", Benchmark("b-error", "records", "records", "val"), lower=True,
               share=False)
PAPER = Experiment(
    name="paper", title="A paper", paper="somewhere", recipe=recipe("mini-demo"), worlds=(World("world", 8, 4),),
    columns=(HITS, ERROR),
    rows=(Row("start", "start", shared=True), Row("plain", "Plain", begins="start"),
          Row("pairs", "pairs", begins="plain", writes=Bootstrap("objects365", "world/objects365", 8)),
          Row("better", "Better", ("stages.talk.optim.lr=1e-3",), begins="start", reads=Pairs("pairs", "world")),
          Row("blind", "blind", begins="plain", blind=True)),
    tables=(Table("one", "Table 1", ("plain", "better"), ("hits", "error"), ("blind",),
                  {"plain": {"hits": 10.0}, "better": {"hits": 20.5, "error": 0.1}},
                  (Claim("More is better", "hits", "better", "plain"),
                   Claim("and nearer", "error", "better", "plain", why="as was to be hoped"))),),
)


def write(out: Path, experiment: Experiment, cell: Cell, hits: float = 0.5, error: float = 0.2, **facts) -> None:
    """The log of a finished cell."""
    values = {"hits": hits, "error": error}
    columns = {c.name: {"asked": asked(c, experiment), "value": values[c.name], "count": 100, "unreadable": 0}
               for c in experiment.columns_of(experiment.row(cell.row))}
    log.write(log.path(out, experiment, cell), log.Log(cell, made(experiment, cell), columns, facts, {"train": 1.5}))


@dataclass
class Pretended:
    """A process that ends with `code` after so many looks at it; code 0 leaves a log behind."""

    out: Path
    cell: Cell
    code: int = 0
    looks: int = 2
    stopped: bool = False

    def poll(self) -> int | None:
        self.looks -= 1
        if self.looks > 0:
            return None
        if self.code == 0 and not self.stopped:
            write(self.out, PAPER, self.cell)
        return self.code

    def terminate(self) -> None:
        self.stopped, self.looks = True, 0

    def wait(self, timeout=None) -> int:
        return self.code


@dataclass
class Runner:
    """Starts pretended processes; codes: {cell name: codes of its starts in order, 0 when they are used up}."""

    out: Path
    codes: dict[str, list[int]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    looks: int = 2
    most: int = 0  # processes alive at once
    alive: list[Pretended] = field(default_factory=list)

    def __call__(self, cell: Cell) -> Pretended:
        left = self.codes.get(cell.name, [])
        self.started.append(cell.name)
        self.alive = [p for p in self.alive if p.looks > 0]
        self.alive.append(Pretended(self.out, cell, left.pop(0) if left else 0, self.looks))
        self.most = max(self.most, len(self.alive))
        return self.alive[-1]

    def finished(self, cell: Cell) -> bool:
        return log.finished(self.out, PAPER, cell)
