"""A trained model that looks, answers and talks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

from loupe.errors import CheckpointError
from loupe.image import Image
from loupe.models.decoding import Memory
from loupe.models.look import Limits, Look
from loupe.models.vlm import VLM
from loupe.predictors.seen import SeenBy
from loupe.sample import Answer, Sample

DENSE = 8192  # questions on one look that are held in memory together
STRETCH = 16  # times `rows`: the most questions on one look that are answered together


class Model:
    """A Predictor around a VLM. `identity` tells weights, codec and dialogue; files of predictions keep it."""

    capabilities = ("ask", "locate", "describe", "constrain", "weigh", "segment", "pixels")

    def __init__(self, vlm: VLM, name: str = "model", limits: Limits | None = None, weights: str = "",
                 memory: Memory | None = None):
        self.vlm, self.name, self.limits, self.weights = vlm.eval(), name, limits or Limits(), weights
        self.memory = memory

    @classmethod
    def load(cls, folder: str | Path, device: str | None = None, dtype: str = "float32",
             bases: dict[str, str] | None = None, codec: str | None = None, **limits) -> Model:
        """From a checkpoint folder, or a run folder that holds one in model/.

        device: None takes a GPU if there is one. bases and codec: see loupe.models.checkpoint.load. limits: of Limits.
        """
        import torch

        from loupe.models import checkpoint

        folder = Path(folder).expanduser()
        place = _weights_folder(folder)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        vlm = checkpoint.load(place, device, codec, bases, dtype)
        return cls(vlm, folder.resolve().name, _limits(Limits(), limits), _hash(place / checkpoint.WEIGHTS))

    @property
    def identity(self) -> dict:
        spec = self.vlm.spec
        return {"weights": self.weights, "codec": spec.codec, "dialogue": spec.dialogue,
                "answer": self.limits.answer, "constrain": self.limits.constrain}

    def shortened(self, answer: int) -> Model:
        """The same model with answers of at most so many tokens."""
        return Model(self.vlm, self.name, replace(self.limits, answer=min(answer, self.limits.answer)), self.weights)

    def remembering(self, pictures: int = 64) -> Model:
        """The same model, which does not encode pictures again that are among the last so many."""
        return Model(self.vlm, self.name, self.limits, self.weights, Memory(pictures))

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


def _limits(limits: Limits, changes: dict) -> Limits:
    known = Limits.__dataclass_fields__
    for name in changes:
        if name not in known:
            from loupe.errors import unknown_name

            raise unknown_name("limit", name, known)
    return replace(limits, **{k: v for k, v in changes.items() if v is not None})


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:16]
