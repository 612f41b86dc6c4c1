"""A trained model that looks, answers and talks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from loupe.errors import CheckpointError, ConfigError, ImageError, LoupeError
from loupe.image import Image
from loupe.models.decoding import see
from loupe.models.encoding import Encoded
from loupe.models.look import Limits, Look, answer
from loupe.models.vlm import VLM
from loupe.predictor import unanswered
from loupe.sample import Answer, Sample

STRETCH = 16  # times `rows`: the most questions on one look that are answered together


class Model:
    """A Predictor around a VLM. `identity` tells weights, codec and dialogue; files of predictions keep it."""

    def __init__(self, vlm: VLM, name: str = "model", limits: Limits | None = None, weights: str = ""):
        self.vlm, self.name, self.limits, self.weights = vlm.eval(), name, limits or Limits(), weights

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

    def look(self, images, **limits) -> Look:
        """At one picture (path, bytes, Pillow image, array, Image) or a list of them."""
        many = images if isinstance(images, (list, tuple)) else [images]
        return Look.at(self.vlm, tuple(Image.of(i) for i in many), _limits(self.limits, limits))

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """One Answer each, in order. Pictures are looked at once per run of questions, several looks to a batch."""
        for window in _windows(samples, self.limits.rows):
            yield from self._window(window)

    def _window(self, samples: list[Sample]) -> list[Answer]:
        out: dict[int, Answer] = {}
        groups: dict[tuple[Image, ...], list[int]] = {}
        for i, sample in enumerate(samples):
            groups.setdefault(sample.images, []).append(i)
        by_number: dict[int, list[tuple[Image, ...]]] = {}
        for images in groups:
            by_number.setdefault(len(images), []).append(images)
        for looks in by_number.values():
            looks, prefix, broken = self._see(looks)
            out |= {i: unanswered(error) for images, error in broken.items() for i in groups[images]}
            if prefix is None:
                continue
            pairs = [(i, owner) for owner, images in enumerate(looks) for i in groups[images]]
            ready = self._encoded([samples[i] for i, _ in pairs], prefix.length)
            out |= {i: e for (i, _), e in zip(pairs, ready) if isinstance(e, Answer)}
            asked = [(i, owner, e) for (i, owner), e in zip(pairs, ready) if isinstance(e, Encoded)]
            answers = answer(self.vlm, prefix, [owner for _, owner, _ in asked], [samples[i] for i, *_ in asked],
                             self.limits, [e for *_, e in asked])
            out |= {i: said for (i, *_), said in zip(asked, answers)}
        return [out[i] for i in range(len(samples))]

    def _see(self, looks: list[tuple[Image, ...]]):
        """(looks that decode, their prefix or None, {look: error} of the rest)."""
        try:
            return looks, see(self.vlm, looks), {}
        except ImageError:
            broken = {images: error for images in looks if (error := _damage(images))}
        good = [images for images in looks if images not in broken]
        return good, see(self.vlm, good) if good else None, broken

    def _encoded(self, samples: list[Sample], prefix: int) -> list[Encoded | Answer]:
        """Each question in tokens, or why it cannot be asked: a region outside the view, no room, a turn too many."""
        encoder, most = self.vlm.encoder, self.vlm.encoder.max_length
        try:
            out = list(encoder.encode(samples))
        except LoupeError as error:
            if len(samples) > 1:
                return [each for sample in samples for each in self._encoded([sample], prefix)]
            return [unanswered(error, "question")]
        for k, (sample, encoded) in enumerate(zip(samples, out)):
            if not sample.turns or sample.turns[-1].role != "user":
                out[k] = unanswered(ConfigError("sample does not end with a question", where=sample.id), "question")
            elif prefix + len(encoded.ids) >= most:
                out[k] = unanswered(ConfigError("question is too long", got=f"{prefix + len(encoded.ids)} tokens",
                                                expected=f"below {most}"), "question")
        return out


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


def _damage(images: tuple[Image, ...]) -> ImageError | None:
    try:
        for image in images:
            image.pillow()
    except ImageError as error:
        return error
    return None


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
