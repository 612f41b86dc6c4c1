"""Results kept as PNGs that say what they were made from, so that the same command does not make them twice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from loupe.errors import ConfigError, ImageError
from loupe.image import DAMAGE, Image
from loupe.readers.pictures import ENDINGS

KEY = "loupe"


def kept(path: Path, about: dict) -> tuple[np.ndarray, dict] | None:
    """(pixels, what else was noted) of a file made from the same; None of any other or a damaged one."""
    if not path.is_file():
        return None
    try:
        with Pillow.open(path) as picture:
            noted = json.loads(picture.text.get(KEY, "{}"))
            if noted.get("about") != json.loads(json.dumps(about)):
                return None
            return np.asarray(picture), noted.get("more", {})
    except DAMAGE:
        return None


def keep(path: Path, pixels: np.ndarray, about: dict, **more) -> None:
    """A PNG, complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    info = PngInfo()
    info.add_text(KEY, json.dumps({"about": about, "more": more}))
    part = path.with_name(path.name + ".part")
    Pillow.fromarray(pixels).save(part, "PNG", pnginfo=info)
    os.replace(part, path)


def names(pictures: Sequence[Image]) -> list[str]:
    """A file name without ending for each; of pictures that share one, with a piece of their hash."""
    stems = [p.path.stem for p in pictures]
    return [stem if stems.count(stem) == 1 else f"{stem}-{p.content_hash[:6]}" for stem, p in zip(stems, pictures)]


def opened(paths: Sequence[str]) -> list[Image]:
    """Pictures that decode, of folders all that lie in them; a missing or broken one is said before a model is
    loaded."""
    named = [inner for path in paths for inner in _inside(Path(path).expanduser())]
    pictures = [Image(path=path) for path in dict.fromkeys(named)]
    for picture in pictures:
        picture.pillow()
    return pictures


def _inside(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS and p.is_file())
    if not found:
        raise ImageError("no picture lies in this folder", got=f"{len(list(path.iterdir()))} other files", where=path,
                         expected=" ".join(f"*{ending}" for ending in ENDINGS))
    return found


def check_sees(name: str) -> None:
    """ConfigError unless MODEL is one of ours, before a picture is opened: a baseline does not look."""
    from loupe.predictors import named

    if (kind := named(name).kind) not in ("mini", "loupe"):
        what = {"baseline": "a baseline does not look at pictures", "endpoint": "an endpoint answers in words only",
                "foreign": "models of others are asked in words only"}[kind]
        raise ConfigError(what, got=name, expected="a checkpoint or run folder")


def add_model(parser) -> None:
    """MODEL and how it runs."""
    parser.add_argument("model", metavar="MODEL", help="checkpoint or run folder, or mini (which loupe carries)")
    parser.add_argument("--rows", type=int, metavar="N", help="questions answered side by side, which bounds memory "
                        "(default: 256)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16 or float16 (default: float32)")


def rows_of(args) -> dict[str, int]:
    if args.rows is None:
        return {}
    if args.rows < 1:
        raise ConfigError("nothing is asked in no rows", got=args.rows, expected="1 or more", where="--rows")
    return {"rows": args.rows}
