"""`loupe evaluate RUN ... --curve`: the checkpoints of a run on a few benchmarks, as curves against pictures seen."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from loupe.errors import ConfigError, FileError

PICTURES, STEPS = "pictures", "updates"


def curve(args: argparse.Namespace, opened: Sequence, roots, out: Path) -> None:
    """Measures every checkpoint that was not measured yet; OUT/curve.jsonl keeps the points of those gone since."""
    from loupe.evals import evaluate
    from loupe.training.resumed import answering, load
    from loupe.training.run import Run

    run = Run(Path(args.model).expanduser())
    if not (run.folder / "recipe.json").is_file():
        raise ConfigError("a curve needs a run", got=args.model, expected="a folder that `loupe train` writes",
                          do="leave out --curve to measure one model")
    kept = out / "curve.jsonl"
    points = read_points(kept)
    done = {(p["checkpoint"], p["benchmark"], p["limit"]) for p in points}
    for progress, path in answering(run):
        left = [q for q in opened if (path.name, q.benchmark.name, args.limit) not in done]
        model = load(path, args.device or "cpu", rows=args.batch) if left else None
        for questions in left:
            result = evaluate(model, questions, roots, limit=args.limit)
            first = result.scores.main
            point = {"checkpoint": path.name, "benchmark": result.benchmark, "limit": args.limit,
                     "updates": progress.updates, "pictures": progress.images, "figure": first.name,
                     "value": first.value, "low": first.low, "high": first.high, "count": first.count}
            points.append(point)
            out.mkdir(parents=True, exist_ok=True)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(point) + "\n")
            print(f"{path.name}, {progress.images:,} pictures: {result.benchmark} {first.name} {first.value:.3f}",
                  flush=True)
    if not points:
        raise ConfigError("this run has no checkpoint to measure yet", where=run.folder / "checkpoints",
                          do="wait for its first one")
    print(f"curves in {_page(points, run.folder.name, out)}; points in {kept}")


def read_points(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise FileError("cannot read the points of a curve", got=error, where=path, do="delete this file") from None


def _page(points: list[dict], name: str, out: Path) -> Path:
    from loupe.evals import page

    points = sorted(points, key=lambda p: p["pictures"])
    series: dict[str, list[tuple[float, float]]] = {}
    for p in points:
        series.setdefault(p["benchmark"].removeprefix("mini-"), []).append((p["pictures"], p["value"]))
    names = list(series)
    charts = [page.chart({n: series[n] for n in names[k:k + 4]}, "pictures seen", "score") for k in
              range(0, len(names), 4)]
    rows = [(p["checkpoint"], p["pictures"], p["benchmark"], p["figure"], p["value"], p["count"]) for p in points]
    head = "checkpoint", "pictures", "benchmark", "figure", "value", "N"
    return page.write_page(page.page(f"{name}: scores while it learns", page.section("Curves", *charts),
                                     page.section("Points", page.table(rows, head))), out / "curve.html")
