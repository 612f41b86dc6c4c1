"""`loupe world OUT`: a miniature dataset in the published layouts."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = """Write a miniature world: small pictures with exact annotations, in the layouts of real data sets.

OUT gets COCO instances and captions, Visual Genome, Objects365, RefCOCO/+/g, LLaVA conversations
and loupe's own records.
The same settings give the same bytes; run again to go on after a stop."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="a new or empty folder")
    parser.add_argument("--images", type=int, default=2000, metavar="N", help="training pictures (default: 2000)")
    parser.add_argument("--val", type=int, metavar="N", help="held-out pictures (default: a tenth, at least 20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which world (default: 0)")
    parser.add_argument("--world", default="wide", metavar="NAME",
                        help="wide, mini, few, mini-128, shifted, unread (default: wide)")
    parser.add_argument("--size", type=int, metavar="PX", help="pixels a side (default: the world's own, 96)")
    parser.add_argument("--oddities", type=float, default=0.02, metavar="RATE",
                        help="share of entries with the flaws of real files (default: 0.02)")
    parser.add_argument("--also", default="", metavar="NAME",
                        help="chatspot: ChatSpot's sources too (OCR-VQA, ST-VQA, DocVQA, TextVQA, COCO-Text, HierText, "
                        "ArT, PointQA, region chat, LLaVA-665K, VizWiz grounding); lyrics: Lyrics' (caption shards, "
                        "GRIT, VQAv2, GQA, DVQA, ChartQA, ScienceQA)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--gallery", action="store_true", help="also draw OUT/preview.png: pictures with expressions")


def run(args: argparse.Namespace) -> None:
    from loupe import world

    counts = world.write(args.out, args.images, args.seed, args.val, size=args.size, oddities=args.oddities,
                         world=args.world, also=args.also, workers=args.workers)
    where = args.out
    if args.gallery:
        from loupe.world.preview import preview

        where = preview(args.out / "preview.png", args.seed, args.size, min(args.images, 20), args.world)
    then = (f"loupe check chatspot --root {args.out}" if "chatspot" in args.also else
            f"loupe build mini-start --root {args.out} --out {args.out}-corpus")
    print(f"{args.images} pictures and {counts['refcoco-all']} expressions lie in {args.out}"
          + (f" (look at {where})" if args.gallery else "") + f"; next: {then}")
