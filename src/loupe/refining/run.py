"""A run over pictures: cached as it goes, gone on with after a stop, written out at the end.

    OUT/plan.json                    the refiner and the settings (the same plan goes on; more pictures may come)
    OUT/cache/                       what was found, a file per picture and view (loupe.refining.cache)
    OUT/annotations/instances.json   COCO: boxes, RLE masks, scores
    OUT/spatial.txt                  a line per picture: its name, a tab, tags and boxes as a codec writes them
    OUT/records/train.jsonl          reader "records"
    OUT/gallery.html                 pictures to look at
    OUT/manifest.json                counts, and the pictures that could not be read; written last
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from loupe.data import scale
from loupe.errors import ConfigError, FileError, ImageError
from loupe.image import Image
from loupe.refining.cached import MANIFEST, Cached
from loupe.refining.output import Outputs, finish
from loupe.refining.pipeline import Pipeline
from loupe.refining.views import Views
from loupe.writers.plan import claim

BATCHES = 8  # of pictures in the piece of work that one process takes


@dataclass(frozen=True)
class Settings:
    views: Views = Views()
    rows: str = "all"  # which rows of features are kept: "all", "found" or "none"
    batch: int = 8  # pictures that go through a net together


def run(images: Sequence[Image], out: str | Path, pipeline: Pipeline, settings: Settings | None = None,
        outputs: Outputs | None = None, *, cache: str | Path | None = None, workers: int = 1,
        make: Callable[[], Pipeline] | None = None, gpus: float = 0.0) -> dict:
    """Refine pictures into a folder, or go on where a run stopped; returns the manifest.

    cache: another folder for what is found, which several runs may share. make: builds the refiner anew in a worker
    (picklable); without it there is one process. gpus: what each worker gets of one. Pictures that cannot be read are
    left out and named; if none can, that is a FileError.
    """
    out, settings = Path(out), settings or Settings()
    if workers > 1 and make is None:
        raise ConfigError("several workers each need their own refiner", got=f"{workers} workers, no make=")
    if not images:
        raise FileError("there is no picture to refine", got="none", expected="pictures, or folders of pictures")
    if settings.batch < 1:
        raise ConfigError("a batch has at least one picture", got=settings.batch)
    folder = Path(cache) if cache is not None else out / "cache"
    cached = Cached(pipeline, folder, settings.views, settings.rows, settings.batch)
    claim(out, {"refiner": pipeline.identity, "views": asdict(settings.views), "rows": settings.rows},
          "another refining lies here")
    (out / MANIFEST).unlink(missing_ok=True)  # of a run with fewer pictures
    size = BATCHES * settings.batch
    pieces = range(-(-len(images) // size))
    job = partial(_worker, make if workers > 1 else None, pipeline if workers <= 1 else None, folder, settings,
                  tuple(images))
    unread: dict[int, str] = {}
    with tqdm(total=len(images), desc="refine", unit="picture", disable=None) as bar:
        for piece, said in scale.each(job, pieces, workers, gpus):
            unread |= {int(index): reason for index, reason in json.loads(said).items()}
            bar.update(min(size, len(images) - piece * size))
    read = [image for index, image in enumerate(images) if index not in unread]
    if not read:
        raise FileError("no picture can be read", got=unread[0], where=images[0].path or images[0].name,
                        expected="JPEG, PNG, WebP, GIF, BMP or TIFF")
    missed = [[str(images[index].path or images[index].name), unread[index]] for index in sorted(unread)]
    return finish(out, read, cached, missed, outputs or Outputs())


def _worker(make, pipeline, folder: Path, settings: Settings, images: tuple[Image, ...]):
    """What a process does with one number of a piece."""
    cached = Cached(pipeline or make(), folder, settings.views, settings.rows, settings.batch)
    return partial(_fill, cached, images, BATCHES * settings.batch)


def _fill(cached: Cached, images: tuple[Image, ...], size: int, piece: int) -> str:
    """JSON {number of a picture: why it cannot be read}."""
    readable, unread = [], {}
    views = range(cached.views.count)
    for index in range(piece * size, min((piece + 1) * size, len(images))):
        try:
            if not all(cached.cache.holds(images[index].content_hash, cached.views.key(view)) for view in views):
                images[index].pillow()  # whole, before others are in a batch with it
                readable.append(images[index])
        except ImageError as error:
            unread[index] = str(error)
    cached.fill(readable, views)
    return json.dumps(unread)
