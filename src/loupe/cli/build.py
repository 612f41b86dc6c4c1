"""`loupe build`: the questions of a recipe's stage or of a mixture, drawn once and written as a corpus."""

from __future__ import annotations

import json
from pathlib import Path

from loupe.cli.roots import add_root, roots_of

HELP = """write the questions and answers of a recipe or mixture to disk

Reads annotated folders, draws pictures and questions as training would, and writes them as JSON lines with a manifest:
what was drawn, hashes of what it was drawn from, and what was left out and why. Pictures are named, not copied. The
same inputs give the same bytes; a build that was stopped goes on from the last finished shard. `loupe train RECIPE
--data OUT` trains on it; `loupe show OUT` makes a page of it.

  loupe build mini-start --root data/mini --out corpora/mini
  loupe build pink --root data --root coco=/disk2/coco --out corpora/pink sources.llava.weight=2"""


def add_arguments(parser) -> None:
    parser.add_argument("what", metavar="RECIPE|MIXTURE.json", help="name of a recipe, or a mixture or recipe as JSON")
    parser.add_argument("change", nargs="*", metavar="path=value", help="changes to the mixture: sources.coco.weight=2")
    add_root(parser, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the corpus's folder, new or begun")
    parser.add_argument("--stage", metavar="NAME", help="stage of the recipe (the last one that trains language)")
    parser.add_argument("--seed", type=int, metavar="N", help="of all drawing (the recipe's; 0 for a mixture)")
    parser.add_argument("--epochs", type=float, metavar="N", help="times to go over the pictures (1)")
    parser.add_argument("--groups", type=int, metavar="N", help="pictures to write with their questions, not epochs")
    parser.add_argument("--shard-size", type=int, default=1000, metavar="N", help="pictures per shard (1000)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes; changes no byte (1)")
    parser.add_argument("--templates", type=Path, metavar="DIR", help="your own wordings, named as the built-in files")


def run(args) -> None:
    from loupe.cli.check import print_odd
    from loupe.data.corpus import write_corpus
    from loupe.data.draw import open_mixture
    from loupe.errors import ConfigError

    if args.epochs is not None and args.groups is not None:
        raise ConfigError("a corpus has one length", got="--epochs and --groups", expected="one of them")
    mixture, seed = read_mixture(args.what, args.stage, args.change)
    roots = roots_of(args.root)
    groups = open_mixture(mixture, roots, seed if args.seed is None else args.seed, epochs=args.epochs,
                          groups=args.groups, templates=str(args.templates) if args.templates else None)
    corpus = write_corpus(groups, args.out, shard_size=args.shard_size, roots=roots, workers=args.workers)
    for reason, number in sorted(corpus.drops.items()):
        print(f"{number:>10,}  {reason}")
    for each in groups.opened:
        if each.records.problems:
            print(f"{each.source.name}, as far as it was read (all of it: loupe check --exact):")
            print_odd(each.records.problems, {why: some[0] for why, some in each.records.examples.items() if some})
    named = args.what if not args.what.endswith(".json") else "RECIPE"
    same = " ".join([named, f"--data {args.out}", *(f"--root {root}" for root in args.root)])
    print(f"{corpus.manifest['samples']:,} questions on {len(corpus):,} pictures in {args.out}; "
          f"next: loupe show {args.out}, or loupe train {same} --out RUN")


def read_mixture(what: str, stage: str | None, changes) -> tuple:
    """(mixture, seed) of a recipe's stage, or of a JSON file that holds a recipe or a mixture."""
    from loupe import config
    from loupe.data.mixture import Mixture
    from loupe.errors import ConfigError, unknown_name

    value = read_value(what)
    if isinstance(value, Mixture):
        if stage:
            raise ConfigError("a mixture has no stages", got=f"--stage {stage}", where=what)
        mixture, seed = value, 0
    else:
        stages = {s.name: s for s in value.stages}
        if stage and stage not in stages:
            raise unknown_name("stage", stage, stages, f"recipe {value.name}")
        language = [s for s in value.stages if s.objective == "language"] or list(value.stages)
        mixture, seed = (stages[stage] if stage else language[-1]).mixture, value.seed
    for change in changes:
        mixture = config.change(mixture, change)
    return mixture, seed


def read_recipe(what: str):
    """The recipe of that name, or the one a JSON file holds."""
    from loupe.errors import ConfigError

    value = read_value(what)
    if not hasattr(value, "stages"):
        raise ConfigError("a mixture alone cannot be trained on", where=what,
                          do="build it (loupe build) and give a recipe the corpus: loupe train RECIPE --data CORPUS")
    return value


def read_value(what: str):
    """The recipe of that name, or what a JSON file holds: a Recipe (it has stages) or a Mixture."""
    from loupe import config
    from loupe.data.mixture import Mixture
    from loupe.errors import ConfigError, FileError

    if not what.endswith(".json"):
        from loupe.recipes import recipe

        return recipe(what)
    try:
        data = json.loads(Path(what).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError("cannot read settings", got=error.strerror, where=what) from None
    except ValueError as error:
        raise FileError("not JSON", got=error, where=what) from None
    if not isinstance(data, dict) or not {"stages", "sources"} & data.keys():
        raise ConfigError("neither a mixture nor a recipe", expected='a key "sources" or "stages"', where=what)
    if "stages" in data:
        from loupe.training.recipe import Recipe

        return config.from_json(Recipe, data)
    return config.from_json(Mixture, data)
