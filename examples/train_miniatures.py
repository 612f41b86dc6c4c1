"""Train loupe's miniatures anew, in order, on any machine: world, tower, vision, language, refiner, mini; judge mini.

    python examples/train_miniatures.py --out miniatures                      hours on two cores
    python examples/train_miniatures.py --out miniatures --images 200000 --scale 8 --workers 12      on an accelerator

Every part takes its recipe's steps times --scale. Run it again after a stop: finished parts are kept, the one that was
stopped goes on from its last checkpoint. What is there in the end: OUT/vision/vision, OUT/tower/vision,
OUT/language/language, OUT/refiner/refiner (transformers' layout) and OUT/mini/model; OUT/scores.json holds every
part's scores on held-out pictures, OUT/evaluation what mini reaches on the judging world, which no training sees.
"""

import argparse
import json
import time
from pathlib import Path

import loupe
from loupe import cli
from loupe.recipes.refiner import MINI_REFINER
from loupe.training.refiner_run import pretrain_refiner

PARTS = ("tower", "vision", "language", "refiner", "mini")


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("miniatures"), metavar="DIR", help="default: miniatures")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="multiplies every stage's steps")
    parser.add_argument("--images", type=int, default=60_000, metavar="N", help="training pictures (default: 60000)")
    parser.add_argument("--val", type=int, default=2_200, metavar="N", help="held-out pictures (default: 2200)")
    parser.add_argument("--seed", type=int, default=0, help="of world and training (default: 0)")
    parser.add_argument("--device", help="cpu or cuda (default: what is there)")
    parser.add_argument("--workers", type=int, help="processes that draw the world (default: 2) and prepare "
                        "data (default: 1, and none where the processor trains)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("changes", nargs="*", metavar="PART.path=value",
                        help="changes of a part's recipe, as mini.stages.talk.batch=256")
    return parser.parse_args(given)


def scaled(recipe, scale: float):
    """The recipe with every stage's steps multiplied."""
    return recipe.change(*(f"stages.{stage.name}.steps={max(1, round(stage.steps * scale))}"
                           for stage in recipe.stages))


def recipe_of(part: str, args: argparse.Namespace):
    recipe = MINI_REFINER if part == "refiner" else loupe.recipe("mini" if part == "mini" else f"mini-{part}")
    recipe = scaled(recipe, args.scale).change(f"seed={args.seed}")
    if part in ("vision", "mini"):  # on the parts made here, not on those the package carries
        recipe = recipe.change(f"model.vision.checkpoint={args.out / 'tower/vision'}")
    if part == "mini":
        recipe = recipe.change(f"model.language.checkpoint={args.out / 'language/language'}")
    return recipe.change(*(text.partition(".")[2] for text in args.changes if text.split(".")[0] == part))


def main(given: list[str] | None = None) -> dict:
    args = arguments(given)
    strangers = [text for text in args.changes if text.split(".")[0] not in PARTS]
    if strangers:
        raise SystemExit(f"changes begin with the name of a part ({', '.join(PARTS)}): {strangers[0]}")
    data, drawing = args.out / "data", 2 if args.workers is None else max(1, args.workers)
    loupe.world.write(data, args.images, args.seed, args.val, world="mini", workers=drawing)
    kept = args.out / "scores.json"
    scores = json.loads(kept.read_text()) if kept.is_file() else {}
    for part in args.only:
        start = time.monotonic()
        train = pretrain_refiner if part == "refiner" else loupe.train
        run = train(recipe_of(part, args), args.out / part, data, device=args.device, workers=args.workers)
        scores[part] = run.report()["scores"]
        print(f"{part}: {run.model} after {time.monotonic() - start:.0f} s; {scores[part] or 'no scores of its own'}",
              flush=True)
        kept.write_text(json.dumps(scores, indent=1) + "\n")
    if "mini" in args.only:
        judge(args, drawing)
    return scores


def judge(args: argparse.Namespace, drawing: int) -> None:
    """The suite on the worlds that are kept for it; answers given before a stop are kept, too."""
    worlds = args.out / "judging"
    loupe.world.write_judging(worlds, drawing)
    given = ["--device", args.device] if args.device else []
    failed = cli.main(["evaluate", str(args.out / "mini"), "mini", "--root", str(worlds / "mini"), "--root",
                       f"unread={worlds / 'unread/records'}", "--out", str(args.out / "evaluation"), *given])
    if failed:
        raise SystemExit(failed)


if __name__ == "__main__":
    main()
