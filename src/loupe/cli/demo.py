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
from loupe.cli.train import overrides
from loupe.errors import ConfigError, FileError

HELP = """the whole job in one go: data, training, scores, questions, a report

Writes a miniature world in the layouts of real data sets, reads it back, builds instruction data, trains a
region-talking model, measures it on pictures it has not seen beside trivial baselines, asks it about regions, and
writes OUT/report.html. About ten minutes on two cores. Run it again after a stop: it goes on where it was.
With --root it does the same on your own data."""
STEPS = ("write a miniature world", "read it back", "build instruction data", "train", "measure", "ask", "report")
WORLD = ("refcoco-val", "refcoco-describe-val", "coco-counting-val2017", "coco-detection-val2017")
REAL = ("refcoco-val", "coco-unique-val2017", "refcocog-all", "refcoco-describe-val", *WORLD[2:])
ASKED = 4  # pictures that are asked about


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("changes", nargs="*", metavar="PATH=VALUE", help="changes of the recipe, as in `loupe train`")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="default: demo")
    parser.add_argument("--recipe", default="mini-start", metavar="NAME", help="default: mini-start")
    parser.add_argument("--images", type=int, default=6000, metavar="N", help="pictures of the world to train on "
                        "(default: 6000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the world and the training (default: 0)")
    parser.add_argument("--benchmarks", nargs="+", metavar="NAME", help="default: all that the data allows")
    parser.add_argument("--limit", type=int, default=400, metavar="N", help="questions per benchmark (default: 400)")
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
    model: object = None
    results: list = field(default_factory=list)
    cases: list = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.args.out


def run(args: argparse.Namespace) -> None:
    demo = Demo(args, roots_of(args.root) or {"": args.out / "data"})
    _claim(demo)
    for number, (name, step) in enumerate(zip(STEPS, (_world, _read_back, _build, _train, _measure, _ask, _report)), 1):
        if number == 1 and args.root:
            continue
        with _timed(demo, number, name):
            step(demo)
    picture = demo.cases[0].image.path if demo.cases else "PICTURE"
    print(f"\nThe report lies in {demo.out / 'report.html'}; talk to the model next: "
          f"loupe chat {demo.out / 'run'} {picture}")


@contextmanager
def _timed(demo: Demo, number: int, name: str):
    print(f"[{number}/{len(STEPS)}] {name}", file=sys.stderr, flush=True)
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
    demo.recipe = chosen.change(*overrides(args.changes, chosen), f"seed={args.seed}")
    for name in args.benchmarks or ():
        benchmark(name)
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

    world.write(demo.roots[""], demo.args.images, demo.args.seed, workers=os.cpu_count() or 1)


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


def _train(demo: Demo) -> None:
    from loupe.predictors import load
    from loupe.training.run import train

    train(demo.recipe, demo.out / "run", demo.roots, data=demo.corpus, device=demo.args.device)
    demo.model = load(demo.out / "run", device=demo.args.device)
    demo.model.name = demo.recipe.name


def _measure(demo: Demo) -> None:
    from loupe.cli.evaluate import baselines
    from loupe.evals.benchmark import CountError, open_questions
    from loupe.evals.runner import evaluate
    from loupe.evals.table import table

    wanted = demo.args.benchmarks or (REAL if demo.args.root else WORLD)
    for name in wanted:
        try:
            questions = open_questions(name, demo.roots, "any" if demo.args.root else None)
        except (FileError, CountError) as error:
            if demo.args.benchmarks:
                raise
            print(f"{name}: left out ({error})", file=sys.stderr)
            continue
        limit, out = demo.args.limit, demo.out / "predictions"
        mine = [evaluate(demo.model, questions, demo.roots, out / f"{name}.jsonl", limit=limit)]
        mine += [evaluate(other, questions, demo.roots, limit=limit, progress=False)
                 for other in baselines(questions, demo.roots).values()]
        demo.results += mine
        print("\n" + table(mine) + "\n", flush=True)


def _ask(demo: Demo) -> None:
    """Where is it, what is here, how many are there: on pictures of the first benchmark."""
    from loupe.drawing import draw
    from loupe.evals.report import Case
    from loupe.regions import iou
    from loupe.sample import Answer, Regions
    from loupe.tasks import question

    for record, phrase, box in _subjects(demo):
        look = demo.model.look(record.image)
        found = look.locate(phrase)
        right = bool(found) and iou(found[0].region, box) >= 0.5
        demo.cases.append(Case(record.image, (f"Where is {phrase}?",), Answer(found), (box,), right))
        words = look.describe(box)
        demo.cases.append(Case(record.image, ("What is in ", Regions((box,)), "?"), words, phrase))
        if record.exhaustive and record.objects:
            name = record.objects[0].name
            count = sum(o.name == name for o in record.objects)
            (said,) = look.answers([question("counting", name=name)])
            demo.cases.append(Case(record.image, (f"How many of these are there: {name}?",), said, str(count)))
        if len(demo.cases) <= 3:
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

    trained, out = Run(demo.out / "run"), demo.out
    size = sum(p.numel() for p in demo.model.vlm.parameters())
    first = demo.results[0].scores.main if demo.results else None
    name = demo.recipe.name
    facts = page.facts([
        *([(f"{demo.results[0].benchmark}, {first.name}", f"{first.value:.1%}", f"of {first.count} questions")] if first
          else []),
        ("time", minutes(sum(demo.seconds.values())), f"training {minutes(demo.seconds.get('train', 0))}"),
        ("parameters", f"{size / 1e6:.1f} M", "all parts"),
        ("training", f"{trained.manifest.get('pairs', 0):,}", f"questions on {trained.manifest.get('images', 0):,}"),
    ])
    asked = page.section("Asked about regions", legend("true", "predicted", "asked"), cases(demo.cases),
                         note="The questions that loupe chat answers too, on pictures the model has not seen.")
    head = "source", "split", "pictures", "objects", "phrases", "relations", "captions", "mended or left out"
    data = page.section("What was read", page.table(demo.read, head))
    curve = page.section("Training", *_curves(trained.metrics), note="Loss per answer token (talk) or per patch (see).")
    where = page.section("Time", page.table([(step, demo.seconds[step]) for step in STEPS if step in demo.seconds],
                                            ("step", "seconds")))
    root = " ".join(f"--root {root}" for root in demo.args.root) or f"--root {demo.roots['']}"
    then = ("Talk to this model, measure it on every question, or train the recipe alone:",
            f"loupe chat {out / 'run'} {demo.cases[0].image.path if demo.cases else 'PICTURE'}",
            f"loupe evaluate {out / 'run'} {demo.results[0].benchmark if demo.results else 'NAME'} {root}",
            f"loupe train {name} {root} --out {out.with_name(out.name + '-long')}")
    whole = evaluation_page(demo.results, name, demo.roots, title=f"loupe demo: {name}", before=(facts, asked),
                            lead="A model that talks about regions: built, trained, measured and asked here.",
                            after=(curve, data, where), then=then)
    page.write_page(whole, out / "report.html")


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
