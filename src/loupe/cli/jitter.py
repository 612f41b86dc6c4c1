"""`loupe evaluate ... --jitter`: the same questions asked by a sloppy hand, as curves, a table and a page."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from loupe.cli.found_boxes import found_boxes
from loupe.errors import ConfigError


def amounts_of(text: str) -> tuple[float, ...]:
    """"0.1,0.2" -> (0, 0.1, 0.2): without noise, too."""
    try:
        given = [float(part) for part in text.split(",")]
    except ValueError:
        given = [-1.0]
    if not all(0 <= a <= 1 for a in given):
        raise ConfigError("no amounts of noise", got=text, expected="0.1,0.2,0.3 (shares of the box)", where="--jitter")
    return tuple(sorted({0.0, *given}))


def jitter(args: argparse.Namespace, named: Sequence[str], roots, out: Path, predictor, scoring: dict) -> None:
    """Answers go on after a stop, a file for each amount and seed; baselines are not asked."""
    from loupe.evals import benchmark, evaluate, open_questions
    from loupe.evals.benchmark import Shelf
    from loupe.evals.jitter import curves, lines
    from loupe.evals.suite import scores_of, write_scores
    from loupe.evals.table import aligned

    amounts, shelf, results = amounts_of(args.jitter), Shelf(), []
    if args.jitter_seeds < 1:
        raise ConfigError("nothing is drawn", got=args.jitter_seeds, expected="1 or more", where="--jitter-seeds")
    opened = [open_questions(what, roots, "any", shelf=shelf, most=args.limit,
                             boxes=found_boxes(args.boxes, what, roots, out)) for what in map(benchmark, named)]
    for questions in opened:  # regions that cannot be moved, before a model is asked
        questions.moved(amounts[-1], 0)
    for questions in opened:
        for amount in amounts:
            for seed in range(args.jitter_seeds if amount else 1):
                results.append(evaluate(predictor, questions.moved(amount, seed), roots, out / "jitter",
                                        limit=args.limit, scoring=scoring))
    found = curves(results, ("accuracy", "AP"))
    print(aligned(lines(found)))
    write_scores(scores_of(results, {"model": predictor.name}), out / "jitter.json")
    page = _page(found, predictor.name, out)
    plain = {name: [{"noise": s.amount, "mean": s.mean, "spread": s.spread, "values": s.values, "N": s.count}
                    for s in spots] for name, spots in found.items()}
    (out / "jitter.curves.json").write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    print(f"curves in {page}, every figure in {out / 'jitter.json'}, answers in {out / 'jitter'}")


def together(found: dict) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Figure -> benchmark -> (amount, mean): boxes and points of one figure stand in one chart."""
    out: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, spots in found.items():
        benchmark, _, figure = name.partition(": ")
        out.setdefault(figure, {})[benchmark] = [(s.amount, s.mean) for s in spots]
    return out


def _page(found: dict, name: str, out: Path) -> Path:
    from loupe.evals import page
    from loupe.evals.jitter import lines

    head, *rows = lines(found)
    spread = {name: {s.amount: s.spread for s in spots} for name, spots in found.items()}
    charts = [page.chart(series, "noise, share of the box", figure, spread={
        name: spread[f"{name}: {figure}"] for name in series}) for figure, series in together(found).items()]
    note = ("Each edge moves by U(-s, s) times the box's width or height, clipped to the picture; a point by as much "
            "of the box it stands for. Means over seeds, with one standard deviation; the same draws serve every s.")
    return page.write_page(page.page(f"{name}: a sloppy hand", page.section("Curves", *charts, note=note),
                                     page.section("Table", page.table(rows, head))), out / "jitter.html")
