"""A refiner behind its cache (what is missing is found and kept), a refiner without one, and a cache alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from loupe.errors import ConfigError, FileError
from loupe.image import Image
from loupe.models.refined import Refined
from loupe.refining.cache import Cache
from loupe.refining.pipeline import Pipeline, checked
from loupe.refining.views import Views
from loupe.writers.plan import PLAN

MANIFEST = "manifest.json"  # of a finished run


class Cached:
    """`refine(images)` whole pictures, `refine(images, 2)` their view 2, always read from the cache: the numbers are
    the same on every epoch, and those of float16."""

    def __init__(self, pipeline: Pipeline, folder: str | Path, views: Views | None = None, rows: str = "all",
                 batch: int = 8):
        self.pipeline, self.views, self.batch = pipeline, views or Views(), batch
        self.cache = Cache(folder, pipeline.identity, rows, pipeline.detector.threshold)
        self.widths, self.identity, self.threshold = pipeline.widths, pipeline.identity, pipeline.detector.threshold

    def refine(self, images: Sequence, view: int = 0, features: bool = True) -> list[Refined]:
        """In order. features: whether rows are read too."""
        images = [Image.of(source) for source in images]
        self.fill(images, (view,))
        key = self.views.key(view)
        out = [self.cache.get(image.content_hash, key, features) for image in images]
        lost = [k for k, each in enumerate(out) if each is None]  # damaged
        for k, found in zip(lost, self._made([images[k] for k in lost], view)):
            self.cache.put(images[k].content_hash, key, found)
            out[k] = self.cache.get(images[k].content_hash, key, features)
        return [checked(each, self.widths) if features and self.cache.rows == "all" else each for each in out]

    def fill(self, images: Sequence[Image], views: Sequence[int]) -> int:
        """Find what is not in the cache yet; returns how many files were written. No more than a batch is lost by a
        kill."""
        written = 0
        for view in views:
            key = self.views.key(view)
            due = {image.content_hash: image for image in images if not self.cache.holds(image.content_hash, key)}
            due = list(due.values())
            for first in range(0, len(due), self.batch):
                some = due[first:first + self.batch]
                for image, found in zip(some, self._made(some, view)):
                    self.cache.put(image.content_hash, key, found)
                written += len(some)
        return written

    def _made(self, images: Sequence[Image], view: int) -> list[Refined]:
        wholes = self.refine(images, features=False) if view and images else None
        return made(self.pipeline, self.views, images, view, wholes)


class Live:
    """As `Cached` with nothing kept: the numbers are those of float32, and every epoch pays for them again."""

    def __init__(self, pipeline: Pipeline, views: Views | None = None, batch: int = 8):
        self.pipeline, self.views, self.batch = pipeline, views or Views(), batch
        self.widths, self.identity, self.threshold = pipeline.widths, pipeline.identity, pipeline.detector.threshold

    def refine(self, images: Sequence, view: int = 0) -> list[Refined]:
        images, out = [Image.of(source) for source in images], []
        for first in range(0, len(images), self.batch):
            some = images[first:first + self.batch]
            out += made(self.pipeline, self.views, some, view, self.pipeline.refine(some) if view else None)
        return out


def made(pipeline: Pipeline, views: Views, images: Sequence[Image], view: int,
         wholes: Sequence[Refined] | None) -> list[Refined]:
    """Found now. wholes: what is known of the whole pictures, for a view of them."""
    if not images or not view:
        return pipeline.refine(images) if images else []
    frames = [views.frame(image.content_hash, *image.size, view) for image in images]
    return pipeline.views(images, wholes, frames)


class Stored:
    """A folder that `loupe refine` wrote, without its refiner: a picture that is not there is an error."""

    def __init__(self, folder: str | Path, views: Views | None = None):
        self.folder, self.views = Path(folder), views or Views()
        plan, manifest = (_read(self.folder / name) for name in (PLAN, MANIFEST))
        if plan is None or plan.get("rows") not in ("all", "found"):
            raise FileError("no features of a refiner lie here", where=self.folder,
                            got="no plan.json" if plan is None else f"rows {plan.get('rows')!r}",
                            expected="the --out of `loupe refine`, with features",
                            do="loupe refine PICTURES --out DIR [--views K], or let the run find them: "
                            "refined.features=filled")
        self.identity, self.threshold = plan["refiner"], plan["refiner"]["detector"]["box"]
        self.widths = tuple(manifest["widths"]) if manifest else None
        self.cache = Cache(_cache_of(self.folder, manifest), self.identity, plan["rows"], self.threshold)
        kept = {name: plan["views"].get(name) for name in ("seed", "smallest")}
        wanted = {"seed": self.views.seed, "smallest": self.views.smallest}
        if plan["views"]["count"] < self.views.count or (self.views.count > 1 and kept != wanted):
            raise ConfigError("these features are of other views", where=self.folder,
                              got=f"{plan['views']['count']} views, {kept}",
                              expected=f"{self.views.count} views, {wanted}", do="refine the pictures with these views")

    def refine(self, images: Sequence, view: int = 0) -> list[Refined]:
        images = [Image.of(source) for source in images]
        out = [self.cache.get(image.content_hash, self.views.key(view)) for image in images]
        lost = [image for image, found in zip(images, out) if found is None]
        if lost:
            raise ConfigError("a picture was not refined", got=f"{lost[0].path or lost[0].name}, view {view}"
                              + (f", and {len(lost) - 1} more" if lost[1:] else ""), where=self.folder,
                              do="refine it into this folder, or let the run find it: refined.features=filled")
        return out


def kept_in(folder: str | Path) -> tuple[Path, str]:
    """(where findings lie, which rows of them are kept): of the --out of `loupe refine`, or of a folder that is filled
    as a model finds."""
    plan, manifest = (_read(Path(folder) / name) for name in (PLAN, MANIFEST))
    if plan is None or "refiner" not in plan:
        return Path(folder), "found"
    return _cache_of(Path(folder), manifest), "found" if plan["rows"] == "none" else plan["rows"]


def _cache_of(folder: Path, manifest: dict | None) -> Path:
    return folder / (manifest or {}).get("cache", "cache")


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileError("cannot read", got=error, where=path) from None
