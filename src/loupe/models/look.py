"""A look at pictures: encoded and prefilled once, then asked any number of questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loupe.errors import ConfigError
from loupe.image import Image
from loupe.models import dense
from loupe.models.askable import Askable
from loupe.models.decoding import Prefix, generate, see
from loupe.models.encoding import Encoded
from loupe.models.guide import Guide
from loupe.models.reading import pieces, read
from loupe.models.vlm import VLM
from loupe.models.weighing import Dice
from loupe.regions import Mask, Region
from loupe.sample import Answer, Part, Sample, Turn, turn


@dataclass(frozen=True)
class Limits:
    """Of one batch of questions, and of one answer."""

    rows: int = 64  # questions answered side by side
    tokens: int = 65536  # keys and values held: rows x (prefix + longest question + answer)
    answer: int = 128  # tokens of one answer
    constrain: str | None = None  # see `Look.ask`
    temperature: float = 0.0  # 0: the most probable token; above: drawn, where nothing is constrained
    seed: int = 0  # of drawing, with the sample's id

    def __post_init__(self):
        for name in ("rows", "tokens", "answer"):
            if getattr(self, name) < 1:
                raise ConfigError("nothing is answered within such limits", got=getattr(self, name),
                                  expected="1 or more", where="max_tokens" if name == "answer" else name)

    @property
    def longest(self) -> int:
        """One region ends by itself: it is not cut short in the middle."""
        return max(self.answer, ONE_REGION) if self.constrain in ("box", "point", "colour") else self.answer


ONE_REGION = 96  # tokens that hold any box, point or colour


class Look(Askable):
    """Pictures the model has seen. Regions in questions and answers are in pixels of the original pictures.

    Regions in answers lie on the first picture: no codec here says on which picture a coordinate lies.
    """

    def __init__(self, model: VLM, images: Sequence[Image], prefix: Prefix, limits: Limits | None = None):
        self.model, self.images, self.prefix, self.limits = model, tuple(images), prefix, limits or Limits()
        self.frames = model.encoder.frames(self.images)

    @classmethod
    def at(cls, model: VLM, images: Sequence[Image], limits: Limits | None = None) -> Look:
        """A picture that does not decode is an ImageError."""
        return cls(model, images, see(model, [images]), limits)

    def answers(self, questions: Iterable, *, constrain: str | None = None,
                max_tokens: int | None = None) -> list[Answer]:
        samples = [self._sample(q) for q in questions]
        limits = replace(self.limits, constrain=constrain or self.limits.constrain,
                         answer=self.limits.answer if max_tokens is None else max_tokens)
        return answer(self.model, self.prefix, [0] * len(samples), samples, limits)

    def denial(self, phrase: str) -> float:
        """See `loupe.models.dense.denial`."""
        if not phrase.strip():
            raise ConfigError("there is nothing to look for", got=repr(phrase), expected="a phrase")
        return dense.denial(self, phrase)

    def pixels(self, n: int = 64, **options) -> np.ndarray:
        """The picture as the model sees it, uint8 [n, n, 3]; see `loupe.models.dense.pixels`."""
        return dense.pixels(self, n, **options)

    def segment(self, phrase: str, grid: int = 32, **options) -> Mask:
        """The pixels that lie on `phrase`, by a question for each of grid x grid places; none where the model says that
        it is not there. See `likely`."""
        return self.likely(phrase, grid, **options).mask

    def likely(self, phrase: str, grid: int = 32, **options) -> dense.Likely:
        """The same as probabilities; see `loupe.models.dense.likely`."""
        return dense.likely(self, phrase, grid, **options)

    def talk(self) -> Talk:
        """A conversation: each turn is answered knowing the earlier ones."""
        return Talk(self)


class Talk:
    """Turns on one look. Keys and values of what was said stay; a turn pays for its own tokens only.

    `turns` is the conversation so far. An answer without a word is not kept, nor is its question.
    """

    def __init__(self, look: Look):
        self.look, self.turns = look, ()
        self._ids: list[int] = []  # behind the look's prefix, whose keys and values are in `_prefix`
        self._opening = self._prefix = look.prefix

    def say(self, *parts: Part | Region, constrain: str | None = None, max_tokens: int | None = None) -> Answer:
        look, model = self.look, self.look.model
        limits = replace(look.limits, constrain=constrain or look.limits.constrain,
                         answer=look.limits.answer if max_tokens is None else max_tokens)
        sample = Sample(look.images, (*self.turns, turn(*parts)))
        encoded = model.encoder.encode([sample])[0]
        if encoded.prefix != self._opening.ids:  # a picture is marked inside a question
            self._opening = self._prefix = see(model, [look.images], encoded.prefix)
            self._ids = []
        ids, start = list(encoded.ids), self._opening.length
        same = _common(self._ids, ids[:-1])
        known = self._prefix.crop(start + same)
        most = room_for(model, start, ids, limits.longest)
        guides = guides_of(model, [sample], limits)
        (written,), rows = generate(model, known, [0], [ids[same:]], [most], guides)
        layers = rows.whole()
        length = layers[0][0].shape[2]
        self._prefix = replace(self._opening, layers=layers, length=length)
        self._ids = (ids + written.ids + list(model.encoder.stop))[:length - start]
        said = read(model, sample, written, guides and guides[0])
        if said.raw.strip():
            self.turns = (*sample.turns, Turn("assistant", (said.raw,)))
        return said


def answer(model: VLM, prefix: Prefix, owners: Sequence[int], samples: Sequence[Sample], limits: Limits,
           encoded: Sequence[Encoded] | None = None) -> list[Answer]:
    """Answers to samples whose pictures are looks `owners[i]` of the prefix, in batches within the limits.

    A sample that begins otherwise (a picture is marked inside its question) gets a look of its own. encoded: the
    samples in tokens, where that is done already.
    """
    encoded = model.encoder.encode(samples) if encoded is None else encoded
    out: list[Answer | None] = [None] * len(samples)
    for i, e in enumerate(encoded):
        if e.prefix != prefix.ids:
            own = see(model, [samples[i].images], e.prefix)
            out[i] = answer(model, own, [0], [samples[i]], limits)[0]
    bodies = [e.ids for e in encoded]
    left = [i for i, found in enumerate(out) if found is None]
    most = {i: room_for(model, prefix.length, bodies[i], limits.longest) for i in left}
    order = sorted(left, key=lambda i: len(bodies[i]))
    for chunk in chunks(order, bodies, prefix.length, limits):
        guides = guides_of(model, [samples[i] for i in chunk], limits)
        written, _ = generate(model, prefix, [owners[i] for i in chunk], [bodies[i] for i in chunk],
                              [most[i] for i in chunk], guides)
        for k, i in enumerate(chunk):
            out[i] = read(model, samples[i], written[k], guides and guides[k])
    return out


def guides_of(model: VLM, samples: Sequence[Sample], limits: Limits) -> list[Guide] | list[Dice] | None:
    kind = limits.constrain
    if kind is None:
        return [Dice(limits.temperature, limits.seed, s.id) for s in samples] if limits.temperature > 0 else None
    encoder, known = model.encoder, pieces(model)
    frames = [next(iter(encoder.places(s)), None) for s in samples]
    return [Guide(encoder.codec, kind, known, (f.width, f.height) if f else None) for f in frames]


def room_for(model: VLM, prefix: int, body: Sequence[int], most: int) -> int:
    """How long the answer may be."""
    left = model.encoder.max_length - prefix - len(body)
    if left < 1:
        raise ConfigError("the question does not fit", got=f"{prefix + len(body)} tokens",
                          expected=f"at most {model.encoder.max_length - 1}", where="model.language.max_length",
                          do="shorten it, or begin a new conversation")
    return min(left, most)


def chunks(order: Sequence[int], bodies: Sequence[Sequence[int]], prefix: int, limits: Limits):
    """Runs of `order` (shortest question first) within the limits; at least one question each."""
    chunk: list[int] = []
    for i in order:
        wide = prefix + len(bodies[i]) + limits.longest
        if chunk and (len(chunk) >= limits.rows or (len(chunk) + 1) * wide > limits.tokens):
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common beginning."""
    return next((k for k, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
