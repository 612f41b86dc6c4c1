"""`loupe evaluate`: a model on benchmarks, beside trivial baselines on the same questions."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from loupe.cli.found_boxes import REFINER, found_boxes
from loupe.cli.roots import add_count, add_root, roots_of
from loupe.cli.scoring import add_scoring, judged, scoring_of
from loupe.cli.seeing import add_seeing, seeing
from loupe.cli.shared import answer_part_of, answer_parts, check_shared
from loupe.errors import ConfigError, FileError
from loupe.evals.benchmark import Shelf
from loupe.evals.chatspot import JITTERED
from loupe.evals.jitter import SCALES
from loupe.evals.miniature import LIMIT

HELP = """measure a model on benchmarks, beside trivial baselines

  loupe evaluate list                                                              names of benchmarks and suites
  loupe evaluate runs/mini refcoco-val,refcoco-testA --root data/mini
  loupe evaluate runs/photos refcocog-all --root refer=photos/refer --count any    fewer pictures than were published
  loupe evaluate runs/mine cups.json --root .                                      a benchmark of your own
  loupe evaluate http://localhost:8000/v1#qwen3-vl-8b pope-random --root /data     a model behind an endpoint
  loupe evaluate runs/pink pink --root /data                                       a suite: all of the paper's tables
  loupe evaluate runs/pink refcoco-val,refcoco-testA --root /data --workers 8      a process, or a GPU, each
  loupe evaluate runs/pink refcoco-val --root /data --out judged --part 3/8        one of eight machines
  loupe evaluate mini mini --root data/judging/mini --out judged                   a miniature against its goals
  loupe evaluate runs/mine mini-quick --root data/judging/mini --limit 100 --curve
  loupe evaluate runs/spot coco-classes-found-val2017 --root /data --boxes dino.json --encoder clip:clip-vit-large

A name that stands for several benchmarks is a suite; of each it asks 300 questions unless --limit says otherwise. The
suites pink, lyrics and pae ask all questions of those of their papers' benchmarks whose data is there (300 of each,
too, where another suite stands beside them).
Every answer is kept in OUT/<benchmark>.jsonl as it comes; the same command after a stop goes on from there.
--workers shares the pictures out to processes of this machine; --part K/N to machines with one folder --out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="checkpoint or run folder, mini (which loupe carries), a "
                        "transformers folder or id, http://host/v1#model, or a baseline's name; or: list")
    parser.add_argument("benchmarks", metavar="BENCHMARK[,BENCHMARK]", nargs="?", default="",
                        help="names (`loupe evaluate list`), suites, or files: a benchmark of your own as JSON")
    add_root(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where predictions and report.html go "
                        "(default: evaluation/ in the model's folder)")
    add_count(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="only N of the questions, a random choice that is "
                        "always the same (default: all; of a suite's benchmarks 300 each)")
    parser.add_argument("--blind", action="store_true", help="also ask the model without showing it the pictures "
                        "(mini-* always do)")
    parser.add_argument("--without", metavar="MODULE[,MODULE]", help="show these modules a blank picture: tower, or "
                        "refiner, detector, segmenter of a model that has them (answers in OUT/without-MODULE)")
    parser.add_argument("--curve", action="store_true", help="measure every checkpoint of the run MODEL, and draw the "
                        "scores against the pictures it has seen")
    parser.add_argument("--boxes", metavar="FILE", help="found boxes in COCO's layout of results, or refiner[:FOLDER] "
                        "(for *-found benchmarks)")
    parser.add_argument("--jitter", metavar="S[,S]", help="also move the regions by these shares of their boxes, and "
                        "draw what that costs")
    parser.add_argument("--jitter-seeds", type=int, default=5, metavar="N", help="draws of each amount (5)")
    add_scoring(parser)
    add_seeing(parser)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the pictures of each "
                        "benchmark, a GPU each where there are several (default: 1)")
    parser.add_argument("--part", type=_part, metavar="K/N", help="answer only the K-th of N parts of each benchmark "
                        "and stop, as one of several machines; then the command without it scores the whole")
    parser.add_argument("--batch", type=int, metavar="N", help="questions answered side by side (default: 64)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer (default: 128)")
    parser.add_argument("--constrain", metavar="KIND", help="hold answers to a form: box, boxes, point, free, ...")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16 (default: float32)")


def _part(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not (slash and part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected K/N, as 1/8 to 8/8")
    return int(part), int(parts)


def run(args: argparse.Namespace) -> None:
    from loupe.evals.suite import PAPERS, SUITES, names_of
    from loupe.predictors import BASELINES

    if args.model == "list":
        return _list()
    given = [name for name in args.benchmarks.split(",") if name]
    if not given:
        raise ConfigError("no benchmark is named", expected="BENCHMARK[,BENCHMARK]", do="see `loupe evaluate list`")
    suite = any(name in SUITES for name in given)
    if args.jitter is None and any(name in JITTERED for name in given):
        args.jitter = ",".join(map(str, SCALES))
    if args.limit is None and any(name in SUITES and name not in PAPERS for name in given):
        args.limit = LIMIT
    check_shared(args)
    place = _place(args.model)
    roots, out = roots_of(args.root), args.out or place
    out = out / f"without-{args.without.replace(',', '-')}" if args.without else out
    scoring = scoring_of(args)
    if args.jitter is not None:
        from loupe.cli.jitter import jitter
        from loupe.predictors import baseline

        made = baseline(args.model) if args.model in BASELINES else model_of(args)
        return jitter(args, names_of(given), roots, out, made, scoring)
    may_lack = set(names_of(each for each in given if each in PAPERS)) - set(
        names_of(each for each in given if each not in PAPERS))
    opened = _open(names_of(given), roots, args, suite, out, may_lack)  # wrong data before a model is loaded
    if args.curve:
        from loupe.cli.curve import curve

        return curve(args, opened, roots, out)
    if args.model not in BASELINES and args.part is not None:
        for path in answer_part_of(args, opened, roots, out):
            print(f"answered: {path}")
        print(f"when all {args.part[1]} parts are there, the same command without --part scores the whole")
        return None
    if args.model not in BASELINES and args.workers > 1:
        answer_parts(args, opened, roots, out)
    predictor = None if args.model in BASELINES else model_of(args)
    opened = _answerable(predictor, opened, may_lack)
    shelf, results, started = Shelf(), [], time.monotonic()
    for questions in opened:
        known = "no number to compare with" if questions.expected is None else f"{questions.expected} expected"
        pictures = len({s.extra["picture"] for s in questions.samples}) if questions.benchmark.boxes else 0
        on = f" about {pictures:,} pictures" if pictures else ""
        print(f"{questions.benchmark.name}: {len(questions)} questions{on}, {known}")
        results += _measure(predictor, questions, roots, out, args, shelf, scoring)
    title = f"{results[0].model}: {', '.join(given)}"
    _report(results, results[0].model, roots, out, time.monotonic() - started, title, args.limit)


def _open(names: list[str], roots, args: argparse.Namespace, suite: bool, out: Path, may_lack: set[str]) -> list:
    """Questions of every benchmark; of a suite those are left out, with a line, whose own folder is not given, and of
    those that `may_lack` their data those that cannot be read."""
    from loupe.evals import benchmark, open_questions
    from loupe.evals.miniature import OWN_ROOT

    shelf, opened = Shelf(), []
    for what in [benchmark(name) for name in names]:
        if suite and OWN_ROOT.get(what.name) not in (None, *roots):
            print(f"{what.name}: left out, it needs --root {OWN_ROOT[what.name]}=FOLDER")
            continue
        boxes = args.boxes or (REFINER if what.name.startswith("mini-") else None)
        boxes = found_boxes(boxes, what, roots, out)
        try:
            opened.append(open_questions(what, roots, args.count, shelf=shelf, most=args.limit, boxes=boxes))
        except FileError as error:
            if what.name not in may_lack:
                raise
            print(f"{what.name}: left out, {error.what}: {error.where or error.got}")
    if not opened:
        raise ConfigError("no benchmark of these has its data", got=f"none of {len(names)}",
                          do="give --root, the folder that holds the data sets' folders (docs/real-data.md)")
    return opened


def _answerable(predictor, opened: list, may_lack: set[str]) -> list:
    """Without the benchmarks whose answers this model cannot weigh, each with a line; refused where one is named by
    itself, or none is left."""
    from loupe.evals.ranked import WEIGHED
    from loupe.predictor import weighing

    kept, refused = [], None
    for questions in opened:
        try:
            if predictor is not None and questions.benchmark.form in WEIGHED:
                weighing(predictor)
        except ConfigError as error:
            if questions.benchmark.name not in may_lack:
                raise
            refused = error
            print(f"{questions.benchmark.name}: left out, {error.what}")
            continue
        kept.append(questions)
    if not kept and refused is not None:
        raise refused
    return kept


def model_of(args: argparse.Namespace):
    from loupe.predictors import load, without

    made = load(args.model, device=args.device, dtype=args.dtype, rows=args.batch, answer=args.max_tokens,
                constrain=args.constrain, **seeing(args))
    return without(made, *args.without.split(",")) if args.without else made


def _measure(predictor, questions, roots, out: Path, args: argparse.Namespace, shelf: Shelf,
             scoring: dict) -> list:
    """Results of the model, then of the baselines; printed as one table."""
    from loupe.evals import evaluate, table
    from loupe.predictors import BASELINES, Blind

    others = baselines(questions, roots, shelf, args.limit is not None)
    if predictor is None and args.model not in others:
        raise ConfigError("this baseline cannot be measured here", got=args.model, where=questions.benchmark.name,
                          expected=", ".join(others) or "a model", do="fitted ones need the benchmark's train split")
    first = predictor or others.pop(args.model)
    shown = [judged(evaluate(first, questions, roots, out, limit=args.limit, scoring=scoring), args, out)]
    shown += [evaluate(others[name], questions, roots, limit=args.limit, progress=False, scoring=scoring)
              for name in BASELINES if name in others]
    if predictor is not None and asked_blind(questions, args):
        blind = evaluate(Blind(predictor), questions, roots, blind_file(questions, out), limit=args.limit,
                         scoring=scoring)
        shown.append(judged(blind, args, out))
    print("\n" + table(shown) + "\n")
    return shown


def asked_blind(questions, args: argparse.Namespace) -> bool:
    """Always of the world's drawn questions; of photos, whose places are hundreds of thousands, where told to."""
    what = questions.benchmark
    return args.blind or bool(what.draw and what.reader == "records")


def blind_file(questions, out: Path) -> Path:
    return out / f"{questions.benchmark.name}.blind.jsonl"


def baselines(questions, roots, shelf: Shelf | None = None, soon: bool = False) -> dict:
    """Those that can answer this benchmark; those left out are said. soon: as of `beside`."""
    from loupe.predictors.beside import beside

    made, left_out = beside(questions, roots, shelf, soon)
    for line in left_out:
        print(line)
    return made


def _report(results: list, model: str, roots, out: Path, seconds: float, title: str, limit: int | None) -> None:
    from loupe.evals.miniature import JUDGED
    from loupe.evals.page import section, table, write_page
    from loupe.evals.report import evaluation_page
    from loupe.evals.suite import goals_plain, goals_table, scores_of, verdicts, write_scores
    from loupe.world import worlds

    first, on, before = results[0], worlds(roots), []
    found = verdicts(results, model) if on.get("", {}).get("world", JUDGED) == JUDGED else []
    if found:
        print(goals_table(found) + "\n")
        rows = [(v.goal.what, f"{v.figure.value:.1%}", f"{v.goal.must:.0%}",
                 "-" if v.goal.aim is None else f"{v.goal.aim:.0%}", v.said) for v in found]
        before = [section("Goals", table(rows, ("task", "reached", "must", "aim", "")))]
    about = {"model": model, "seconds": round(seconds, 1), "limit": limit, "worlds": on,
             "goals": goals_plain(found)}
    write_scores(scores_of(results, about), out / "scores.json")
    then = ("Score the kept answers again, without the model:", f"loupe score {first.path}")
    whole = evaluation_page(results, model, roots, title=title, before=before, then=then)
    page = write_page(whole, out / "report.html")
    print(f"answers and scores.json in {out}, pictures in {page}; score them again without the model: "
          f"loupe score {first.path}")


def _place(model: str) -> Path:
    """Beside the weights of a run, below the working directory for everything else."""
    from loupe.predictors import named

    what, folder = named(model), Path(model).expanduser()  # a folder without a model is told before any data is read
    return folder / "evaluation" if what.kind == "loupe" else Path("evaluation") / what.label


def _list() -> None:
    from loupe.evals import BENCHMARKS
    from loupe.evals.suite import SUITES
    from loupe.evals.table import aligned

    rows = [("benchmark", "questions", "metric", "folder", "split", "task")]
    rows += [(b.name, str(b.count or "-"), b.metric, b.folder, b.split or "all", b.task) for b in BENCHMARKS.values()]
    print(aligned(rows))
    for name, members in SUITES.items():
        print(f"\n{name}: {', '.join(members)}")
