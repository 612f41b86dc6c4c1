"""`loupe pretrain`: a part of a model before the language joins."""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from loupe.cli.roots import roots_of
from loupe.cli.train import add_run_arguments, habits, tell
from loupe.errors import ConfigError

HELP = """train one part of a model: a vision tower, a language model or a refiner

  loupe world DATA --world mini --images 60000 --val 2200
  loupe pretrain vision --root DATA --out runs/vision             a CLIP: which caption is whose
  loupe pretrain vision --dense --root DATA --out runs/tower      each patch: whose, of what kind, where it ends
  loupe pretrain language --root DATA --out runs/language         a causal language model, on scenes said in words
  loupe pretrain refiner --root DATA --out runs/refiner           a detector: tags, boxes, masks, features

  loupe pretrain vision match.steps=8000 seed=1 --root DATA --out runs/longer
  loupe pretrain vision --dense coco-mini see.steps=2000 --root coco=/data/coco --out runs/photos

The part lies in RUN/vision, RUN/language or RUN/refiner, in transformers' layout. Settings are those of the recipe
(default mini-vision, mini-tower, mini-language, mini-refiner); of another recipe the stages that train the part run.
"""
RECIPE_OF = {
    "vision": "loupe.recipes.parts:MINI_VISION",
    "tower": "loupe.recipes.mini:MINI_TOWER",
    "language": "loupe.recipes.parts:MINI_LANGUAGE",
    "refiner": "loupe.recipes.refiner:MINI_REFINER",
}
TRAIN_OF = {
    "vision": "loupe.training.run:train",
    "tower": "loupe.training.run:train",
    "language": "loupe.training.run:train",
    "refiner": "loupe.training.refiner_run:pretrain_refiner",
}
OBJECTIVE_OF = {"vision": "contrastive", "tower": "dense", "language": "language", "refiner": "refiner"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", choices=["vision", "language", "refiner"], help="what to train")
    parser.add_argument("overrides", metavar="RECIPE path=value", nargs="*",
                        help="another recipe, and settings to change")
    parser.add_argument("--dense", action="store_true", help="supervise each patch of a tower by the objects")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR",
                        help="run folder: new, or of the same recipe to go on")
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.dense and args.part != "vision":
        raise ConfigError("dense supervision is for towers", got=f"loupe pretrain {args.part} --dense",
                          expected="loupe pretrain vision --dense")
    part = "tower" if args.dense else args.part
    chosen = chosen_recipe(part, args.overrides)
    done = found(TRAIN_OF[part])(chosen, args.out, roots_of(args.root), **habits(args))
    tell(done.report())
    place = args.out / args.part
    print(f"{part} in {place}; use it: " + (
        "docs/models.md, Refiner" if part == "refiner" else
        f"loupe train RECIPE model.{args.part}.checkpoint={place} --root DATA --out RUN"))
    return 0


def chosen_recipe(part: str, given: list[str]):
    """The part's own recipe, or the stages of a named one that train it; changed as asked."""
    if not given or "=" in given[0]:
        own = found(RECIPE_OF[part])
        return own.change(*given)
    from loupe.recipes import recipe

    named = recipe(given[0])
    changed = named.change(*given[1:])
    stages = tuple(stage for stage in changed.stages if stage.objective == OBJECTIVE_OF[part])
    if not stages:
        raise ConfigError(f"this recipe has no stage that trains a {part}", got=given[0],
                          expected=f'a stage with objective "{OBJECTIVE_OF[part]}"',
                          do=f"choose another, as {found(RECIPE_OF[part]).name}")
    if part == "refiner":
        return changed
    name = named.name if stages == changed.stages else f"{named.name}-{part}"
    return replace(changed, name=name, stages=stages, part="vision" if part == "tower" else part)


def found(entry: str):
    """What "module:name" names."""
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)
