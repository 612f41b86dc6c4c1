"""`loupe reproduce`: a paper's tables in miniature, cell by cell, and the page that shows them beside the paper's."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from loupe.errors import ConfigError, unknown_name

HELP = """train and measure a paper's tables in miniature, and write the page that compares them

  loupe reproduce pink --out runs/pink --quick
  loupe reproduce pink --table data --out runs/pink --seeds 3 --workers 2
  loupe reproduce pink --out runs/pink --only rscd-0
  loupe reproduce pink --out docs/papers --report
  loupe reproduce pae --table photos --photos PICTURES --out runs/pae

A cell is a row with a seed; its log is kept in OUT/logs/PAPER, the page in OUT/PAPER.md. Cells run in processes of one
thread. What is finished is not done again; a stopped cell goes on. --quick runs a few steps and questions of each
cell, to see that everything works."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paper", metavar="PAPER", help="pink, chatspot, lyrics or pae")
    parser.add_argument("--table", metavar="NAME[,NAME]", help="only these tables (default: all of the paper's)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="logs and page")
    parser.add_argument("--work", type=Path, metavar="DIR", help="runs, which are large (default: OUT/work)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the worlds, written when they are missing "
                        "(default: WORK/data)")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to learn from and to ask about others of "
                        "(tables that want some; kept in DATA for later commands)")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1 (default: the experiment's, 3)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="cells at once, a thread each (default: 2)")
    parser.add_argument("--only", metavar="CELL", help="this cell alone, as rscd-0, with those it needs")
    parser.add_argument("--quick", action="store_true", help="a few steps and questions of each cell")
    parser.add_argument("--report", action="store_true", help="only write the page from the logs")


def run(args: argparse.Namespace) -> int:
    from loupe.reproduce import EXPERIMENTS, experiment, photos
    from loupe.reproduce.experiment import quick
    from loupe.reproduce.work import Places

    if args.paper not in EXPERIMENTS:
        raise unknown_name("paper", args.paper, EXPERIMENTS)
    for name in ("seeds", "workers"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise ConfigError(f"--{name} is too small", got=getattr(args, name), expected="1 or more")
    chosen = experiment(args.paper)
    tables = [table.name for name in args.table.split(",") for table in chosen.tables_of(name)] if args.table else [
        table.name for table in chosen.tables]
    work = args.work or args.out / "work"
    places = Places(args.out, work, args.data or work / "data")
    if args.photos is not None:
        print(photos.give(args.photos, places.data))
    if not (args.report or args.only):
        tables = _possible(chosen, tables, places.data)
    args.seeds = args.seeds if args.seeds is not None else chosen.seeds
    chosen = quick(chosen) if args.quick else chosen
    failed = 0 if args.report else _run(args, chosen, tables, places)
    print(_page(args, chosen))
    return 2 if failed else 0


def _possible(chosen, tables: list[str], data: Path) -> list[str]:
    """Those that can be done here; the others are said, and an error where they are all."""
    from loupe.reproduce import photos, playing

    left = {name: why for name in tables if (why := playing.missing(chosen, chosen.table(name))
                                             or photos.missing(chosen.parts(chosen.table(name).columns), data))}
    if len(left) == len(tables):
        raise ConfigError(next(iter(left.values())))
    for name, why in left.items():
        print(f"table {name} is left out: {why}")
    return [name for name in tables if name not in left]


def _run(args: argparse.Namespace, chosen, tables: list[str], places) -> int:
    """Does the cells; returns how many failed."""
    from loupe.reproduce import data, log, photos, pool
    from loupe.reproduce.cell import cell, wanted, with_needs

    cells = with_needs(chosen, cell(chosen, args.only)) if args.only else wanted(chosen, tables, range(args.seeds))
    due = [c for c in cells if not log.finished(args.out, chosen, c)]
    needed = {need for c in due for need in with_needs(chosen, c)} - set(due)

    def finished(c) -> bool:
        """Its log is there, and where a cell still to be done takes it up, its model too."""
        return log.finished(args.out, chosen, c) and (c not in needed or places.product(chosen, c).exists())

    for c in due:
        if why := photos.missing(chosen.columns_of(chosen.row(c.row)), places.data):
            raise ConfigError(why)
    if not due:
        print(f"all {len(cells)} cells are done")
        return 0
    data.write(chosen, places.data, args.workers, due)
    if args.only:
        return _alone(chosen, [c for c in cells if not finished(c)], places)
    columns = chosen.parts(name for table in tables for name in chosen.table(table).columns)
    data.measure_baselines(chosen, args.out, places.data, columns)
    outcome = pool.run(chosen, cells, lambda c: _start(args, c, places), finished, args.workers,
                       lambda c: _last_line(_output(places, c)))
    for failed, why in outcome.failed.items():
        print(f"{failed.name} failed: {why}; all it said: {_output(places, failed)}")
    if outcome.left:
        print(f"{len(outcome.left)} cells that need them were left: {', '.join(c.name for c in outcome.left[:6])}")
    return len(outcome.failed)


def _alone(chosen, cells, places) -> int:
    """In this process, behind what they need."""
    from loupe.reproduce.work import run as do

    for each in cells:
        made = do(chosen, each, places)
        print(f"{each.name}: {made.cost:.2f} core-minutes; " + ", ".join(
            f"{name} {line['value']:.3f}" for name, line in made.columns.items()))
    return 0


def _start(args: argparse.Namespace, cell, places) -> subprocess.Popen:
    """The same command for one cell, in a session of its own: Ctrl-C reaches it through us, once."""
    said = [args.paper, "--only", cell.name, "--out", args.out, "--work", places.work, "--data", places.data]
    output = _output(places, cell)
    output.parent.mkdir(parents=True, exist_ok=True)
    one = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    with open(output, "ab") as file:
        return subprocess.Popen([sys.executable, "-m", "loupe", "reproduce", *map(str, said),
                                 *(["--quick"] if args.quick else [])], stdout=file, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, env=os.environ | one, start_new_session=True)


def _output(places, cell) -> Path:
    return places.work / "output" / f"{cell.name}.txt"


def _last_line(output: Path) -> str:
    lines = output.read_text("utf-8", errors="replace").split("\n") if output.is_file() else []
    return next((line.split("\r")[-1].strip() for line in reversed(lines) if line.strip()), "")


def _page(args: argparse.Namespace, chosen) -> str:
    """Writes the page; what to say of it."""
    from loupe.reproduce import log
    from loupe.reproduce.page import Results, figures, page
    from loupe.writers.files import atomic

    if args.only:
        return f"log in {log.folder(args.out, chosen)}"
    results = Results(chosen, log.known(args.out, chosen), log.baselines(args.out, chosen))
    where = args.out / f"{chosen.name}.md"
    with atomic(where) as file:
        file.write(page(results).encode())
    for name, drawn in figures(results).items():
        with atomic(args.out / name) as file:
            file.write(drawn.encode())
    said = [verdict.said for table in chosen.tables for verdict in results.verdicts(table)]
    return f"{where}: " + ", ".join(f"{said.count(kind)} {kind}" for kind in dict.fromkeys(said))
