"""`loupe world OUT`: a miniature dataset in the published layouts."""

from __future__ import annotations

import argparse
from pathlib import Path

from loupe.errors import ConfigError

HELP = """write a miniature world: small pictures with exact annotations, in the layouts of real data sets

  loupe world data/mini --world mini --images 60000 --val 2200
  loupe world data/judging --judging

OUT gets COCO instances and captions, Visual Genome, Objects365, RefCOCO/+/g, LLaVA conversations
and loupe's own records.
The same settings give the same bytes; run again to go on after a stop."""
IMAGES = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="a new or empty folder")
    parser.add_argument("--images", type=int, metavar="N", help=f"training pictures (default: {IMAGES})")
    parser.add_argument("--val", type=int, metavar="N", help="held-out pictures (default: a tenth, at least 20)")
    parser.add_argument("--seed", type=int, metavar="S", help="which world (default: 0)")
    parser.add_argument("--world", metavar="NAME",
                        help="wide, mini, few, mini-128, shifted, unread (default: wide)")
    parser.add_argument("--size", type=int, metavar="PX",
                        help="pixels a side (default: the world's own: 96, of mini-128 128)")
    parser.add_argument("--oddities", type=float, metavar="RATE",
                        help="share of entries with the flaws of real files (default: 0.02)")
    parser.add_argument("--also", metavar="NAME",
                        help="chatspot: ChatSpot's sources too (OCR-VQA, ST-VQA, DocVQA, TextVQA, COCO-Text, HierText, "
                        "ArT, PointQA, region chat, LLaVA-665K, VizWiz grounding); lyrics: Lyrics' (caption shards, "
                        "GRIT, VQAv2, GQA, DVQA, ChartQA, ScienceQA, DocVQA, TextVQA)")
    parser.add_argument("--judging", action="store_true", help="write the worlds that miniatures are judged on, "
                        "OUT/mini, mini-128, shifted and unread; nothing about them is to choose")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--gallery", action="store_true", help="also draw OUT/preview.png: pictures with expressions")


def run(args: argparse.Namespace) -> None:
    from loupe import world

    names = ("images", "val", "seed", "world", "size", "oddities", "also")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    if args.judging:
        if given or args.gallery:
            raise ConfigError("the judging worlds are fixed", got=f"--{next(iter(given), 'gallery')}",
                              expected="OUT and --workers alone", where="--judging")
        mini, *others = world.write_judging(args.out, args.workers)
        print(f"{mini} and {', '.join(folder.name for folder in others)} beside it; next: loupe evaluate mini mini "
              f"--root {mini} --root unread={args.out / 'unread/records'} --out judged")
        return
    counts = world.write(args.out, **{"images": IMAGES, **given}, workers=args.workers)
    where = args.out
    made = world.worlds(args.out)[""]
    if args.gallery:
        from loupe.world.preview import preview

        where = preview(args.out / "preview.png", made["seed"], made["size"], min(made["images"], 20), made["world"])
    then = (f"loupe check chatspot --root {args.out}" if made.get("also") == "chatspot" else
            f"loupe build mini-start --root {args.out} --out {args.out}-corpus")
    print(f"{made['images']} pictures and {counts['refcoco-all']} expressions lie in {args.out}"
          + (f" (look at {where})" if args.gallery else "") + f"; next: {then}")
