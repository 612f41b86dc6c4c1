"""The page of an experiment: the paper's tables and ours side by side, a verdict on each claim; a function of the logs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loupe.predictors.baselines import SCENES, TOLD
from loupe.reproduce import curves, dots
from loupe.reproduce.cell import Cell, asked
from loupe.reproduce.experiment import QUICK, Claim, Column, Experiment, Table
from loupe.reproduce.log import Log
from loupe.reproduce.verdict import (
    AGREES,
    DISAGREES,
    MISSING,
    OPEN,
    Summary,
    Verdict,
    judge,
    judge_same,
    number,
    summary,
)

RULE = (
    "Values are means over seeds with their 95 % interval: Student's t over the seeds, or Wilson's over the questions, "
    "{drawn}whichever reaches further. A claim **agrees** if the two rows' intervals do not overlap and lie as the "
    "paper says, **disagrees** if they lie the other way, and **cannot tell** if they overlap, if there is one seed, "
    "or if the better row's interval reaches down to what does not look (the best baseline, or the row itself shown "
    "grey pictures): then the rows differ in the form of their answers. "
    "Nothing is chosen after the fact: steps, seeds, questions and claims stand in "
    "`src/loupe/reproduce/{name}.py`. *Same seeds* is the first row less the second, seed by seed, on the same "
    "questions, with Student's interval over the seeds; where it lies beyond zero, other seeds would differ the same "
    "way on these questions (one claim in twenty does so by chance). No verdict hangs on it.")

SAME = " But a claim about one model in two columns is judged by it."


@dataclass(frozen=True)
class Results:
    """Everything measured: logs by cell, and what baselines that do not look score, by column."""

    experiment: Experiment
    logs: Mapping[Cell, Log]
    baselines: Mapping[str, dict]

    def values(self, row: str, column: Column) -> dict[int, float]:
        """By seed; only answers to the questions as they are now. A mean where all of its parts are there."""
        return {seed: value for seed, (value, _, _) in self._found(row, column).items()}

    def _found(self, row: str, column: Column) -> dict[int, tuple[float, float, float]]:
        """(value, how far below and above it its questions reach), by seed."""
        if column.mean:
            parts = [self._found(row, self.experiment.column(name)) for name in column.mean]
            n = len(parts)
            return {seed: (sum(p[seed][0] for p in parts) / n,
                           *(math.sqrt(sum(p[seed][k] ** 2 for p in parts)) / n for k in (1, 2)))
                    for seed in sorted(set(parts[0]).intersection(*parts[1:]))}
        identity, out = asked(column, self.experiment), {}
        for cell, log in sorted(self.logs.items()):
            if cell.row == row and log.has(column.name, identity):
                line = log.columns[column.name]
                low, high = line.get("interval", (line["value"],) * 2)
                out[cell.seed] = line["value"], line["value"] - low, high - line["value"]
        return out

    def reach(self, row: str, column: Column) -> tuple[float, float]:
        """How far the row's questions reach below and above its mean, where it is no share."""
        found = list(self._found(row, column).values())
        return tuple(sum(each[k] for each in found) / len(found) if found else 0.0 for k in (1, 2))

    def count(self, column: Column) -> int:
        """Questions behind a value."""
        if column.mean:
            return sum(self.count(self.experiment.column(name)) for name in column.mean)
        identity = asked(column, self.experiment)
        counts = [log.columns[column.name]["count"] for log in self.logs.values() if log.has(column.name, identity)]
        return min(counts, default=0)

    def counted(self, column: Column) -> int:
        """Questions that give a share an interval of their own; 0: they give none."""
        return self.count(column) if column.counted else 0

    def several(self, column: Column) -> bool:
        """Were cells asked different questions under one name? The data must have changed below the settings."""
        return not column.mean and len({
            log.columns[column.name].get("questions") for log in self.logs.values()
            if log.has(column.name, asked(column, self.experiment))}) > 1

    def trivial(self, column: Column) -> tuple[str, float] | None:
        """The best baseline of a column that does not look."""
        values = self.beside(column, "values")
        best = min if column.lower else max
        return best(values.items(), key=lambda pair: pair[1]) if values else None

    def beside(self, column: Column, kind: str) -> Mapping[str, float]:
        """"values" of baselines that do not look, or "rungs"; of a mean those that all of its parts have. A baseline
        that is told a part of the answer (the class of the thing, its box) is a rung."""
        if not column.mean:
            values, below = (self.baselines.get(column.name, {}).get(k, {}) for k in ("values", "rungs"))
            told = {name: value for name, value in values.items() if name in (*TOLD, *SCENES)}
            if kind == "rungs":
                return {**below, **{f"{name.replace('-', ' ')}, told": value for name, value in told.items()}}
            return {name: value for name, value in values.items() if name not in told}
        parts = [self.beside(self.experiment.column(name), kind) for name in column.mean]
        return {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]
                if all(name in part for part in parts)}

    def verdicts(self, table: Table) -> list[Verdict]:
        found = []
        for claim in table.claims:
            column = self.experiment.column(claim.column)
            if claim.against or claim.slack:
                found.append(self._same(claim, column))
                continue
            found.append(judge(self.values(claim.above, column), self.values(claim.below, column), self.counted(column),
                               share=column.share, lower=column.lower, unseen=self.unseen(table, column),
                               reaches=[self.reach(row, column) for row in (claim.above, claim.below)]))
        return found

    def unseen(self, table: Table, column: Column) -> float | None:
        """What can be had without looking: of the best baseline and the mean of rows shown grey pictures, the better.
        """
        trivial = self.trivial(column)
        found = [trivial[1]] if trivial else []
        for name in table.controls:
            values = self.values(name, column) if self.experiment.row(name).blind else {}
            found += [sum(values.values()) / len(values)] if values else []
        return (min if column.lower else max)(found, default=None)

    def _same(self, claim: Claim, column: Column) -> Verdict:
        other = self.experiment.column(claim.against or claim.column)
        return judge_same(self.values(claim.above, column), self.values(claim.below, other), share=column.share,
                          lower=column.lower, slack=claim.slack)


def page(results: Results) -> str:
    e = results.experiment
    parts = [f"# {e.title} in miniature",
             f"Written by `loupe reproduce {e.name}` from the logs in `logs/{e.name}`; a test holds it equal to them. "
             f"Paper: {e.paper}. How it is done: [reproduce.md](../reproduce.md).",
             "\n".join(f"- {note}" for note in e.notes), _rule(e), _tally(results)]
    for table in e.tables:
        shown = _curves(results, table) if table.curves else _table(results, table)
        parts += [f"## {table.says}", table.note, shown, _claims(results, table)]
    parts += ["## What is asked", _columns(results), "## What it took", _costs(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rule(e: Experiment) -> str:
    """What is no share has its interval from its pictures or games drawn again."""
    drawn = "" if all(c.share for c in e.columns) else "or, where it is no share, pictures or games drawn again, "
    same = any(claim.against or claim.slack for table in e.tables for claim in table.claims)
    return RULE.format(name=e.name.removesuffix(QUICK), drawn=drawn) + SAME * same


def _tally(results: Results) -> str:
    said = [verdict.said for table in results.experiment.tables for verdict in results.verdicts(table)]
    counts = ", ".join(f"{said.count(kind)} {kind}" for kind in (AGREES, DISAGREES, OPEN, MISSING) if kind in said)
    ways = [v.steps.way for table in results.experiment.tables for v in results.verdicts(table) if v.steps]
    seeds = (f" Seed by seed {ways.count(AGREES)} lie as the paper says, {ways.count(DISAGREES)} the other way, "
             f"{ways.count('')} neither." if ways else "")
    return f"Of {len(said)} claims: {counts}.{seeds}"


def _table(results: Results, table: Table) -> str:
    """The picture, and a row each; for every column the printed number, then ours. Controls, baselines and rungs stand
    below."""
    e = results.experiment
    columns = [e.column(name) for name in table.columns]
    head = ["", *(cell for c in columns for cell in (f"{c.says}, paper", "ours"))]
    rows = [[_label(table, e, name), *_cells(results, columns, name, table.paper.get(name, {}))]
            for name in (*table.rows, *table.controls)]
    trivial = [("-", _trivial(results, column)) for column in columns]
    rows.append(["best baseline that does not look", *(cell for pair in trivial for cell in pair)])
    for label in dict.fromkeys(label for c in columns for label in results.beside(c, "rungs")):
        below = [results.beside(c, "rungs").get(label) for c in columns]
        shown = ("-" if v is None else number(v, c.share) for v, c in zip(below, columns))
        rows.append([f"*{label}*", *(cell for value in shown for cell in ("-", value))])
    return _shown(results, table) + markdown(head, rows)


def _curves(results: Results, table: Table) -> str:
    """A row for each curve of the table's first row, and the picture `figures` draws."""
    head, rows = curves.rows(table, lambda name: _cells(results, [results.experiment.column(name)], table.rows[0],
                                                        {})[1])
    trivial = {curve.says: _trivial(results, results.experiment.column(curve.points[0][1])) for curve in table.curves}
    return _shown(results, table) + markdown([*head, "best baseline that does not look"],
                                             [[*row, trivial[row[0]]] for row in rows])


def _shown(results: Results, table: Table) -> str:
    """The picture that `figures` draws, if anything of the table is measured."""
    drawn = _drawn(results, table)
    return f"![{table.says}]({figure_name(results.experiment, table)})\n\n" if drawn else ""


def figures(results: Results) -> dict[str, str]:
    """File name -> SVG of every table of which something is measured."""
    e = results.experiment
    found = {figure_name(e, table): _drawn(results, table) for table in e.tables}
    return {name: text for name, text in found.items() if text}


def figure_name(e: Experiment, table: Table) -> str:
    return f"{e.name}.{table.name}.svg"


def _drawn(results: Results, table: Table) -> str:
    def mean(name: str) -> float | None:
        values = results.values(table.rows[0], results.experiment.column(name))
        return sum(values.values()) / len(values) if values else None

    if table.curves:
        return curves.picture(table, mean)
    rows = [(results.experiment.row(name).says, name in table.controls) for name in (*table.rows, *table.controls)]
    return dots.picture(rows, [_panel(results, table, results.experiment.column(name)) for name in table.columns])


def _panel(results: Results, table: Table, column: Column) -> dots.Panel:
    """Shares in per cent, as the papers print them."""
    times = 100 if column.share else 1

    def dot(row: str) -> dots.Dot:
        found = _found(results, column, row)
        return dots.Dot(found and tuple(times * v for v in (found.mean, found.low, found.high)),
                        table.paper.get(row, {}).get(column.name))

    trivial = results.trivial(column)
    return dots.Panel(column.says, tuple(dot(row) for row in (*table.rows, *table.controls)),
                      trivial and times * trivial[1], column.share)


def _found(results: Results, column: Column, row: str) -> Summary | None:
    values = results.values(row, column)
    return summary(list(values.values()), results.counted(column), column.share, results.reach(row, column))


def _label(table: Table, e: Experiment, name: str) -> str:
    says = e.row(name).says
    return f"*{says}* (control)" if name in table.controls else says


def _cells(results: Results, columns: Sequence[Column], row: str, paper: Mapping[str, float]) -> list[str]:
    e, out = results.experiment, []
    for column in columns:
        printed, found, ours = paper.get(column.name), _found(results, column, row), "-"
        if found is not None:
            few = f" ({found.seeds} of {e.seeds})" if found.seeds < e.seeds else ""
            low, high = number(found.low, column.share), number(found.high, column.share)
            ours = f"**{number(found.mean, column.share)}** [{low}, {high}]{few}"
        out += ["-" if printed is None else f"{printed:g}", ours]
    return out


def _trivial(results: Results, column: Column) -> str:
    best = results.trivial(column)
    return "-" if best is None else f"{number(best[1], column.share)} ({best[0]})"


def _claims(results: Results, table: Table) -> str:
    if not table.claims:
        return ""
    e = results.experiment
    rows = []
    for claim, verdict in zip(table.claims, results.verdicts(table)):
        why = "; ".join(part for part in (verdict.why, claim.why) if part)
        steps = verdict.steps.said(e.column(claim.column).share) if verdict.steps else "-"
        rows.append([f"{claim.says}: {_compared(e, claim)}", f"**{verdict.said}**", steps, why])
    return markdown(["claim", "verdict", "same seeds", "why"], rows)


def _compared(e: Experiment, claim: Claim) -> str:
    above, below, column = _said(e, claim.above), _said(e, claim.below), e.column(claim.column).says
    if not claim.against:
        return f"{above} {'below' if e.column(claim.column).lower else 'above'} {below} in {column}"
    other = e.column(claim.against).says
    one, two = (column, f"{other} of {above}") if above == below else (f"{above} in {column}", f"{below} in {other}")
    return f"{one} not {number(claim.slack, True)} points below {two}" if claim.slack else f"{one} above {two}"


def _said(e: Experiment, row: str) -> str:
    return f"\"{e.row(row).says}\""


def _columns(results: Results) -> str:
    rows = [[c.says, c.about + (", held out" if c.held_out else ""),
             "mean" if c.mean else c.figure or c.benchmark.metric if not c.share else c.benchmark.metric,
             str(results.count(c) or "-")] for c in results.experiment.columns]
    return markdown(["column", "asks", "metric", "questions"], rows)


def _costs(results: Results) -> str:
    e = results.experiment
    if not results.logs:
        return (f"Nothing has been measured yet. A cell may cost {e.minutes:g} minutes of one core; "
                f"`loupe reproduce {e.name} --out DIR` does them all.")
    costs = sorted((log.cost, cell.name) for cell, log in results.logs.items())
    total = sum(cost for cost, _ in costs)
    over = [f"{name} ({cost:.1f})" for cost, name in costs if cost > e.minutes]
    asked_of = {(name, seed) for t in e.tables for name in (*t.rows, *t.controls) for seed in range(e.seeds)}
    missing = sorted(name for name, seed in asked_of if Cell(name, seed) not in results.logs)
    lines = [f"{len(costs)} cells, {total:.0f} core-minutes together, {total / len(costs):.1f} on average, "
             f"{costs[-1][0]:.1f} at most ({costs[-1][1]})."]
    if over:
        lines.append(f"Above the {e.minutes:g} minutes a cell may cost: {', '.join(over)}.")
    if missing:
        lines.append(f"Not measured yet with seeds 0 to {e.seeds - 1}: {len(missing)} of {len(asked_of)} cells of the "
                     "tables.")
    lines += _pairs(results)
    lines += [f"**{c.says}: not all cells were asked the same questions.**" for c in e.columns if results.several(c)]
    parts = {part: sorted({log.facts["parts"][part] for log in results.logs.values()
                           if part in log.facts.get("parts", {})}) for part in ("vision", "language")}
    for part, found in parts.items():
        lines.append(f"{part}: {', '.join(found) or '-'}" + (" - **of several makes**" if len(found) > 1 else ""))
    return "\n\n".join(lines)


def _pairs(results: Results) -> list[str]:
    """What bootstrapping rows kept."""
    return [f"Bootstrapped by seed {cell.seed}: {log.facts['kept']:,} of {log.facts['described']:,} described boxes "
            f"kept ({log.facts['kept share']:.1%}; the paper: 49.0 %)."
            for cell, log in sorted(results.logs.items()) if "kept share" in log.facts]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)
