"""A trained model that looks, answers and talks."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

from loupe.blind import MODULES, grey_of
from loupe.errors import CheckpointError, ConfigError, unknown_name
from loupe.image import Image
from loupe.models.decoding import Memory
from loupe.models.device import rounded
from loupe.models.look import Limits, Look
from loupe.models.vlm import VLM
from loupe.predictors.seen import SeenBy
from loupe.refining.finder import of_model
from loupe.sample import Answer, Sample

DENSE = 8192  # questions on one look that are held in memory together
STRETCH = 16  # times `rows`: the most questions on one look that are answered together


class Model:
    """A Predictor around a VLM. `identity` tells weights, codec and dialogue; files of predictions keep it."""

    capabilities = ("ask", "locate", "describe", "constrain", "weigh", "segment", "pixels")

    def __init__(self, vlm: VLM, name: str = "model", limits: Limits | None = None, weights: str = "",
                 memory: Memory | None = None, refined: str | Path | None = None, spatial: bool = False):
        """refined: folder that keeps what the model's refiner finds, of a model that sees such; none: found anew with
        every look. spatial: every question comes with tags and boxes of what was found, in words."""
        self.vlm, self.name, self.limits, self.weights = vlm.eval(), name, limits or Limits(), weights
        self.memory, self.shaded = memory, ()
        if vlm.spec.refiner is not None and (vlm.encoder.finder is None or refined is not None or spatial):
            vlm.encoder.finder = of_model(vlm.spec, folder=refined, features="live" if refined is None else "filled",
                                          spatial=float(spatial), device=str(vlm.device), trained_with=vlm.refined_by)
        elif refined is not None or spatial:
            raise ConfigError("this model sees nothing of a refiner", got="refined=..." if refined else "spatial=True",
                              where=name, expected="a model with an MQ-Former, as recipe lyrics trains")

    @classmethod
    def load(cls, folder: str | Path, device: str | None = None, dtype: str = "float32",
             bases: dict[str, str] | None = None, codec: str | None = None, refined: str | Path | None = None,
             spatial: bool = False, **limits) -> Model:
        """From a checkpoint folder, or a run folder that holds one in model/.

        device: None takes a GPU if there is one. bases and codec: see loupe.models.checkpoint.load. refined and
        spatial: of Model. limits: of Limits.
        """
        from loupe.models import checkpoint
        from loupe.models.device import device_of

        folder = Path(folder).expanduser()
        place = _weights_folder(folder)
        known = _limits(Limits(), limits, ("device", "dtype", "bases", "codec", "refined", "spatial"))
        vlm = checkpoint.load(place, device_of(device), codec, bases, dtype)
        return cls(vlm, folder.resolve().name, known, _hash(place / checkpoint.WEIGHTS),
                   refined=refined, spatial=spatial)

    @property
    def identity(self) -> dict:
        spec = self.vlm.spec
        known = {"weights": self.weights, "codec": spec.codec, "dialogue": spec.dialogue,
                 "answer": self.limits.answer, "constrain": self.limits.constrain}
        if spec.refiner is not None:
            known |= {"refiner": spec.refiner.name, "spatial": self.vlm.encoder.finder.spatial}
        return known | rounded(self.vlm.language) | ({"without": list(self.shaded)} if self.shaded else {})

    def shortened(self, answer: int) -> Model:
        """The same model with answers of at most so many tokens."""
        return self._as(limits=replace(self.limits, answer=min(answer, self.limits.answer)))

    def remembering(self, pictures: int = 64) -> Model:
        """The same model, which does not encode pictures again that are among the last so many."""
        return self._as(memory=Memory(pictures))

    def without(self, *modules: str) -> Model:
        """The same model, some of whose modules are shown a blank picture in place of the true one (Lyrics, Table 5):
        "tower", and of a model with a refiner "refiner", "detector", "segmenter". What was found goes with the module
        that finds it, in words too."""
        for name in modules:
            if name not in MODULES:
                raise unknown_name("module", name, MODULES)
        vlm, encoder = copy.copy(self.vlm), copy.copy(self.vlm.encoder)
        if "tower" in modules:
            encoder.shown = grey_of
        others = [name for name in modules if name != "tower"]
        if others and encoder.finder is None:
            raise ConfigError("this model has no refiner to blind", got=", ".join(others), where=self.name,
                              expected="tower")
        if others:
            encoder.finder = encoder.finder.without(others, grey_of)
        vlm.encoder = encoder
        shaded = tuple(dict.fromkeys((*self.shaded, *modules)))
        return self._as(vlm=vlm, name=f"{self.name}, without {' and '.join(modules)}", shaded=shaded)

    def _as(self, **changes) -> Model:
        other = copy.copy(self)
        for name, value in {"memory": None, **changes}.items():
            setattr(other, name, value)
        return other

    def look(self, images, **limits) -> Look:
        """At one picture (path, bytes, Pillow image, array, Image) or a list of them."""
        many = images if isinstance(images, (list, tuple)) else [images]
        return Look.at(self.vlm, tuple(Image.of(i) for i in many), _limits(self.limits, limits))

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """One Answer each, in order. Pictures are looked at once per run of questions, several looks to a batch."""
        for window in _windows(samples, self.limits.rows):
            yield from self.seen([sample.images for sample in window]).answer(window)

    def dense(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """As `answer`, for many short questions on each picture, one picture after another (masks, whole pictures)."""
        for images, run in groupby(samples, key=lambda sample: sample.images):
            look = self.seen([images])
            while some := list(islice(run, DENSE)):
                yield from look.dense(some)

    def seen(self, looks: Sequence[tuple[Image, ...]]) -> SeenBy:
        """Pictures kept in sight: rounds of questions, weighed answers and drawn ones, from one look each."""
        return SeenBy(self.vlm, looks, self.limits, self.memory)


def _windows(samples: Iterable[Sample], rows: int) -> Iterator[list[Sample]]:
    """Runs of `rows` samples, to be looked at together; longer ones of the same pictures, to be looked at once."""
    window: list[Sample] = []
    one = True  # all of the window's pictures are the same
    for sample in samples:
        same = not window or (one and sample.images == window[0].images)
        if len(window) >= (STRETCH * rows if same else rows):
            yield window
            window, same = [], True
        window.append(sample)
        one = same
    if window:
        yield window


def _weights_folder(folder: Path) -> Path:
    from loupe.models.checkpoint import MANIFEST

    inside = folder / "model"
    if (folder / "recipe.json").is_file() and not inside.is_dir():
        raise CheckpointError("this run is not finished", where=folder, expected="the folder model/ in it",
                              do="run the same `loupe train` again to go on with it")
    return inside if (inside / MANIFEST).is_file() else folder


def _limits(limits: Limits, changes: dict, beside: Sequence[str] = ()) -> Limits:
    """beside: other settings that stand where limits do, for the message."""
    known = Limits.__dataclass_fields__
    for name in changes:
        if name not in known:
            raise unknown_name("setting of a model" if beside else "limit", name, (*beside, *known))
    return replace(limits, **{k: v for k, v in changes.items() if v is not None})


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:16]
