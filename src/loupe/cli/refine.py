"""`loupe refine`: what lies in pictures, by a tagger, an open-set detector and a segmenter."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

HELP = """say what lies where in pictures: tags, boxes, masks, and features of them

The same command after a stop goes on where it was; pictures that come later are added. The refiner is the shipped
miniature, "lyrics" (RAM++, Grounding-DINO-T, SAM-HQ ViT-H), or three parts: a tagger (mini, ram++:WEIGHTS, or a CLIP
or SigLIP checkpoint with --tags), a detector (mini or a Grounding-DINO), a segmenter (mini, SAM, SAM-HQ or SAM 2).

  loupe refine photos/ --out refined
  loupe refine data/mini/coco/val2017 --out refined --views 4 --thresholds tag=0.5,box=0.3 --workers 2
  loupe refine photos/ a.jpg --out refined --tags words.txt \\
      --refiner openai/clip-vit-base-patch32,IDEA-Research/grounding-dino-tiny,facebook/sam2.1-hiera-tiny

OUT holds annotations/instances.json (COCO), spatial.txt, records/train.jsonl (reader "records"), gallery.html and the
cache of features."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", metavar="PICTURES", help="picture files and folders of pictures")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--refiner", default="mini", metavar="NAME", help="mini, lyrics, or TAGGER,DETECTOR,SEGMENTER "
                        "(mini)")
    parser.add_argument("--thresholds", default="", metavar="LIST", help="tag=0.5,box=0.3,overlap=0.7, any of them "
                        "(each part's own)")
    parser.add_argument("--tags", type=Path, metavar="FILE", help="words a CLIP or SigLIP tagger chooses from: one a "
                        "line, a tab and its own threshold behind it where it has one")
    parser.add_argument("--views", type=int, default=1, metavar="K", help="features of K seeded views of each picture: "
                        "itself and K - 1 crops (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the views (0)")
    parser.add_argument("--features", default="all", metavar="ROWS", help="all, found (those over the threshold) or "
                        "none (all)")
    parser.add_argument("--codec", default="lyrics", metavar="NAME", help="how spatial text is written (lyrics)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep what is found elsewhere, for several runs "
                        "(OUT/cache)")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures that go through together (8)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, through Ray Data (1)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--shown", type=int, default=48, metavar="N", help="pictures of the gallery (48)")


def run(args: argparse.Namespace) -> None:
    from loupe.codec import codec
    from loupe.data.scale import has_ray
    from loupe.models.device import device_of, shared
    from loupe.refining.loading import listed, load
    from loupe.refining.output import GALLERY, Outputs
    from loupe.refining.parts import Thresholds
    from loupe.refining.run import Settings
    from loupe.refining.run import run as refine
    from loupe.refining.views import Views

    thresholds = Thresholds.parsed(args.thresholds)
    codec(args.codec)  # wrong names before a model is loaded
    settings = Settings(Views(args.views, args.seed), args.features, args.batch)
    images, words, workers = pictures(args.pictures), listed(args.tags), args.workers
    if workers > 1 and not has_ray():
        print("Ray is not installed (pip install 'loupe[scale]'): one process does the work")
        workers = 1
    device = device_of(args.device)
    each, gpus = shared(device, workers)
    make = partial(load, args.refiner, thresholds, words, each)
    made = refine(images, args.out, load(args.refiner, thresholds, words, "cpu" if workers > 1 else device), settings,
                  Outputs(args.codec, args.shown), cache=args.cache, workers=workers, make=make, gpus=gpus)
    for path, reason in made["unreadable"][:10]:
        print(f"left out: {path}: {reason}")
    counts = made["counts"]
    then = "" if args.features == "none" else f"; train or ask with --refined {args.out}"
    print(f"{counts.get('things', 0):,} things on {counts.get('pictures', 0):,} pictures "
          f"({counts.get('with nothing found', 0):,} with none, {counts['unreadable']:,} unreadable); "
          f"look at {args.out / GALLERY}{then}")


def pictures(given: list[str]) -> list:
    """Files as they are named, folders with everything below them that is named like a picture; each path once."""
    from loupe.errors import FileError
    from loupe.image import Image
    from loupe.readers.folder import below

    paths: list[Path] = []
    for text in given:
        path = Path(text).expanduser()
        if path.is_dir():
            inside = sorted(below(path))
            if not inside:
                raise FileError("no picture in this folder", got="none", where=path,
                                expected="files named .jpg, .png, ... in it or below", do="check the path")
            paths += inside
        elif path.is_file():
            paths.append(path)
        else:
            raise FileError("picture does not exist", where=path, do="check the path")
    return [Image(path=path) for path in dict.fromkeys(paths)]
