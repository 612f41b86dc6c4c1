"""`loupe show`: a recipe as a table with parameters and samples, or a corpus as a page."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from loupe.cli.roots import add_root, roots_of

HELP = """look at a recipe (values, parameters, samples) or at a written corpus (a page)

A recipe: its numbers stage by stage, the trainable parameters of each part, and ten samples as the model will read
them. No weights are needed; without --root the samples are drawn from the procedural world. A corpus: an HTML page with
pictures, questions and answers with their regions, counts by task, and what was left out.

  loupe show pink
  loupe show pink --paths
  loupe show mini-start talk.batch=40 --root data/mini
  loupe show corpora/mini"""
WORLD = 60  # records of the procedural world that stand in for a recipe's sources


def add_arguments(parser) -> None:
    parser.add_argument("what", metavar="RECIPE|CORPUS", help="a recipe by name or as JSON, or a corpus's folder")
    parser.add_argument("change", nargs="*", metavar="path=value", help="changes to the recipe")
    add_root(parser)
    parser.add_argument("--paths", action="store_true", help="print every setting of a recipe as path=value, no more")
    parser.add_argument("--samples", type=int, metavar="N", help="samples shown (10 of a recipe, 24 of a corpus)")
    parser.add_argument("--out", type=Path, metavar="PAGE.html", help="page of a corpus (beside its folder)")
    parser.add_argument("--no-parameters", action="store_true", help="do not count parameters, which loads torch")


def run(args) -> None:
    from loupe.errors import ConfigError, FileError

    roots = roots_of(args.root)
    if Path(args.what).is_dir():
        if args.change:
            raise ConfigError("a corpus cannot be changed", got=" ".join(args.change), where=args.what)
        show_corpus(Path(args.what), args.out, args.samples or 24, roots)
        return
    if "/" in args.what and not args.what.endswith(".json"):
        raise FileError("folder does not exist", got=args.what, expected="a corpus's folder or a recipe's name")
    if args.paths:
        return print_paths(args.what, args.change)
    chosen = show_recipe(args.what, args.change, args.samples or 10, roots, not args.no_parameters)
    same = " ".join([args.what, *(f"--root {root}" for root in args.root or ["DIR"])])
    talks = any(stage.objective == "language" for stage in chosen.stages)
    corpus = f"loupe build {same} --out CORPUS, or " if talks else ""
    print(f"next: {corpus}loupe train {same} --out RUN")


# a recipe


def print_paths(what: str, changes) -> None:
    """Every line can be given back to `loupe train`, changed or not."""
    from loupe import config
    from loupe.cli.build import read_value

    recipe = read_value(what)
    print("\n".join(config.settings(recipe.change(*changes) if changes else recipe)))


def show_recipe(what: str, changes, samples: int, roots, parameters: bool):
    """Prints the recipe and returns it."""
    from loupe.cli.build import read_value
    from loupe.errors import ConfigError

    recipe = read_value(what)
    if not hasattr(recipe, "stages"):
        raise ConfigError("a mixture alone cannot be shown", where=what, do="build it first: loupe build")
    recipe = recipe.change(*changes)
    print(f"{recipe.name}\n")
    for rows in (model_rows(recipe), stage_rows(recipe), source_rows(recipe)):
        print_table(rows)
    if parameters:
        print_table(parameter_rows(recipe))
    for note in recipe.notes:
        print(f"note: {note}")
    print_samples(recipe, samples, roots)
    return recipe


def model_rows(recipe) -> list[list[str]]:
    m = recipe.model
    bridge = m.bridge.kind + ("" if m.bridge.bias else ", no bias")
    bridge += ", 2-D position code" if m.bridge.position else ""
    if m.bridge.mqformer:
        former = m.bridge.mqformer
        bridge += (f", {former.depth} x {former.width}, {former.visual_queries} visual and {former.grounding_queries} "
                   f"grounding queries, cross-attention every {former.cross_every}")
    bridge += f", {m.bridge.merge} tokens into one" if m.bridge.merge > 1 else ""
    return [["model", ""],
            ["vision", f"{backbone(m.vision)}, layer {m.vision.layer}, {m.vision.size} px, {m.vision.frame}"],
            ["bridge", bridge],
            ["language", f"{backbone(m.language)}, up to {m.language.max_length:,} tokens"],
            *([["refiner", m.refiner.name]] if m.refiner else []),
            ["codec", m.codec], ["dialogue", m.dialogue], ["seed", str(recipe.seed)]]


def backbone(spec) -> str:
    if spec.checkpoint:
        return spec.checkpoint
    config = spec.config or {}
    shape = " x ".join(str(config[k]) for k in ("num_hidden_layers", "hidden_size") if k in config)
    return f"{config.get('model_type', 'none')} from random weights" + (f" ({shape})" if shape else "")


def stage_rows(recipe) -> list[list[str]]:
    stages = recipe.stages

    def row(name: str, value) -> list[str]:
        return [name, *(str(value(s)) for s in stages)]

    return [row("stage", lambda s: s.name), row("learns", lambda s: s.objective),
            *(row(f"trains {part}", lambda s, part=part: tuner(getattr(s.tune, part)))
              for part in ("vision", "bridge", "language")),
            row("new tokens", lambda s: s.tune.tokens),
            row("length", lambda s: f"{s.steps:,} steps" if s.steps is not None else f"{s.epochs:g} epochs"),
            row("batch (pairs)", lambda s: s.batch), row("pairs per image", lambda s: s.mixture.pairs_per_image),
            row("learning rate", lambda s: f"{s.optim.lr:g}"),
            row("weight decay", lambda s: f"{s.optim.weight_decay:g}"),
            row("betas", lambda s: "{:g}, {:g}".format(*s.optim.betas)),
            row("warm-up", lambda s: warmup(s.optim.warmup)), row("schedule", lambda s: s.optim.schedule),
            row("clip", lambda s: s.optim.clip), row("precision", lambda s: s.precision),
            row("curriculum", lambda s: curriculum(s.mixture.curriculum)),
            *([row("refiner's features", lambda s: s.refined.features),
               row("views of a picture", lambda s: s.refined.views),
               row("with spatial text", lambda s: f"{s.refined.spatial:.0%} of the questions")]
              if recipe.model.refiner else [])]


def tuner(value) -> str:
    settings = ", ".join(f"{k} {v}" for k, v in vars(value).items() if v is not False)
    return type(value).__name__.lower() + (f" ({settings})" if settings else "")


def warmup(value) -> str:
    return f"{value:g} of the steps" if isinstance(value, float) and value < 1 else f"{value:,} steps"


def curriculum(value) -> str:
    return "none" if value is None else f"{value.start} to {value.end} objects over {value.share:.0%}"


def source_rows(recipe) -> list[list[str]]:
    rows = [["stage", "source", "weight", "reader", "folder", "tasks"]]
    for stage in recipe.stages:
        for source in stage.mixture.sources:
            tasks = ", ".join(name if weight == 1 else f"{name} {weight:g}" for name, weight in source.tasks)
            folder = f"{source.folder}/{source.split}".rstrip("/")
            rows.append([stage.name, source.name, f"{source.weight:.3g}", source.reader, folder, tasks])
    return rows


def parameter_rows(recipe) -> list[list[str]]:
    """Trainable of all parameters per part, counted on the meta device; nothing is fetched."""
    from loupe.errors import LoupeError

    if "huggingface_hub" not in sys.modules:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from loupe.models.assembly import count

    model = recipe.model
    if not model.language.checkpoint:  # its tokenizer is trained to this size when the run starts
        config = {**(model.language.config or {}), "vocab_size": recipe.vocabulary}
        model = replace(model, language=replace(model.language, config=config))
    rows = [["trainable parameters", "vision", "bridge", "language", "new tokens", "together"]]
    for stage in recipe.stages:
        try:
            counts = count(model, stage.tune)
        except LoupeError as error:
            return [["trainable parameters", f"not counted: {error}"]]
        parts = [counts[part] for part in ("vision", "bridge", "language", "tokens")]
        rows.append([stage.name, *(f"{c.trainable:,} of {c.total:,}" for c in parts),
                     f"{sum(c.trainable for c in parts):,} of {sum(c.total for c in parts):,}"])
    return rows


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[k]) for row in rows if k < len(row)) for k in range(max(map(len, rows)))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(widths[k]) if k < len(row) - 1 else cell for k, cell in enumerate(row))
        print(line.rstrip())
        if number == 0:
            print("-" * min(118, sum(widths) + 2 * len(widths) - 2))
    print()


def print_samples(recipe, samples: int, roots) -> None:
    """Samples of the last language stage as the model will read them; what it learns to say is printed below."""
    from loupe.codec import codec
    from loupe.dialogue import dialogue
    from loupe.errors import ConfigError
    from loupe.frame import frame

    stage = ([s for s in recipe.stages if s.objective == "language"] or [None])[-1]
    if stage is None:
        return
    groups, origin = opened(recipe, stage, roots)
    marks, digits, vision = dialogue(recipe.model.dialogue), codec(recipe.model.codec), recipe.model.vision
    print(f"{samples} samples of stage {stage.name} from {origin}; > is what the model learns to say\n")
    try:
        drawn = chosen(groups, samples)
    except ConfigError as error:
        print(f"no samples: {error}")
        return
    for sample in drawn:
        frames = [frame(vision.frame, *size, vision.size) for size in sample.sizes]
        rendered = marks.render(sample, digits, frames)
        learned = "".join(s.text for s in rendered.prefix + rendered.body if s.loss)
        print(f"[{sample.task}]\n{rendered.text()}\n> {learned.strip()}\n")


def opened(recipe, stage, roots) -> tuple:
    """(groups, where from): the recipe's own sources below `roots`, or the world's records in their place."""
    from loupe import world
    from loupe.data.draw import Groups, Records, open_mixture

    if roots:
        groups = open_mixture(stage.mixture, roots, recipe.seed)
        return groups, "its sources"
    records = list(world.records(WORLD, recipe.seed, "train"))
    sources = [Records(source, records, k, recipe.seed) for k, source in enumerate(stage.mixture.sources)]
    if stage.mixture.curriculum is not None:
        for each in sources:
            each.count_objects()
    return Groups(stage.mixture, sources, recipe.seed), "the procedural world (--root DIR: from the recipe's sources)"


# a corpus


def show_corpus(path: Path, out: Path | None, samples: int, roots) -> None:
    from loupe.data.corpus import Corpus
    from loupe.evals.page import write_page

    corpus = Corpus(path, roots)
    out = out or path.resolve().with_name(path.resolve().name + ".html")
    write_page(corpus_page(corpus, path, chosen(corpus, samples)), out)
    print(f"{len(corpus):,} pictures, {corpus.manifest['samples']:,} questions; page: {out}")


def chosen(groups, samples: int) -> list:
    """Samples from pictures evenly over the groups, each time of the task shown least so far."""
    shown, out = Counter(), []
    for k in range(min(samples, len(groups))):
        sample = min(groups[k * len(groups) // samples if len(groups) > samples else k], key=lambda s: shown[s.task])
        shown[sample.task] += 1
        out.append(sample)
    return out


def corpus_page(corpus, path: Path, samples: list):
    """The page: sums, cards, tasks, what was left out, sources."""
    from loupe.evals.page import cards, facts, legend, page, section, table

    m = corpus.manifest
    mean = m["samples"] / max(1, len(corpus))
    sums = facts([("pictures", f"{len(corpus):,}"), ("questions", f"{m['samples']:,}", f"{mean:.1f} per picture"),
                  ("tasks", len(m["tasks"])), ("shards", len(m["shards"])),
                  ("left out", f"{sum(m['drops'].values()):,}", "see below")])
    tasks = [(name, number, f"{number / m['samples']:.1%}") for name, number in m["tasks"].items()]
    sources = [(name, s["records"], s["hash"][:16], sum(s["problems"].values())) for name, s in m["sources"].items()]
    problems = [(name, reason, number) for name, s in m["sources"].items() for reason, number in s["problems"].items()]
    parts = [section("In numbers", sums),
             section("Samples", legend("asked", "true"), cards(map(sample_card, samples)),
                     note="Evenly spread over the corpus, all tasks in turn; not chosen by quality."),
             section("Questions by task", table(tasks, ("task", "questions", "share"))),
             section("Left out while drawing", table(sorted(m["drops"].items()), ("reason", "times"))
                     if m["drops"] else "Nothing."),
             section("Sources", table(sources, ("source", "pictures", "hash of its files", "oddities")),
                     table(problems, ("source", "oddity of its files", "times")) if problems else "")]
    return page(f"Corpus {path.resolve().name}", *parts, lead=f"Written by loupe {m['loupe']} with seed {m['seed']}.")


def sample_card(sample):
    """One dialogue below its picture; a region in the text and on the picture share colour and id."""
    from loupe.errors import ImageError
    from loupe.evals.page import card, join, paragraph, picture, row, tag

    spots, rows = [], []
    for number, turn in enumerate(sample.turns):
        words, found = turn_parts(turn, number)
        spots += found
        rows.append(row(turn.role, words))
    foot = tag("div", tag("span", sample.task), tag("span", sample.id), class_="verdict")
    try:
        shown = join([picture(image, *(s for s in spots if s.region.image == k))
                      for k, image in enumerate(sample.images)])
    except ImageError as error:
        shown = paragraph(f"No picture: {error}")
        print(f"loupe show: {error}", file=sys.stderr)
    return card(shown, *rows, foot)


def turn_parts(turn, number: int) -> tuple:
    """(text with chips, spots on the picture) of one turn."""
    from loupe.evals.page import Html, Spot, chip, join, swatch, text
    from loupe.regions import Colour
    from loupe.sample import Regions

    kind = "asked" if turn.role == "user" else "true"
    words, spots = [], []
    for part in turn.parts:
        if isinstance(part, Regions):
            fresh = [Spot(region, kind, "", f"{kind}{number}-{k}") for k, region in enumerate(part.regions, len(spots))]
            spots += fresh
            words.append(text(" ").join(map(chip, fresh)))
        elif isinstance(part, Colour):
            words.append(swatch(part))
        elif isinstance(part, str):
            words.append(text(part))
    return join(map(Html, words)), spots


