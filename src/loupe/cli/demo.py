"""`loupe demo`: the whole job in one go, with the same functions that a user calls."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loupe.cli.roots import add_root, roots_of
from loupe.errors import ConfigError, FileError
from loupe.shipped import MINI, folder, is_shipped

HELP = """the whole job in one go: the miniature that loupe carries, data, training, scores, a report

  loupe demo
  loupe demo --recipe coco-mini --root coco=photos --out demo-photos

Writes a miniature world, measures and asks the miniature that loupe carries beside trivial baselines, then trains
another for a few minutes from the carried vision tower and language model, measures it on the same questions, and
writes OUT/report.html. About ten minutes on two cores. Run it again after a stop: it goes on where it was.
With --root and a recipe it trains and measures on your own data instead."""
REAL = ("refcoco-val", "coco-unique-val2017", "refcocog-all", "refcoco-describe-val", "coco-counting-val2017",
        "coco-detection-val2017")
QUICK = "mini-quick"  # the suite of benchmarks on the demo's own world
ASKED = 3  # pictures that are asked about
WRITE, READ, SHOW, BUILD, TRAIN, MEASURE, ASK, REPORT = STEPS = (
    "write a miniature world", "read it back", "measure the miniature that loupe carries", "build instruction data",
    "train another from its parts", "measure that one", "ask", "report")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("changes", nargs="*", metavar="path=value", help="changes of the recipe, as in `loupe train`")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="default: demo")
    parser.add_argument("--recipe", default="mini-demo", metavar="NAME", help="default: mini-demo")
    parser.add_argument("--images", type=int, default=4000, metavar="N", help="pictures of the world to train on "
                        "(default: 4000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the world and the training (default: 0)")
    parser.add_argument("--benchmarks", nargs="+", metavar="NAME", help="default: all that the data allows")
    parser.add_argument("--limit", type=int, default=150, metavar="N", help="questions per benchmark (default: 150)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    add_root(parser)


@dataclass
class Demo:
    """What the steps hand on to each other."""

    args: argparse.Namespace
    roots: dict[str, Path]
    recipe: object = None
    read: list[tuple] = field(default_factory=list)  # rows: source, split, pictures, objects, ...
    corpus: Path | None = None
    models: dict[str, object] = field(default_factory=dict)  # the carried one first, then the trained one
    questions: dict[str, object] = field(default_factory=dict)  # by benchmark
    results: list = field(default_factory=list)
    cases: dict[str, list] = field(default_factory=dict)  # by model
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.args.out


def run(args: argparse.Namespace) -> None:
    demo = Demo(args, roots_of(args.root) or {"": args.out / "data"})
    _claim(demo)
    work = {WRITE: _world, READ: _read_back, SHOW: _show, BUILD: _build, TRAIN: _train, MEASURE: _measure_trained,
            ASK: _ask, REPORT: _report}
    steps = [name for name in STEPS if not (args.root and name in (WRITE, SHOW))]
    for number, name in enumerate(steps, 1):
        with _timed(demo, f"[{number}/{len(steps)}]", name):
            work[name](demo)
    picture = _picture(demo)
    talk = f"loupe chat {picture}" if MINI in demo.models else f"loupe chat {demo.out / 'run'} {picture}"
    print(f"\nThe report lies in {demo.out / 'report.html'}; talk to the model next: {talk}")


def _picture(demo: Demo) -> str:
    paths = (case.image.path for cases in demo.cases.values() for case in cases)
    return os.path.normpath(next(paths, "PICTURE"))  # records lie beside their pictures: no records/../coco


@contextmanager
def _timed(demo: Demo, number: str, name: str):
    print(number, name, file=sys.stderr, flush=True)
    start = time.monotonic()
    try:
        yield
    finally:
        demo.seconds[name] = demo.seconds.get(name, 0.0) + time.monotonic() - start
        _remember(demo)


def _settings(args: argparse.Namespace) -> dict:
    return {"recipe": args.recipe, "changes": args.changes, "images": args.images, "seed": args.seed,
            "root": [str(root) for root in args.root]}


def _claim(demo: Demo) -> None:
    """Take the folder, or go on with the demo in it; resolve names early, before anything is written."""
    from loupe.evals.benchmark import benchmark
    from loupe.recipes import recipe

    args = demo.args
    chosen = recipe(args.recipe)
    demo.recipe = chosen.change(*args.changes, f"seed={args.seed}")
    for name in args.benchmarks or ():
        benchmark(name)
    parts = [part.checkpoint for part in (demo.recipe.model.vision, demo.recipe.model.language)]
    for name in [MINI] * (not args.root) + parts:
        if is_shipped(name):
            folder(name)
    path = args.out / "demo.json"
    if path.is_file():
        try:
            known = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise FileError("cannot read the demo's state", got=error, where=path, do="delete this file") from None
        wanted = _settings(args)
        differ = [f"{key} {known['settings'].get(key)}, now {wanted[key]}" for key in wanted
                  if known["settings"].get(key) != wanted[key]]
        if differ:
            raise ConfigError("this folder holds another demo", got="; ".join(differ), where=args.out,
                              do="give another --out, or the old settings to go on with it")
        demo.seconds = known["seconds"]
    elif args.out.is_dir() and any(args.out.iterdir()):
        raise FileError("the demo's folder holds other files", got=sorted(p.name for p in args.out.iterdir())[:4],
                        expected="a new or empty folder, or a demo", where=args.out, do="give another --out")
    args.out.mkdir(parents=True, exist_ok=True)
    _remember(demo)


def _remember(demo: Demo) -> None:
    path = demo.out / "demo.json"
    part = path.with_name("demo.json.part")
    seconds = {name: round(value, 1) for name, value in demo.seconds.items()}
    part.write_text(json.dumps({"settings": _settings(demo.args), "seconds": seconds}, indent=1) + "\n", "utf-8")
    os.replace(part, path)


def _world(demo: Demo) -> None:
    from loupe import world

    world.write(demo.roots[""], demo.args.images, demo.args.seed, world="mini", workers=os.cpu_count() or 1)


def _read_back(demo: Demo) -> None:
    """Every record of every source of the recipe, counted."""
    from tqdm import tqdm

    from loupe.data.draw import place
    from loupe.readers import reader

    sources = {s.name: s for stage in demo.recipe.stages for s in stage.mixture.sources}
    for source in sources.values():
        records = reader(source.reader)(place(demo.roots, source.folder), source.split, **source.options)
        found = dict.fromkeys(("objects", "phrases", "relations", "captions"), 0)
        for record in tqdm(records, desc=f"reading {source.name}", unit="picture", disable=None):
            for name in found:
                found[name] += len(getattr(record, name))
        mended = sum(records.problems.values())
        demo.read.append((source.name, source.split or "all", len(records), *found.values(), mended))


def _build(demo: Demo) -> None:
    """The question-answer pairs of the language stage, written before training; several stages draw as they train."""
    from loupe.data.corpus import write_corpus
    from loupe.data.draw import open_mixture

    stages = [s for s in demo.recipe.stages if s.objective == "language"]
    if len(stages) != 1:
        return
    stage = stages[0]
    length = {"groups": stage.steps * stage.images} if stage.steps is not None else {"epochs": stage.epochs}
    groups = open_mixture(stage.mixture, demo.roots, demo.recipe.seed, **length)
    demo.corpus = write_corpus(groups, demo.out / "corpus", roots=demo.roots, workers=os.cpu_count() or 1).path


def _show(demo: Demo) -> None:
    from loupe.predictors import load

    demo.models[MINI] = load(MINI, device=demo.args.device)
    _measure(demo, MINI)


def _train(demo: Demo) -> None:
    from loupe.predictors import load
    from loupe.training.run import train

    train(demo.recipe, demo.out / "run", demo.roots, data=demo.corpus, device=demo.args.device)
    model = demo.models[demo.recipe.name] = load(demo.out / "run", device=demo.args.device)
    model.name = demo.recipe.name


def _measure_trained(demo: Demo) -> None:
    _measure(demo, demo.recipe.name)


def _measure(demo: Demo, model: str) -> None:
    """One model on every benchmark, the first one with the baselines beside it."""
    from loupe.cli.evaluate import baselines
    from loupe.evals.runner import evaluate, identity
    from loupe.evals.table import table

    if not demo.questions:
        _open(demo)
    limit, first = demo.args.limit, not demo.results
    weights = identity(demo.models[model])["weights"]  # a later loupe may carry others: those are asked anew
    for name, questions in demo.questions.items():
        out = demo.out / "predictions" / f"{model}-{weights[:8]}" / f"{name}.jsonl"
        shown = [evaluate(demo.models[model], questions, demo.roots, out, limit=limit)]
        if first:
            shown += [evaluate(other, questions, demo.roots, limit=limit, progress=False)
                      for other in baselines(questions, demo.roots).values()]
        demo.results += shown
        print("\n" + table(shown) + "\n", flush=True)


def _open(demo: Demo) -> None:
    from loupe.evals.benchmark import CountError, Shelf, open_questions
    from loupe.evals.suite import names_of

    shelf, args = Shelf(), demo.args
    for name in args.benchmarks or (REAL if args.root else names_of([QUICK])):
        try:
            demo.questions[name] = open_questions(name, demo.roots, "any" if args.root else None, shelf=shelf,
                                                  most=args.limit)
        except (FileError, CountError) as error:
            if args.benchmarks:
                raise
            print(f"{name}: left out ({error})", file=sys.stderr)


def _ask(demo: Demo) -> None:
    """Where is it, what is here, how many are there: on pictures of the first benchmark, every model the same."""
    from loupe.drawing import draw
    from loupe.evals.report import Case
    from loupe.regions import iou
    from loupe.sample import Answer, Regions
    from loupe.tasks import question

    for record, phrase, box in _subjects(demo):
        for name, model in demo.models.items():
            look, cases = model.look(record.image), demo.cases.setdefault(name, [])
            found = look.locate(phrase)
            right = bool(found) and iou(found[0].region, box) >= 0.5
            cases.append(Case(record.image, (f"Where is {phrase}?",), Answer(found), (box,), right))
            words = look.describe(box)
            cases.append(Case(record.image, ("What is in ", Regions((box,)), "?"), words, phrase))
            if record.exhaustive and record.objects:
                kind = record.objects[0].name
                count = sum(o.name == kind for o in record.objects)
                (said,) = look.answers([question("counting", name=kind)])
                cases.append(Case(record.image, (f"How many of these are there: {kind}?",), said, str(count)))
            if not (demo.out / "answer.png").exists():
                draw(look, Answer(found), demo.out / "answer.png", truth=box)


def _subjects(demo: Demo):
    """(record, phrase, box) of held-out pictures: a phrase that fits one object, or a name that one object has."""
    from loupe.data.draw import place
    from loupe.evals.benchmark import benchmark
    from loupe.readers import reader

    if not demo.results:
        return
    what = benchmark(demo.results[0].benchmark)
    records = reader(what.reader)(place(demo.roots, what.folder), what.split, **what.options)
    left, step = ASKED, max(1, len(records) // (4 * ASKED))
    for index in range(0, len(records), step):
        record = records[index]
        names = [o.name for o in record.objects]
        pairs = [(p.text, p.region.box) for p in record.phrases if p.refers] or [
            (f"the {o.name}", o.box) for o in record.objects
            if names.count(o.name) == 1 and not o.crowd and o.box.area > what.least_area]
        if pairs and left:
            left -= 1
            yield record, *pairs[0]


def _report(demo: Demo) -> None:
    from loupe.evals import page
    from loupe.evals.report import cases, evaluation_page, legend
    from loupe.training.run import Run

    trained, out, names = Run(demo.out / "run"), demo.out, tuple(demo.models)
    firsts = [next(r for r in demo.results if r.model == name) for name in names] if demo.results else []
    size = sum(p.numel() for p in demo.models[demo.recipe.name].vlm.parameters())
    facts = page.facts([
        *((f"{r.model}: {r.benchmark}, {r.scores.main.name}", f"{r.scores.main.value:.1%}",
           f"of {r.scores.main.count} questions") for r in firsts),
        ("time", minutes(sum(demo.seconds.values())), f"training {minutes(demo.seconds.get(TRAIN, 0))}"),
        ("parameters", f"{size / 1e6:.1f} M", "all parts"),
        ("training", f"{trained.manifest.get('pairs', 0):,}", f"questions on {trained.manifest.get('images', 0):,}"),
    ])
    asked = [page.section(f"Asked about regions: {name}", legend("true", "predicted", "asked"), cases(shown),
                          note="The questions that loupe chat answers too, on pictures no model has seen.")
             for name, shown in demo.cases.items()]
    head = "source", "split", "pictures", "objects", "phrases", "relations", "captions", "mended or left out"
    data = page.section("What was read", page.table(demo.read, head))
    curve = page.section("Training", *_curves(trained.metrics), note="Loss per answer token, or per patch.")
    where = page.section("Time", page.table([(step, demo.seconds[step]) for step in STEPS if step in demo.seconds],
                                            ("step", "seconds")))
    results = sorted(demo.results, key=lambda r: names.index(r.model) if r.model in names else len(names))
    whole = evaluation_page(results, names, demo.roots, title="loupe demo", before=(facts, *asked), lead=_lead(demo),
                            after=(curve, data, where), then=_next(demo))
    page.write_page(whole, out / "report.html")


def _lead(demo: Demo) -> str:
    if MINI not in demo.models:
        return "A model that talks about regions: trained, measured and asked here."
    return (f"{MINI} is the miniature that loupe carries, trained for longer; {demo.recipe.name} was trained here from "
            "the same vision tower and a language model that had read about scenes but never seen one.")


def _next(demo: Demo) -> tuple[str, ...]:
    """A sentence and the commands to run next."""
    args, out, name = demo.args, demo.out, demo.recipe.name
    root = " ".join(f"--root {root}" for root in args.root) or f"--root {demo.roots['']}"
    measured = demo.results[0].benchmark if demo.results else "NAME"
    carried = [f"loupe chat {_picture(demo)}"] * (MINI in demo.models)
    return ("Talk to the models, measure one on every question, or train the recipe alone:", *carried,
            f"loupe chat {out / 'run'} {_picture(demo)}", f"loupe evaluate {out / 'run'} {measured} {root}",
            f"loupe train {name} {root} --out {out.with_name(out.name + '-long')}")


def _curves(metrics: list[dict]) -> list:
    """One chart per stage; of a language stage the five most frequent tasks."""
    from loupe.evals.page import chart

    out = []
    for stage in dict.fromkeys(line["stage"] for line in metrics):
        lines = [line for line in metrics if line["stage"] == stage]
        series = {f"{stage}: all": [(line["step"], line["loss"]) for line in lines]}
        for task in sorted({name for line in lines for name in line["losses"]})[:4]:
            series[task] = [(line["step"], line["losses"][task]) for line in lines if task in line["losses"]]
        out.append(chart(series, "updates", "loss", f"loss of stage {stage}"))
    return out


def minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
