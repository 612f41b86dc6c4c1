"""Between samples and numbers: pictures to pixels, rendered dialogues to token ids and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loupe.errors import ConfigError
from loupe.frame import Frame, frame
from loupe.image import Image
from loupe.models.spec import VisionSpec
from loupe.regions import Region
from loupe.sample import Sample

IGNORE = -100  # label of a token that carries no loss


def image_id(index: int) -> int:
    """The id that stands for one token of image `index` of a group: -1, -2, ..."""
    return -1 - index


@dataclass(frozen=True)
class Encoded:
    """One sample as ids, image tokens as `image_id`s. labels[i] is ids[i] inside an answer, else IGNORE."""

    prefix: tuple[int, ...]  # up to the last leading image: shared by all samples on the same images
    ids: tuple[int, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prefix) + len(self.ids)


class Encoder:
    """Built parts and numbers; knows nothing of weights. `tokens` is the number of language tokens per image."""

    def __init__(self, tokenizer, codec, dialogue, vision: VisionSpec, tokens: int, max_length: int = 2048):
        self.tokenizer, self.codec, self.dialogue, self.vision = tokenizer, codec, dialogue, vision
        self.tokens, self.max_length = tokens, max_length
        self._backend = tokenizer.backend_tokenizer
        self._frames: dict[tuple[int, int], Frame] = {}
        self._prefixes: dict[tuple, tuple[int, ...]] = {}
        std = 255.0 * np.asarray(vision.std, np.float32)
        self._scale = (1.0 / std).astype(np.float32)
        self._shift = (np.asarray(vision.mean, np.float32) * 255.0 / std).astype(np.float32)
        self.finder = None  # what a refiner finds in pictures (loupe.refining.finder), for models that see it
        self.shown: Callable[[Image], Image] | None = None  # what the tower gets in place of a picture
        self.stop: tuple[int, ...] = tuple(self._encode_texts([dialogue.stop.strip()])[0].ids)  # ids that end an answer

    # pictures

    def frame(self, image: Image) -> Frame:
        return self.frame_of(image.size)

    def frame_of(self, size: tuple[int, int]) -> Frame:
        """The frame of a picture or canvas, width x height."""
        if size not in self._frames:
            made = frame(self.vision.frame, *size, self.vision.size)
            if (made.width, made.height) != (self.vision.size, self.vision.size):
                raise ConfigError("this frame does not give pictures of the tower's size", where="model.vision.frame",
                                  got=f"{self.vision.frame}: {made.width} x {made.height}",
                                  expected=f"{self.vision.size} x {self.vision.size}")
            self._frames[size] = made
        return self._frames[size]

    def frames(self, images: Iterable[Image]) -> tuple[Frame, ...]:
        return tuple(self.frame(image) for image in images)

    def places(self, sample: Sample) -> tuple[Frame, ...]:
        """Frames of what the sample's regions lie on: its pictures, or its canvas."""
        return tuple(self.frame_of(size) for size in sample.sizes)

    def pixels(self, images: Sequence[Image]) -> np.ndarray:
        """float32 [N, 3, S, S], normalised with the tower's mean and standard deviation."""
        size = self.vision.size
        out = np.empty((len(images), 3, size, size), np.float32)
        for row, image in zip(out, images if self.shown is None else map(self.shown, images)):
            array = np.asarray(self.frame(image).picture(image), np.float32)  # [S, S, 3]
            row[...] = (array * self._scale - self._shift).transpose(2, 0, 1)
        return out

    def normal(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [N, S, S, 3] -> float32 [N, 3, S, S], as `pixels` gives them."""
        return np.ascontiguousarray((pixels.astype(np.float32) * self._scale - self._shift).transpose(0, 3, 1, 2))

    def found(self, images: Sequence[Image]):
        """What a refiner found in each picture, as rows (models.mqformer.Found); None for models that see no such."""
        return None if self.finder is None else self.finder.rows(images)

    # words

    def encode(self, samples: Sequence[Sample]) -> list[Encoded]:
        for s in samples:
            if s.images and not self.tokens:
                raise ConfigError("this model sees no pictures", got=f"{len(s.images)} in sample {s.id or '?'}",
                                  where="model.bridge.kind", do="use a model with a vision tower")
        samples = samples if self.finder is None else self.finder.told(samples)
        rendered = [_cut(self.dialogue.render(s, self.codec, self.places(s))) for s in samples]
        bodies = self._tokenise([body for _, body in rendered])
        return [Encoded(self._prefix(prefix), *body) for (prefix, _), body in zip(rendered, bodies)]

    def encode_at(self, questions: Callable[[Region], Sample], regions: Sequence[Region]) -> list[Encoded]:
        """As `encode` of one question about each region, which differ in nothing else: worded once."""
        sample, codec = questions(regions[0]), self.codec
        sample = sample if self.finder is None else self.finder.told([sample])[0]
        frames = self.places(sample)
        prefix, body = _cut(self.dialogue.render(sample, codec, frames))
        text = "".join(segment.text for segment in body)
        said = [codec.text(region, frames[region.image]) for region in regions]
        if text.count(said[0]) != 1 or any(segment.image is not None or segment.loss for segment in body):
            return self.encode([questions(region) for region in regions])
        before, behind = text.split(said[0])
        known = self._prefix(prefix)
        encoded = self._encode_texts([before + each + behind for each in said])
        return [Encoded(known, tuple(e.ids), (IGNORE,) * len(e.ids)) for e in encoded]

    def prefix(self, images: Sequence[Image]) -> list[int]:
        """Ids shared by all samples that begin with these images."""
        return list(self._prefix(tuple(self.dialogue.render_prefix(len(images))) if images else ()))

    def body(self, sample: Sample) -> tuple[list[int], list[int]]:
        """(ids, labels) behind the prefix."""
        encoded = self.encode([sample])[0]
        return list(encoded.ids), list(encoded.labels)

    def decode(self, ids: Iterable[int]) -> str:
        """Text exactly as generated, without the stop and anything behind it; codec tokens kept."""
        ids = [int(i) for i in ids if i >= 0]
        stop = self.stop
        for at in range(len(ids) - len(stop) + 1 if stop else 0):
            if tuple(ids[at : at + len(stop)]) == stop:
                ids = ids[:at]
                break
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def _prefix(self, segments: tuple) -> tuple[int, ...]:
        if segments not in self._prefixes:
            self._prefixes[segments] = self._tokenise([segments])[0][0]
        return self._prefixes[segments]

    def _encode_texts(self, texts: list[str]):
        return self._backend.encode_batch(texts, add_special_tokens=False)

    def _tokenise(self, bodies: Sequence[Sequence]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Segments -> (ids, labels). Text between two images is tokenised in one go; a token carries loss if its
        segment does. Should a token reach over the start of an answer, as it never could when the answer is generated
        behind the question, the segments are tokenised one by one."""
        runs = [_runs(segments) for segments in bodies]
        encoded = iter(self._encode_texts([run[0] for body in runs for run in body if not isinstance(run, int)]))
        out = []
        for body in runs:
            ids: list[int] = []
            labels: list[int] = []
            for run in body:
                if isinstance(run, int):
                    ids += [image_id(run)] * self.tokens
                    labels += [IGNORE] * self.tokens
                    continue
                text, spans = next(encoded), run[1]
                pieces = [(text, spans)]
                if _straddles(text.offsets, spans):
                    cut = [run[0][a:b] for a, b in zip([0, *(end for end, _ in spans)], (end for end, _ in spans))]
                    pieces = [(e, [(len(t), loss)]) for e, t, (_, loss) in zip(self._encode_texts(cut), cut, spans)]
                for piece, bounds in pieces:
                    ids += piece.ids
                    labels += _labels(piece.ids, piece.offsets, bounds)
            out.append((tuple(ids), tuple(labels)))
        return out


def _cut(rendered) -> tuple[tuple, tuple]:
    """(prefix, body); without a leading image all text is body, so that it is tokenised in one go."""
    if any(segment.image is not None for segment in rendered.prefix):
        return rendered.prefix, rendered.body
    return (), rendered.prefix + rendered.body


def _runs(segments) -> list:
    """[image index | (text, [(end character, loss), ...]), ...]"""
    runs: list = []
    for segment in segments:
        if segment.image is not None:
            runs.append(segment.image)
        elif segment.text:
            text, spans = runs.pop() if runs and not isinstance(runs[-1], int) else ("", [])
            text += segment.text
            runs.append((text, [*spans, (len(text), segment.loss)]))
    return runs


def _straddles(offsets: list[tuple[int, int]], spans: list[tuple[int, bool]]) -> bool:
    """Does a token hold characters of two segments?"""
    ends, at = [end for end, _ in spans[:-1]], 0
    for start, end in offsets if ends else ():
        while at < len(ends) and ends[at] <= start:
            at += 1
        if at < len(ends) and start < ends[at] < end:
            return True
    return False


def _labels(ids: list[int], offsets: list[tuple[int, int]], spans: list[tuple[int, bool]]) -> list[int]:
    if not any(loss for _, loss in spans):
        return [IGNORE] * len(ids)
    labels, at = [], 0
    for token, (_, end) in zip(ids, offsets):
        while at + 1 < len(spans) and end > spans[at][0]:
            at += 1
        labels.append(token if spans[at][1] else IGNORE)
    return labels
