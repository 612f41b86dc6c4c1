"""`loupe evaluate`: a model on benchmarks, beside trivial baselines on the same questions."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.cli.roots import add_root, roots_of
from loupe.errors import ConfigError, LoupeError

HELP = """measure a model on benchmarks, beside trivial baselines

  loupe evaluate runs/mini refcoco-val,refcoco-testA --root data/mini
  loupe evaluate runs/photos refcocog-all --root refer=photos/refer --count any
  loupe evaluate whole-image refcoco-val --root /data

Every answer is kept in OUT/<benchmark>.jsonl as it comes; the same command after a stop goes on from there.
`loupe evaluate list` names the benchmarks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="checkpoint or run folder, or a baseline's name; or: list")
    parser.add_argument("benchmarks", metavar="BENCHMARK[,BENCHMARK]", nargs="?", default="")
    add_root(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where predictions and report.html go "
                        "(default: evaluation/ in the model's folder)")
    parser.add_argument("--count", type=_count, metavar="N", help="number of questions there must be, or any "
                        "(default: counts.json of the root, else the published number)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
    parser.add_argument("--batch", type=int, metavar="N", help="questions answered side by side (default: 64)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer (default: 128)")
    parser.add_argument("--constrain", metavar="KIND", help="hold answers to a form: box, boxes, point, free, ...")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16 (default: float32)")


def _count(text: str) -> int | str:
    if text != "any" and not text.isdigit():
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number or any")
    return text if text == "any" else int(text)


def run(args: argparse.Namespace) -> None:
    from loupe.evals import benchmark, open_questions
    from loupe.predictors import BASELINES

    if args.model == "list":
        return _list()
    names = [benchmark(name).name for name in args.benchmarks.split(",") if name]
    if not names:
        raise ConfigError("no benchmark is named", expected="BENCHMARK[,BENCHMARK]", do="see `loupe evaluate list`")
    roots = roots_of(args.root)
    opened = [open_questions(name, roots, args.count) for name in names]  # wrong data before a model is loaded
    predictor = None if args.model in BASELINES else _model(args)
    out = args.out or _place(args.model)
    results = []
    for questions in opened:
        known = "no number to compare with" if questions.expected is None else f"{questions.expected} expected"
        print(f"{questions.benchmark.name}: {len(questions)} questions, {known}")
        results += _measure(predictor, questions, roots, out, args)
    _report(results, results[0].model, roots, out)


def _model(args: argparse.Namespace):
    from loupe.predictors import load

    return load(args.model, device=args.device, dtype=args.dtype, rows=args.batch, answer=args.max_tokens,
                constrain=args.constrain)


def _measure(predictor, questions, roots, out: Path, args: argparse.Namespace) -> list:
    """Results of the model, then of the baselines; printed as one table."""
    from loupe.evals import evaluate, table
    from loupe.predictors import BASELINES

    others = baselines(questions, roots)
    if predictor is None and args.model not in others:
        raise ConfigError("this baseline cannot be measured here", got=args.model, where=questions.benchmark.name,
                          expected=", ".join(others) or "a model", do="fitted ones need the benchmark's train split")
    first = predictor or others.pop(args.model)
    shown = [evaluate(first, questions, roots, out, limit=args.limit)]
    shown += [evaluate(others[name], questions, roots, limit=args.limit, progress=False)
              for name in BASELINES if name in others]
    print("\n" + table(shown) + "\n")
    return shown


def baselines(questions, roots) -> dict:
    """Those that can answer this benchmark; fitted ones where its training split is there."""
    from loupe.evals import open_questions
    from loupe.predictors import baseline
    from loupe.predictors.baselines import FITTED, FOR

    what, made, train = questions.benchmark, {}, None
    for name in FOR.get(what.metric, ()):
        if name not in FITTED:
            made[name] = baseline(name)
        elif what.fit:
            try:
                train = train or open_questions(what, roots, split=what.fit).samples
                made[name] = baseline(name, train)
            except LoupeError as error:
                print(f"{name} is left out: {error}")
    return made


def _report(results: list, model: str, roots, out: Path) -> None:
    from loupe.evals.page import write_page
    from loupe.evals.report import evaluation_page

    first = results[0]
    then = ("Score the kept answers again, without the model:", f"loupe score {first.path}")
    page = write_page(evaluation_page(results, model, roots, then=then), out / "report.html")
    print(f"answers in {out}, pictures in {page}; score them again without the model: loupe score {first.path}")


def _place(model: str) -> Path:
    folder = Path(model).expanduser()
    return folder / "evaluation" if folder.is_dir() else Path("evaluation") / model


def _list() -> None:
    from loupe.evals import BENCHMARKS
    from loupe.evals.table import aligned

    rows = [("benchmark", "questions", "metric", "folder", "split", "task")]
    rows += [(b.name, str(b.count or "-"), b.metric, b.folder, b.split or "all", b.task) for b in BENCHMARKS.values()]
    print(aligned(rows))
