"""What a refiner found in the pictures a model is shown: rows for its grounding queries, and words (Lyrics §3.1, §3.3).

A model's encoder holds one (`model.encoder.finder`), so that training, looks, chat and evaluation see the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np

from loupe.errors import CheckpointError, ConfigError, unknown_name
from loupe.image import Image
from loupe.models.mqformer import Found, found
from loupe.models.refined import Refined
from loupe.models.spec import ModelSpec, MQFormerSpec, RefinerSpec
from loupe.refining.cached import Cached, Live, Stored, kept_in
from loupe.refining.spatial import offered
from loupe.refining.views import Shown, Views
from loupe.sample import Sample

FEATURES = ("filled", "cached", "live")
MODULES = ("refiner", "detector", "segmenter")  # of Table 5: those that may be shown something else
KEPT = 1024  # pictures whose findings stay in memory


class Finder:
    """features: "filled" reads `folder` (also one that `loupe refine` wrote) and keeps there what it has to find;
    "cached" reads it alone; "live" keeps nothing. spatial: the share of questions that come with what was found, in
    words. trained_with: the identity a model was trained with; another refiner is refused. The refiner is loaded when
    something is first asked.
    """

    def __init__(self, spec: RefinerSpec, former: MQFormerSpec, folder: str | Path | None = None,
                 features: str = "live", views: Views | None = None, spatial: float = 0.0, seed: int = 0,
                 device: str = "cpu", trained_with: dict | None = None):
        if features not in FEATURES:
            raise unknown_name("way to get features", features, FEATURES, where="refined.features")
        if features != "live" and folder is None:
            raise ConfigError("no cache of a refiner is given", got=f"refined.features={features}",
                              do="give --refined DIR, as `loupe refine` writes it, or refined.features=live")
        if not 0 <= spatial <= 1:
            raise ConfigError("spatial text is offered to a share of the questions", got=spatial, expected="0 to 1",
                              where="refined.spatial")
        self.spec, self.former, self.folder, self.features = spec, former, folder, features
        self.views, self.spatial, self.seed, self.device = views or Views(), spatial, seed, device
        self.trained_with = trained_with or {}
        self._kept: OrderedDict[tuple[str, int], Refined] = OrderedDict()

    @cached_property
    def source(self) -> Cached | Live | Stored:
        """Checked: its rows fit the model, and it is the refiner the model was trained with."""
        from loupe.refining.loading import named

        if self.features == "cached":
            made = Stored(self.folder, self.views)
            _same_thresholds(made, self.spec)
        elif self.features == "filled":
            folder, rows = kept_in(self.folder)
            made = Cached(named(self.spec, self.device), folder, self.views, rows)
        else:
            made = Live(named(self.spec, self.device), self.views)
        wanted = self.former.detector_width, self.former.outline_width
        if made.widths is not None and tuple(made.widths) != wanted:
            raise ConfigError("the refiner's features do not fit the model", where="model.bridge.mqformer",
                              got=f"rows of {made.widths[0]} (detector) and {made.widths[1]} (segmenter) numbers",
                              expected=f"detector_width={wanted[0]}, outline_width={wanted[1]}",
                              do="build the model with the refiner's widths, or name the refiner it was built for")
        if self.trained_with and unnamed(made.identity) != unnamed(self.trained_with):
            differ = [part for part in made.identity if unnamed(made.identity[part]) != unnamed(
                self.trained_with.get(part))]
            raise CheckpointError("the refiner is not the one this model was trained with", where="model.refiner",
                                  got={part: made.identity[part] for part in differ},
                                  expected={part: self.trained_with.get(part) for part in differ},
                                  do="give its weights and thresholds back, or train again")
        return made

    @property
    def identity(self) -> dict:
        return self.source.identity

    def refine(self, images: Sequence[Image]) -> list[Refined]:
        """In order, of each picture or view (`Shown`). Rows under the threshold are left out: they are masked, so
        nothing depends on them. A picture that does not decode is an ImageError."""
        keys = [_key(image) for image in images]
        due: dict[int, dict[tuple[str, int], Image]] = {}
        for key, image in zip(keys, images):
            if key not in self._kept:
                due.setdefault(key[1], {})[key] = image.origin if isinstance(image, Shown) else image
        fresh: dict[tuple[str, int], Refined] = {}
        for number, some in due.items():
            fresh |= {key: over(refined, self.source.threshold)
                      for key, refined in zip(some, self.source.refine(list(some.values()), number))}
        out = [fresh[key] if key in fresh else self._kept[key] for key in keys]
        self._kept.update(fresh)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return out

    def rows(self, images: Sequence[Image]) -> Found:
        return found(self.refine(images), self.source.threshold, self.former)

    def told(self, samples: Sequence[Sample]) -> list[Sample]:
        """Those samples that come with spatial text, with it; the others as they are."""
        chosen = [k for k, sample in enumerate(samples) if sample.images and self._chosen(sample)]
        things = {image: refined.things for image, refined in self._each(samples[k] for k in chosen)}
        out = list(samples)
        for k in chosen:
            out[k] = offered(samples[k], [things[image] for image in samples[k].images])
        return out

    def without(self, modules: Sequence[str], shown: Callable[[Image], Image]) -> Finder:
        """The same with `shown(picture)` in place of what these modules get."""
        return Shaded(self, modules, shown)

    def _each(self, samples) -> list[tuple[Image, Refined]]:
        images = list(dict.fromkeys(image for sample in samples for image in sample.images))
        return list(zip(images, self.refine(images))) if images else []

    def _chosen(self, sample: Sample) -> bool:
        if self.spatial in (0.0, 1.0):
            return bool(self.spatial)
        return np.random.default_rng([self.seed, crc32(sample.id.encode())]).random() < self.spatial


class Shaded(Finder):
    """Table 5: a finder some of whose modules are shown another picture. Without the detector there are neither its
    rows nor words; without the segmenter its rows are gone; without the refiner both."""

    def __init__(self, finder: Finder, modules: Sequence[str], shown: Callable[[Image], Image]):
        for name in modules:
            if name not in MODULES:
                raise unknown_name("module of a refiner", name, MODULES)
        self.__dict__.update({k: v for k, v in finder.__dict__.items() if k != "source"})
        self.finder, self.modules, self.shown = finder, tuple(modules), shown

    @property
    def source(self) -> Cached | Live | Stored:
        return self.finder.source

    def refine(self, images: Sequence[Image]) -> list[Refined]:
        out, instead = self.finder.refine(images), self.finder.refine([self.shown(image) for image in images])
        for module in self.modules:
            out = [_mixed(module, true, other) for true, other in zip(out, instead)]
        return out


def _same_thresholds(stored: Stored, spec: RefinerSpec) -> None:
    """A cache made with other thresholds is refused: the model would ask for what it was not trained with."""
    from loupe.refining.loading import effective

    wanted = effective(spec)
    for name, part in (("tag", "tagger"), ("box", "detector"), ("overlap", "detector")):
        has, want = stored.identity[part].get(name), getattr(wanted, name)
        if has is not None and want is not None and has != want:
            raise ConfigError("these features were made with another threshold", where=stored.folder,
                              got=f"{name}={has}", expected=f"{name}={want}",
                              do=f"set model.refiner.{name}={has}, or refine again")


def _mixed(module: str, true: Refined, other: Refined) -> Refined:
    if module == "segmenter":
        return replace(true, outlines=other.outlines)
    seen = replace(true, tags=other.tags, things=other.things, scores=other.scores, queries=other.queries)
    return seen if module == "detector" else replace(seen, outlines=other.outlines)


def over(refined: Refined, threshold: float) -> Refined:
    kept = refined.scores >= threshold
    return replace(refined, scores=refined.scores[kept], queries=refined.queries[kept])


def unnamed(identity):
    """An identity without the places its parts were loaded from: weights and thresholds decide."""
    if not isinstance(identity, dict):
        return identity
    return {key: unnamed(value) for key, value in identity.items() if key != "name"}


def of_model(spec: ModelSpec, **settings) -> Finder:
    """Of a model that sees what a refiner found; settings as of Finder."""
    if spec.refiner is None or spec.bridge.kind != "mqformer":
        raise ConfigError("this model sees nothing of a refiner", where="model.refiner",
                          got=f"bridge {spec.bridge.kind}, refiner {spec.refiner and spec.refiner.name}",
                          expected="bridge mqformer and a refiner")
    return Finder(spec.refiner, spec.bridge.mqformer or MQFormerSpec(), **settings)


def _key(image: Image) -> tuple[str, int]:
    return (image.origin.content_hash, image.number) if isinstance(image, Shown) else (image.content_hash, 0)
