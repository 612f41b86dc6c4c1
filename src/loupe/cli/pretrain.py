"""`loupe pretrain`: a part of a model before the language joins."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.cli.train import add_run_arguments, overrides, start

HELP = """Train a vision tower densely: every patch learns its object's class, attributes and box.

  loupe pretrain vision --dense --root DATA --out runs/tower
  loupe pretrain vision --dense coco-mini see.steps=2000 --root coco=/data/coco --out runs/tower

Runs the dense stages of a recipe alone (default mini-start).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", choices=["vision"], help="what to train")
    parser.add_argument("overrides", metavar="RECIPE path=value", nargs="*",
                        help="recipe whose dense stages are run, and settings to change")
    parser.add_argument("--dense", action="store_true", required=True, help="supervise each patch by the objects")
    parser.add_argument("--out", required=True, type=Path, help="run folder: new, or of the same recipe to go on")
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from loupe.errors import ConfigError
    from loupe.recipes import recipe

    given = list(args.overrides)
    name = given.pop(0) if given and "=" not in given[0] else "mini-start"
    chosen = recipe(name).change(*overrides(given, recipe(name)))
    stages = tuple(stage for stage in chosen.stages if stage.objective == "dense")
    if not stages:
        raise ConfigError("this recipe has no dense stage", got=name, do="choose one that has, as mini-start")
    return start(replace(chosen, name=f"{name}-tower", stages=stages), args)
