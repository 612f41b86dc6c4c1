"""A refiner behind its cache: what is there is read, what is missing is found and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loupe.image import Image
from loupe.models.refined import Refined
from loupe.refining.cache import Cache
from loupe.refining.pipeline import Pipeline, checked
from loupe.refining.views import Views


class Cached:
    """`refine(images)` whole pictures, `refine(images, 2)` their view 2, always read from the cache: the numbers are
    the same on every epoch, and those of float16."""

    def __init__(self, pipeline: Pipeline, folder: str | Path, views: Views | None = None, rows: str = "all",
                 batch: int = 8):
        self.pipeline, self.views, self.batch = pipeline, views or Views(), batch
        self.cache = Cache(folder, pipeline.identity, rows, pipeline.detector.threshold)
        self.widths = pipeline.widths

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
        if not images or not view:
            return self.pipeline.refine(images) if images else []
        wholes = self.refine(images, features=False)
        frames = [self.views.frame(image.content_hash, *image.size, view) for image in images]
        return self.pipeline.views(images, wholes, frames)
