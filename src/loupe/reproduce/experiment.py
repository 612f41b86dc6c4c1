"""What an experiment is, as frozen values: worlds, rows, columns, tables, the paper's numbers and its claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from loupe.errors import ConfigError, unknown_name
from loupe.evals.spec import Benchmark
from loupe.training.recipe import Recipe

QUICK = "-quick"  # behind the name of a shortened experiment: its logs lie apart


@dataclass(frozen=True)
class World:
    """A world that is written once, to DATA/<folder>."""

    folder: str
    images: int
    val: int
    seed: int = 0
    world: str = "mini"
    also: str = ""  # further layouts, as `loupe world --also`


@dataclass(frozen=True)
class Recording:
    """Games of the scripted expert, written once, to DATA/<folder>; seeds from 0 on."""

    folder: str
    game: str
    games: int
    steps: int  # of a game at most


@dataclass(frozen=True)
class Play:
    """Games in place of questions: the mean reward on unseen seeds, so many as the column's limit."""

    game: str
    steps: int  # of a game at most
    seed: int = 1000  # of the first
    metric = "mean reward"

    def spec(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Column:
    """What is measured. `figure` is one of the metric's ("": the first); values of shares are shown in per cent.

    mean: nothing is asked, it is the mean of these columns. scale: what a quantity that is no share is multiplied by.
    rungs: (label, figure) of the metric's figures that are the questions' own, whatever is answered (a blurred
    picture, the true box filled), to stand below the rows.
    """

    name: str
    says: str  # the heading
    about: str  # what is asked
    benchmark: Benchmark | Play | None = None  # None of a mean
    figure: str = ""
    limit: int = 300  # questions
    lower: bool = False  # a smaller value is the better one
    share: bool = True
    held_out: bool = False  # no row may train on this question
    measured: str = ""  # the measurement that makes the value (reproduce/measuring.py), where no figure does alone
    counted: bool = True  # False: a share of nothing that was counted (AP); its interval is of the seeds alone
    mean: tuple[str, ...] = ()
    scale: float = 1.0
    rungs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Bootstrap:
    """A row that trains nothing: the model it begins as describes boxes of `source` and finds them again."""

    reader: str
    source: str  # folder of the annotated pictures, below DATA
    limit: int  # pictures
    least_share: float = 0.005  # of a picture's area, the smallest box


@dataclass(frozen=True)
class Pairs:
    """The pairs another row wrote, as records of the recipe's source `source`."""

    of: str  # row with a Bootstrap
    source: str
    iou: float = 0.5  # least overlap of a kept pair; 0: no filter
    share: float = 0.25  # of the pictures drawn


@dataclass(frozen=True)
class Row:
    """One recipe; with a seed it is a cell. changes: path=value on the experiment's recipe.

    begins: the row whose model of the same seed this one begins as. again: nothing is trained, that model is asked
    what it was not asked yet, in a cell of its own. blind: nothing is trained, that model is asked
    without being shown the pictures. without: the same, where these modules alone are shown blank pictures
    (predictors.without). told: asked with what its refiner found in words, too. A row that stands in no table is
    measured in no column. once: done with seed 0 alone, and what rows of every seed begin with.
    """

    name: str
    says: str
    changes: tuple[str, ...] = ()
    begins: str = ""
    reads: Pairs | None = None
    writes: Bootstrap | None = None
    blind: bool = False
    again: bool = False
    shared: bool = False  # made ready for other rows; its steps are not compared with theirs
    once: bool = False
    without: tuple[str, ...] = ()
    told: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(name for name in (self.begins, self.reads.of if self.reads else "") if name)

    @property
    def trains(self) -> bool:
        return not (self.blind or self.again or self.without) and self.writes is None


@dataclass(frozen=True)
class Claim:
    """The paper says: in `column` row `above` is better than row `below`.

    against: the column `below` is measured in, where it is another. slack: `above` may be worse by less than this (a
    share); "no significant decrease" is such a claim. One model in two columns is judged seed by seed.
    """

    says: str
    column: str
    above: str
    below: str
    why: str = ""  # written by hand once results are in: why they came out so
    against: str = ""
    slack: float = 0.0


@dataclass(frozen=True)
class Curve:
    """Columns of a table's first row as a line: (x, column) in order."""

    says: str
    points: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Table:
    """paper: {row: {column: the printed number}}; `controls` are rows the paper does not have. stages: rows are the
    stages of one training, which differ in length."""

    name: str
    says: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    controls: tuple[str, ...] = ()
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)
    claims: tuple[Claim, ...] = ()
    note: str = ""
    stages: bool = False
    curves: tuple[Curve, ...] = ()
    across: str = ""  # what a curve's x is


@dataclass(frozen=True)
class Experiment:
    """Everything of a paper's miniature. minutes: what a cell may cost on one core."""

    name: str
    title: str
    paper: str
    recipe: Recipe
    worlds: tuple[World, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    minutes: float = 4.0
    seeds: int = 3
    recordings: tuple[Recording, ...] = ()

    def __post_init__(self):
        for kind, things in (("rows", self.rows), ("columns", self.columns), ("tables", self.tables)):
            names = [thing.name for thing in things]
            if len(set(names)) < len(names):
                raise ConfigError(f"{kind} need different names", got=names, where=self.name)
        known: set[str] = set()
        for row in self.rows:
            for name in row.needs:
                if name not in known:
                    raise ConfigError("a row needs one that does not stand before it", got=name, where=row.name)
            known.add(row.name)
        for column in self.columns:
            if (column.benchmark is None) != bool(column.mean) or any(self.column(n).mean for n in column.mean):
                raise ConfigError("a column asks questions, or is the mean of some that do", where=column.name)
        for table in self.tables:
            self._check(table)

    def _check(self, table: Table) -> None:
        compared = [name for claim in table.claims for name in (claim.above, claim.below)]
        for name in (*table.rows, *table.controls, *table.paper, *compared):
            self.row(name)
        drawn = (name for curve in table.curves for _, name in curve.points)
        claimed = (name for c in table.claims for name in (c.column, c.against) if name)
        for name in (*table.columns, *claimed, *drawn, *(n for r in table.paper.values() for n in r)):
            self.column(name)
        lengths = {name: self.updates(self.row(name)) for name in (*table.rows, *table.controls)
                   if self.row(name).trains}
        if len(set(lengths.values())) > 1 and not table.stages:
            raise ConfigError("rows of one table learn for different lengths", got=lengths, where=table.name)

    def row(self, name: str) -> Row:
        return _named("row", name, self.rows)

    def column(self, name: str) -> Column:
        return _named("column", name, self.columns)

    def table(self, name: str) -> Table:
        return _named("table", name, self.tables)

    def recipe_of(self, row: Row, seed: int) -> Recipe:
        """What the row trains; where it begins and how much it draws of pairs is filled in when they are there."""
        return replace(self.recipe.change(*row.changes), name=f"{self.name}-{row.name}", seed=seed)

    def updates(self, row: Row) -> tuple[tuple[int | None, int], ...]:
        """(steps, pairs of a batch) of each stage."""
        return tuple((stage.steps, stage.batch) for stage in self.recipe.change(*row.changes).stages)

    def tables_of(self, name: str) -> list[Table]:
        """The table of that name, with those whose names go on from it: "tower" means "tower-text" too."""
        found = [table for table in self.tables if table.name == name or table.name.startswith(f"{name}-")]
        return found or [self.table(name)]

    def columns_of(self, row: Row) -> tuple[Column, ...]:
        """Everything the row is measured in, over all tables; means by their parts."""
        return self.parts(name for t in self.tables if row.name in (*t.rows, *t.controls) for name in t.columns)

    def parts(self, names: Iterable[str]) -> tuple[Column, ...]:
        """The columns of these names that are measured: parts in place of means."""
        wanted = {part for name in names for part in self.column(name).mean or (name,)}
        return tuple(column for column in self.columns if column.name in wanted)

    def recorded(self, row: Row) -> tuple[Recording, ...]:
        """The recordings the row itself learns from."""
        if not row.trains:
            return ()
        folders = {source.folder for stage in self.recipe.change(*row.changes).stages
                   for source in stage.mixture.sources}
        return tuple(recording for recording in self.recordings if recording.folder in folders)


def quick(experiment: Experiment) -> Experiment:
    """The same in a few steps and questions, to see that everything works; its numbers mean nothing."""
    def short(row: Row) -> Row:
        stages = experiment.recipe.change(*row.changes).stages
        few = tuple(f"stages.{stage.name}.steps=2" for stage in stages)
        writes = replace(row.writes, limit=4) if row.writes else None
        return replace(row, changes=(*row.changes, *few), writes=writes)

    return replace(
        experiment, name=f"{experiment.name}{QUICK}", rows=tuple(map(short, experiment.rows)),
        worlds=tuple(replace(world, images=40, val=20) for world in experiment.worlds),
        recordings=tuple(replace(recording, games=2, steps=20) for recording in experiment.recordings),
        columns=tuple(map(_few, experiment.columns)))


def _few(column: Column) -> Column:
    asked = column.benchmark
    return replace(column, limit=4, benchmark=replace(asked, steps=10) if isinstance(asked, Play) else asked)


def _named(kind: str, name: str, things):
    for thing in things:
        if thing.name == name:
            return thing
    raise unknown_name(kind, name, [thing.name for thing in things])
