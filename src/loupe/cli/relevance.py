"""`loupe relevance`: pairs of pictures and words whose words do not belong to their picture are left out."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

HELP = """leave out pairs whose words do not belong to their picture

A CLIP scores every caption of every picture; those that reach the threshold are written as caption shards (reader
"webdataset"), the others are counted by reason. The same command after a stop goes on where it was; another
--threshold reads the scores again.

  loupe relevance data/laion --out laion-kept --model openai/clip-vit-base-patch32 --threshold 0.28
  loupe relevance data/world/laion --out kept --threshold 0.1
  loupe relevance data/coco --reader coco-captions --split train2017 --out kept --workers 2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", type=Path, metavar="DATA", help="folder of the data set")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="scores, shards and manifest")
    parser.add_argument("--reader", default="webdataset", metavar="NAME", help="how DATA is read (webdataset)")
    parser.add_argument("--split", default="", metavar="NAME", help="of the data set (the reader's own)")
    parser.add_argument("--model", default="loupe/vision", metavar="NAME", help="a CLIP or SigLIP: folder, hub id, or "
                        "the shipped one (loupe/vision)")
    parser.add_argument("--threshold", type=float, default=0.25, metavar="X", help="least cosine that is kept (0.25)")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures that go through together (32)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, through Ray Data (1)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")


def run(args: argparse.Namespace) -> None:
    from loupe.data.scale import has_ray
    from loupe.errors import ConfigError
    from loupe.models.device import device_of, shared
    from loupe.readers import reader
    from loupe.relevance import Settings
    from loupe.relevance import run as score
    from loupe.relevance.scorer import ClipScorer

    if not -1 <= args.threshold <= 1:
        raise ConfigError("no cosine reaches this threshold", got=args.threshold, expected="-1 to 1",
                          where="--threshold")
    settings, workers = Settings(args.threshold, batch=args.batch), args.workers
    records = reader(args.reader)(args.root, args.split)
    if workers > 1 and not has_ray():
        print("Ray is not installed (pip install 'loupe[scale]'): one process does the work")
        workers = 1
    each, gpus = shared(device_of(args.device), workers)
    made = score(records, args.out, partial(ClipScorer, args.model, each), settings, workers=workers, gpus=gpus)
    for reason, count in {**made["problems"], **made["dropped"]}.items():
        print(f"left out: {count:,} ({reason})")
    middle = f", the middle score {made['scores']['50 %']:.3f}" if made["scores"] else ""
    then = (f"read them with the reader webdataset from {args.out}" if made["kept"] else
            "give a lower --threshold: the scores are kept, no picture is looked at again")
    print(f"{made['kept']:,} of {made['pictures']:,} pictures kept at {args.threshold:g}{middle}; {then}")
