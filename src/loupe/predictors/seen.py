"""Pictures a model has seen: any number of rounds of questions on them, from one look each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from loupe.errors import ConfigError, ImageError, LoupeError
from loupe.image import Image
from loupe.models import dense
from loupe.models.decoding import Memory, Prefix, see
from loupe.models.device import within_memory
from loupe.models.encoding import Encoded
from loupe.models.look import Limits, answer, chunks
from loupe.models.vlm import VLM
from loupe.models.weighing import weigh
from loupe.predictor import unanswered
from loupe.sample import Answer, Sample

Pictures = tuple[Image, ...]
Asked = list[tuple[int, int, Encoded]]  # (number of the sample, its look, its tokens)


class SeenBy:
    """Looks of a model, encoded and prefilled together; see `loupe.predictor.Seen`."""

    def __init__(self, vlm: VLM, looks: Iterable[Pictures], limits: Limits,
                 memory: Memory | None = None):
        self.vlm, self.limits = vlm, limits
        self.prefixes: dict[int, Prefix] = {}  # by the number of pictures in a look
        self.owners: dict[Pictures, int] = {}
        self.broken: dict[Pictures, ImageError] = {}
        by_number: dict[int, list[Pictures]] = {}
        for images in dict.fromkeys(looks):
            by_number.setdefault(len(images), []).append(images)
        for number, many in by_number.items():
            good, prefix, broken = _see(vlm, many, memory)
            self.broken |= broken
            if prefix is not None:
                self.prefixes[number] = prefix
                self.owners |= {images: owner for owner, images in enumerate(good)}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """One Answer each, in order; samples must be on these pictures."""
        return iter(self._answered(list(samples), self.limits))

    def dense(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """As `answer`, for many short questions on each look: they view it, no row copies it."""
        limits = self.limits

        def viewed(prefix: Prefix, asked: Asked, samples: list[Sample]) -> dict[int, Answer]:
            room = self.vlm.encoder.max_length - prefix.length - limits.longest
            short: dict[int, list[tuple[int, Encoded]]] = {}
            for i, owner, e in asked:
                if e.prefix == prefix.ids and prefix.length and min(e.ids, default=-1) >= 0 and len(e.ids) <= room:
                    short.setdefault(owner, []).append((i, e))
            out = {}
            for owner, some in short.items():
                said = dense.answers(self.vlm, prefix, owner, [samples[i] for i, _ in some], [e for _, e in some],
                                     limits.longest, limits.constrain)
                out |= {i: each for (i, _), each in zip(some, said)}
            left = [each for each in asked if each[0] not in out]
            return out | self._plain(prefix, left, samples, limits)

        if limits.temperature > 0:  # every answer is drawn by itself
            return self.answer(samples)
        return iter(self._each(list(samples), viewed, "user"))

    def sampled(self, samples: Iterable[Sample], temperature: float, seed: int = 0) -> Iterator[Answer]:
        return iter(self._answered(list(samples), replace(self.limits, temperature=temperature, seed=seed)))

    def weigh(self, samples: Iterable[Sample]) -> Iterator[float | None]:
        def weighed(prefix: Prefix, asked: Asked, samples: list[Sample]) -> dict[int, float]:
            out = {}
            for i, _, e in asked:
                if e.prefix != prefix.ids:  # a picture is marked inside its question
                    out[i], = weigh(self.vlm, see(self.vlm, [samples[i].images], e.prefix), [0], [e])
            asked = [each for each in asked if each[0] not in out]
            bodies = [e.ids for *_, e in asked]
            for chunk in chunks(sorted(range(len(asked)), key=lambda k: len(bodies[k])), bodies, prefix.length,
                                replace(self.limits, answer=1, constrain=None)):
                some = [asked[k] for k in chunk]
                logs = weigh(self.vlm, prefix, [owner for _, owner, _ in some], [e for *_, e in some])
                out |= {i: value for (i, *_), value in zip(some, logs)}
            return out

        found = self._each(list(samples), weighed, "assistant")
        return iter([None if isinstance(value, Answer) else value for value in found])

    def _answered(self, samples: list[Sample], limits: Limits) -> list[Answer]:
        return self._each(samples, partial(self._plain, limits=limits), "user")

    def _plain(self, prefix: Prefix, asked: Asked, samples: list[Sample], limits: Limits) -> dict[int, Answer]:
        said = answer(self.vlm, prefix, [owner for _, owner, _ in asked], [samples[i] for i, *_ in asked], limits,
                      [e for *_, e in asked])
        return {i: each for (i, *_), each in zip(asked, said)}

    @within_memory
    def _each(self, samples: list[Sample], work: Callable, role: str) -> list:
        """What `work` gives for each sample, or an Answer that says why it cannot be asked."""
        out: dict[int, object] = {}
        by_number: dict[int, list[int]] = {}
        for i, sample in enumerate(samples):
            if sample.images in self.broken:
                out[i] = unanswered(self.broken[sample.images])
            else:
                by_number.setdefault(len(sample.images), []).append(i)
        for number, members in by_number.items():
            prefix = self.prefixes[number]
            ready = self._encoded([samples[i] for i in members], role)
            out |= {i: e for i, e in zip(members, ready) if isinstance(e, Answer)}
            asked = [(i, self.owners[samples[i].images], e) for i, e in zip(members, ready) if isinstance(e, Encoded)]
            out |= work(prefix, asked, samples)
        return [out[i] for i in range(len(samples))]

    def _encoded(self, samples: Sequence[Sample], role: str) -> list[Encoded | Answer]:
        """Each sample in tokens, or why it cannot be asked: a region outside the view, no room, a turn too many."""
        encoder, most = self.vlm.encoder, self.vlm.encoder.max_length
        try:
            out = list(encoder.encode(samples))
        except LoupeError as error:
            if len(samples) > 1:
                return [each for sample in samples for each in self._encoded([sample], role)]
            return [unanswered(error, "question")]
        for k, (sample, encoded) in enumerate(zip(samples, out)):
            if not sample.turns or sample.turns[-1].role != role:
                wanted = {"user": "question", "assistant": "answer"}[role]
                out[k] = unanswered(ConfigError(f"sample does not end with a {wanted}", where=sample.id), "question")
            elif len(encoded) >= most:
                out[k] = unanswered(ConfigError("question is too long", got=f"{len(encoded)} tokens",
                                                expected=f"below {most}"), "question")
        return out


@within_memory
def _see(vlm: VLM, looks: list[Pictures], memory: Memory | None = None
         ) -> tuple[list[Pictures], Prefix | None, dict[Pictures, ImageError]]:
    """(looks that decode, their prefix or None, {look: error} of the rest)."""
    try:
        return looks, see(vlm, looks, memory=memory), {}
    except ImageError:
        broken = {images: error for images in looks if (error := _damage(images))}
    good = [images for images in looks if images not in broken]
    return good, see(vlm, good, memory=memory) if good else None, broken


def _damage(images: Pictures) -> ImageError | None:
    try:
        for image in images:
            image.pillow()
    except ImageError as error:
        return error
    return None
