"""`loupe check RECIPE`: what of a recipe's or a mixture's data is there."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from loupe.cli.roots import add_root, roots_of

HELP = """say what of a recipe's data lies in a folder, what is missing, and the totals reached

  loupe check chatspot --root DATA
  loupe check mixture.json --root DATA

What was left out or is odd stands below its source, with the first example. Pairs and dialogues are counted in
400 pictures a source and reckoned from them ("about"); --exact reads all. Leaves with exit code 2 if something is
missing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE|MIXTURE.json", help="name of a recipe: chatspot, pink, ...; "
                        "or a mixture or recipe as JSON")
    add_root(parser, required=True)
    parser.add_argument("--exact", action="store_true", help="count the pairs of every picture")


def run(args: argparse.Namespace) -> int:
    from loupe.cli.build import read_value
    from loupe.data.stock import LOOKED_AT, held_out, stocks

    made, roots = read_value(args.recipe), roots_of(args.root)
    mixtures = [stage.mixture for stage in made.stages] if hasattr(made, "stages") else [made]
    published, totals = said_by(args.recipe)
    every = [(mixture, source) for mixture in mixtures for source in mixture.sources]
    reached: dict[tuple, int] = {}  # a folder's pictures count once, however many sources read them
    pairs = dialogues = missing = 0
    about = odd = False
    print(f"{'source':<18}{'pictures':>10}{'published':>11}{'pairs':>11}{'dialogues':>11}  folder")
    for stock in stocks(every, roots, None if args.exact else LOOKED_AT):
        source = stock.source
        folder = "/".join(part for part in (source.folder, source.split) if part)
        if stock.missing:
            missing += 1
            print(f"{source.name:<18}{'unusable':>10}{number(published.get(source.name)):>11}{'':>22}  {folder}\n"
                  f"    {stock.missing}")
            print_odd(stock.left_out, stock.examples)
            continue
        place = (source.reader, source.folder, source.split)
        if stock.shows:
            reached[place] = max(reached.get(place, 0), stock.pictures)
        pairs, dialogues, about = pairs + stock.pairs, dialogues + stock.dialogues, about or not stock.exact
        mark = "" if stock.exact else "~"
        pictures = f"{stock.pictures:,}" if stock.shows else "none"
        print(f"{source.name:<18}{pictures:>10}{number(published.get(source.name)):>11}"
              f"{mark + format(stock.pairs, ','):>11}{mark + format(stock.dialogues, ','):>11}  {folder}")
        print_odd(stock.left_out, stock.examples)
        odd = odd or bool(stock.left_out)
    for held in {h: None for mixture in mixtures for h in mixture.held_out}:
        why = held_out(held, roots)
        if why:
            missing += 1
            print(f"cannot hold out {held.reader} {held.split}: {why}")
    found = {"pictures": sum(reached.values()), "pairs": pairs, "dialogues": dialogues}
    print(f"in all{' about' if about else ''}: " + ", ".join(
        f"{count:,} {what}" + (f" (the paper: {totals[what]:,})" if what in totals else "")
        for what, count in found.items()))
    be = "is" if missing == 1 else "are"
    trains = hasattr(made, "stages")
    roots_said = " ".join(f"--root {root}" for root in args.root)
    name = args.recipe.removesuffix(".json").rpartition("/")[2]
    there = "every source is there, what is odd or left out stands above" if odd else "everything is there"
    print(f"{missing} of its folders {be} missing or wrong; docs/real-data.md and docs/own-data.md say how they should "
          "lie" if missing else
          f"{there}; next: loupe {'train' if trains else 'build'} {args.recipe} {roots_said} "
          f"--out {'runs' if trains else 'corpora'}/{name}")
    return 2 if missing else 0


def said_by(name: str) -> tuple[dict[str, int], dict[str, int]]:
    """(training pictures published by source, the paper's totals) where a paper states them."""
    from loupe.recipes import chatspot

    return (chatspot.PUBLISHED, chatspot.TOTALS) if name in ("chatspot", "chatspot-665k") else ({}, {})


def print_odd(left_out: Mapping[str, int], examples: Mapping[str, str]) -> None:
    """Below its source: each reason, how often, the first example."""
    for reason, count in sorted(left_out.items()):
        example = examples.get(reason, "")
        print(f"    odd or left out: {count:,} x {reason}" + (f" ({example:.80})" if example else ""))


def number(value: int | None) -> str:
    return f"{value:,}" if value else ""
