"""`loupe train`: a recipe into a run folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.cli.roots import add_root, roots_of

HELP = """train a recipe, or go on with a run that was stopped

  loupe train mini-start --root DATA --out runs/mini
  loupe train mini-start talk.optim.lr=1e-3 --root DATA --out runs/other
  loupe train coco-mini --root coco=/data/coco --out runs/photos
  loupe train pink --root DATA --root coco=/data/coco model.language.checkpoint=/weights/vicuna-7b --out runs/pink
  loupe train runs/pink/recipe.json tune.optim.lr=2e-4 --root DATA --out runs/again

`loupe show RECIPE --paths` prints every setting by its path; path=value changes one.
Several processes or GPUs: accelerate launch -m loupe train ...
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a recipe as JSON: a "
                        "run's recipe.json, or one of your own")
    parser.add_argument("overrides", metavar="path=value", nargs="*", help="settings to change")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR",
                        help="run folder: new, or of the same recipe to go on")
    parser.add_argument("--stages", metavar="NAME[,NAME]", help="only these stages of the recipe")
    parser.add_argument("--refined", type=Path, metavar="DIR", help="what a refiner found in the pictures: the --out "
                        "of `loupe refine`, or a folder that runs share (default: in the run)")
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="corpus written by `loupe build`, for the language stages")
    parser.add_argument("--shard", action="store_true", help="cut the model up over the processes, where it does not "
                        "fit into each with its gradients and optimiser; what is learnt is the same")
    parser.add_argument("--recompute", action="store_true", help="compute the language model's layers again in the "
                        "backward pass instead of keeping what they said: less memory, about a third more time")
    add_run_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    add_root(parser)
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that prepare data (default: 1, and 0 on a "
                        "processor, whose cores all train)")
    parser.add_argument("--save-minutes", type=float, default=5.0, metavar="N",
                        help="minutes between checkpoints (default: 5)")
    parser.add_argument("--save-steps", type=int, metavar="N", help="updates between checkpoints")
    parser.add_argument("--keep", type=int, default=2, metavar="N",
                        help="checkpoints kept beside the ends of stages (default: 2)")


def run(args: argparse.Namespace) -> int:
    from loupe.cli.build import read_recipe

    chosen = read_recipe(args.recipe).change(*args.overrides)
    chosen = chosen.only(*args.stages.split(",")) if args.stages else chosen
    return start(chosen, args, args.data)


def start(chosen, args: argparse.Namespace, data: Path | None = None) -> int:
    from loupe.training.run import train

    done = train(chosen, args.out, roots_of(args.root), data, **habits(args))
    tell(done.report())
    if done.model.name == "model":
        print(f"model in {done.model}; ask it: loupe chat {done.model} PICTURE")
    else:
        print(f"{chosen.part} in {args.out / chosen.part}; use it: model.{chosen.part}.checkpoint="
              f"{args.out / chosen.part}")
    return 0


def habits(args: argparse.Namespace) -> dict:
    """Of `add_run_arguments`, as training takes them."""
    names = ("device", "workers", "shard", "recompute", "save_minutes", "save_steps", "keep", "refined")
    return {name: getattr(args, name) for name in names if hasattr(args, name)}


def tell(report: dict) -> None:
    """What a run did: stages, scores, what was left out."""
    from loupe.evals.table import aligned

    for name, line in report["stages"].items():
        print(f"{name}: {line['step']} updates, {line['images']} pictures, loss {line['loss']:.3f}")
    exam = {task: s for task, s in report["scores"].items() if isinstance(s, dict)}
    if exam:
        print(aligned([("exact answers", "model", "most frequent", "N"), *(
            (task, f"{100 * s['exact']:.1f} %", f"{100 * s['majority']:.1f} %", str(s["answers"]))
            for task, s in exam.items())]))
    if len(exam) < len(report["scores"]):
        print("on held-out pictures: " + ", ".join(
            f"{name} {value}" for name, value in report["scores"].items() if name not in exam))
    for reason, count in sorted(report["drops"].items()):
        print(f"left out: {count} x {reason}")
