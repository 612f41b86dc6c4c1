"""`loupe ship`: a finished run becomes a part that the package carries."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.cli.roots import add_root, roots_of
from loupe.errors import ConfigError
from loupe.shipped import SHIPPED

HELP = """turn a finished run into a part that loupe carries: half precision and a model card

  loupe ship runs/tower loupe/tower
  loupe ship runs/language loupe/language --rebuilt runs/language-again
  loupe ship runs/tower-again loupe/tower --beside          a second run's figures on the card, the part stays
  loupe ship runs/mini mini --scores runs/mini/evaluation/scores.json shifted/scores.json --into parts

Parts: mini, loupe/vision, loupe/tower, loupe/language, loupe/refiner. The card's figures come from the run and from
files of scores, one of each world it was judged on. Without --into the part goes into the checkout that loupe runs
from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("part", metavar="PART", help=f"what it becomes: {', '.join(SHIPPED)}")
    parser.add_argument("--scores", nargs="+", type=Path, default=[], metavar="FILE",
                        help="scores.json of `loupe evaluate`, or files of predictions, for the card")
    parser.add_argument("--rebuilt", type=Path, metavar="RUN", help="a second run of the same recipe from another "
                        "seed; its scores stand beside the first's")
    parser.add_argument("--rebuilt-scores", nargs="+", type=Path, default=[], metavar="FILE",
                        help="as --scores, of the second run, in the same order")
    parser.add_argument("--beside", action="store_true", help="RUN is a second run of the part's recipe from another "
                        "seed: put its scores on the part's card, where the first run is gone")
    parser.add_argument("--into", type=Path, metavar="DIR", help="folder of parts (default: the checkout's own)")
    add_root(parser)


def run(args: argparse.Namespace) -> None:
    from loupe import shipped
    from loupe.errors import unknown_name

    if args.part not in SHIPPED:
        raise unknown_name("part of the package", args.part, SHIPPED)
    if args.into is None and not (shipped.home().parents[2] / "pyproject.toml").is_file():
        raise ConfigError("loupe does not run from a checkout", got=shipped.home(), do="give a folder with --into")
    from loupe.miniature.ship import beside, ship

    if args.beside:
        card = beside(args.run, args.part, base_recipe(args.run, args.part), args.into)
        print(f"figures of {args.run} stand on {card}")
        return
    place = ship(args.run, args.part, base_recipe(args.run, args.part), scores=args.scores, rebuilt=args.rebuilt,
                 rebuilt_scores=args.rebuilt_scores, roots=roots_of(args.root), into=args.into)
    size = (place / shipped.WEIGHTS).stat().st_size
    print(f"{args.part} lies in {place}: {shipped.parameters(place / shipped.WEIGHTS):,} parameters, {size / 1e6:.1f} "
          f"MB; read its card: {place / shipped.CARD}")


def base_recipe(run: Path, part: str):
    """This version's recipe of the run, which its command on the card starts from."""
    from loupe.cli.pretrain import RECIPE_OF, found
    from loupe.recipes import RECIPES, recipe
    from loupe.training.folder import read

    name = read(run / "recipe.json")["name"]
    if name in RECIPES:
        return recipe(name)
    own = RECIPE_OF.get(part.removeprefix("loupe/"))
    if own is None or found(own).name != name:
        raise ConfigError("this run's recipe is none of loupe's, so nobody could run it again", got=name, where=run,
                          expected=found(own).name if own else ", ".join(RECIPES), do="train the part's own recipe")
    return found(own)
