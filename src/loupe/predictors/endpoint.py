"""A model behind an OpenAI-compatible endpoint that answers loupe's samples. No torch."""

from __future__ import annotations

import base64
import io
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from functools import lru_cache

from loupe.codec import Codec, codec
from loupe.endpoint import EndpointError, Reply, Settings
from loupe.errors import ConfigError, ImageError, LoupeError, unknown_name
from loupe.frame import Frame
from loupe.framing import Framing, of_codec, untouched
from loupe.image import Image
from loupe.predictor import unanswered
from loupe.predictors.families import of_name
from loupe.predictors.heard import heard
from loupe.predictors.line import Line, key_named, served
from loupe.predictors.spoken import BEHIND, explained, messages
from loupe.predictors.view import View
from loupe.sample import Answer, Problem, Sample

LONGEST_SIDE = 2048  # pixels; larger pictures are shrunk before they are sent
LOSSLESS = 512 * 512  # square pixels up to which a resized picture is sent as PNG, above as JPEG


@dataclass(frozen=True)
class Asking:
    """Of every request. logprobs: whether scores are asked for."""

    answer: int = 512  # tokens
    temperature: float = 0.0
    logprobs: bool = True


class Endpoint:
    """A Predictor. A question that fails for good becomes an Answer with a problem of kind "endpoint"; where the model
    says nothing, its kind is "empty"."""

    capabilities = ("ask", "locate", "describe")

    def __init__(self, line: Line, codec: Codec, framing: Framing, asking: Asking | None = None,
                 behind: Mapping[str, str] = BEHIND, system: str | None = None):
        self.line, self.model = line, line.settings.model
        self.name, self.codec, self.framing, self.asking = self.model, codec, framing, asking or Asking()
        self.behind, self.system = dict(behind), explained(codec) if system is None else system

    @classmethod
    def load(cls, url: str, model: str = "", *, codec: str | None = None, frame: str | None = None,
             key: str | None = None, timeout: float | None = None, tries: int | None = None,
             per_minute: float | None = None, logprobs: bool = True, hints: bool = True, check: bool = True,
             rows: int | None = None, answer: int | None = None, constrain: str | None = None,
             device: str | None = None, dtype: str | None = None) -> Endpoint:
        """model: without one, the only one the endpoint serves. key: name of an environment variable. rows: questions
        under way at a time. Without `hints` the model is told nothing but the question. check: asks for the list of
        models first, so that a wrong address is said at once. device and dtype are the endpoint's own affair."""
        if constrain:
            raise _unheld(constrain)
        given = {"key": key_named(key), "timeout": timeout, "tries": tries, "per_minute": per_minute,
                 "concurrency": rows}
        settings = Settings(url, model or "?", **{"concurrency": 8} | {k: v for k, v in given.items() if v is not None})
        Line(settings)  # a wrong address, codec or frame is said before anything is asked
        framing, spelling = Framing(frame or "whole"), _codec(codec) if codec else None
        known = served(settings) if check or not model else None
        model = chosen(model, known, url)
        family = of_name(model)
        framing = Framing(frame or (of_codec(spelling) if spelling else family.frame), longest=LONGEST_SIDE)
        asking = Asking(logprobs=logprobs) if answer is None else Asking(answer, logprobs=logprobs)
        return cls(Line(replace(settings, model=model)), spelling or _codec(family.codec), framing, asking,
                   BEHIND if hints else {}, None if hints else "")

    @property
    def identity(self) -> dict:
        out = {"endpoint": self.line.settings.url, "model": self.model, "codec": self.codec.name,
               "frame": self.framing.name, "answer": self.asking.answer}
        out |= {"temperature": self.asking.temperature} if self.asking.temperature else {}
        return out | ({} if self.behind else {"hints": False})

    def changed(self, constrain: str | None = None, answer: int | None = None) -> Endpoint:
        """The same with other limits."""
        if constrain:
            raise _unheld(constrain)
        return self._with(replace(self.asking, answer=answer or self.asking.answer))

    def shortened(self, answer: int) -> Endpoint:
        """The same: models that think before they answer need the room, and a hint says how short to be."""
        return self

    def look(self, images, *, answer: int | None = None, constrain: str | None = None, **limits) -> View:
        """At one picture (path, bytes, Pillow image, array, Image) or a list of them."""
        many = images if isinstance(images, (list, tuple)) else [images]
        pictures = tuple(Image.of(i) for i in many)
        for picture in pictures:
            picture.pillow()
        return View(self.changed(constrain, answer), pictures, self.changed)

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """One Answer each, in order; some are asked at the same time. Once the endpoint refuses everything, the rest is
        not asked any more."""
        return self._answered(samples)

    def sampled(self, samples: Iterable[Sample], temperature: float, seed: int = 0) -> Iterator[Answer]:
        """Each with a seed of its own; whether it is kept to is the endpoint's affair."""
        return self._drawing(temperature)._answered(samples, seed)

    @property
    def concurrency(self) -> int:
        """Questions under way at a time."""
        return self.line.settings.concurrency

    def begin(self, sample: Sample, answer: int | None = None, temperature: float = 0.0, seed: int = 0) -> Call:
        """Asked now, answered later: for who waits for many and takes each as it comes."""
        asking = replace(self.asking, answer=answer or self.asking.answer,
                         temperature=temperature or self.asking.temperature)
        return Call(self, *self._with(asking)._asked(sample, seed if temperature else None, []))

    def seen(self, looks: Sequence[tuple[Image, ...]]) -> Strict:
        return Strict(self)

    def _drawing(self, temperature: float) -> Endpoint:
        return self._with(replace(self.asking, temperature=temperature))

    def _with(self, asking: Asking) -> Endpoint:
        return Endpoint(self.line, self.codec, self.framing, asking, self.behind, self.system)

    def _answered(self, samples: Iterable[Sample], seed: int | None = None, strict: bool = False) -> Iterator[Answer]:
        """strict: a question that fails for good is raised."""
        waiting: deque[tuple[Future | Answer, tuple[Frame, ...]]] = deque()
        refused: list[EndpointError] = []
        try:
            for sample in samples:
                waiting.append(self._asked(sample, seed, refused))
                if len(waiting) >= 2 * self.line.settings.concurrency:
                    yield self._answer(*waiting.popleft(), refused, strict)
            while waiting:
                yield self._answer(*waiting.popleft(), refused, strict)
        finally:
            for left, _ in waiting:
                if isinstance(left, Future):
                    left.cancel()

    def _asked(self, sample: Sample, seed: int | None, refused: list) -> tuple[Future | Answer, tuple[Frame, ...]]:
        try:
            frames = tuple(self.framing.frame(*size) for size in sample.sizes)
            body = self._body(sample, frames, seed)
        except ImageError as error:
            return unanswered(error), ()
        except LoupeError as error:
            return unanswered(error, "question"), ()
        if refused:
            return unanswered(refused[0], "endpoint"), ()
        return self.line.ask(body, self.asking.logprobs), frames

    def _answer(self, said: Future | Answer, frames: tuple[Frame, ...], refused: list, strict: bool) -> Answer:
        if isinstance(said, Answer):
            return said
        try:
            return self._read(said.result(), frames)
        except CancelledError:
            error = EndpointError("the question was taken back")
        except EndpointError as failed:
            error = failed
        if strict:
            raise error
        if error.final and not refused:
            refused.append(error)
        return unanswered(error, "endpoint")

    def _body(self, sample: Sample, frames: tuple[Frame, ...], seed: int | None) -> dict:
        if not sample.turns or sample.turns[-1].role != "user":
            raise ConfigError("sample does not end with a question", where=sample.id)
        said = [{"role": "system", "content": self.system}] if self.system and frames else []
        for message in messages(sample, self.codec, frames, self.behind):
            content = [_part(item, sample.images, frames) for item in message["content"]]
            words = all(item["type"] == "text" for item in content)
            said.append({"role": message["role"],
                         "content": "".join(item["text"] for item in content) if words else content})
        body = {"model": self.model, "messages": said, "temperature": self.asking.temperature,
                "max_tokens": self.asking.answer}
        if self.codec.tokens:  # vLLM's name: unless told so, it drops them from what is said
            body["skip_special_tokens"] = False
        if seed is not None:
            body["seed"] = zlib.crc32(f"{seed}/{sample.id}".encode()) >> 1
        return body

    def _read(self, reply: Reply, frames: tuple[Frame, ...]) -> Answer:
        if not reply.text.strip():
            return Answer((), (Problem("empty", f"nothing was said (finish_reason {reply.finish})", 0),), reply.text)
        return heard(reply.text, reply.logs, self.codec, frames)


class Call:
    """A question under way. Threads may share it; frames: of its pictures."""

    def __init__(self, endpoint: Endpoint, said: Future | Answer, frames: tuple[Frame, ...]):
        self.endpoint, self.said, self.frames = endpoint, said, frames

    @property
    def done(self) -> bool:
        return isinstance(self.said, Answer) or self.said.done()

    def then(self, tell: Callable[[], None]) -> None:
        """Tells when the answer is there, from another thread or at once."""
        if isinstance(self.said, Answer):
            tell()
        else:
            self.said.add_done_callback(lambda _: tell())

    def cancel(self) -> None:
        """Nobody waits for it any more: the request is broken off."""
        if isinstance(self.said, Future):
            self.said.cancel()

    def reply(self) -> Reply | None:
        """What the endpoint said, waited for; None where it was not asked. EndpointError: it failed for good."""
        return None if isinstance(self.said, Answer) else self.said.result()

    def answer(self) -> Answer:
        """As `reply`."""
        reply = self.reply()
        return self.said if reply is None else self.endpoint._read(reply, self.frames)


class Strict:
    """Rounds of questions on a few pictures: here a question that failed for good raises its EndpointError, because
    what depends on it is not worth asking, and who asks (bootstrapping) can come back to the picture."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        return self.endpoint._answered(samples, strict=True)

    def sampled(self, samples: Iterable[Sample], temperature: float, seed: int = 0) -> Iterator[Answer]:
        return self.endpoint._drawing(temperature)._answered(samples, seed, strict=True)


def chosen(model: str, known: Sequence[str] | None, url: str) -> str:
    """The model to ask for: the one named, or the only one that is served."""
    if not model and known and len(known) == 1:
        return known[0]
    if not model:
        raise ConfigError("no model of this endpoint is named", got=url, expected=f"{url}#MODEL",
                          do=f"choose one of: {', '.join(known[:20])}" if known else "name one")
    if known and model not in known:
        raise unknown_name("model of this endpoint", model, known, where=url)
    return model


def _unheld(constrain: str) -> ConfigError:
    return ConfigError("an endpoint cannot be held to a form", got=f"constrain {constrain}", do="leave it out")


def _codec(name: str) -> Codec:
    return codec(name)


def _part(item: dict, images: Sequence[Image], frames: Sequence[Frame]) -> dict:
    if item["type"] == "text":
        return item
    index = item["image"]
    return {"type": "image_url", "image_url": {"url": data_url(images[index], frames[index])}}


@lru_cache(maxsize=32)
def data_url(image: Image, frame: Frame) -> str:
    """The model's picture; upright JPEG and PNG files that need no change go as they are."""
    raw, kind = image.bytes(), None
    if untouched(frame):
        kind = "jpeg" if raw[:2] == b"\xff\xd8" and b"Exif" not in raw[:4096] else None
        kind = "png" if raw[:4] == b"\x89PNG" and b"eXIf" not in raw else kind
        image.pillow()  # proves that the file is whole
    if kind is None:
        kind = "png" if frame.width * frame.height <= LOSSLESS else "jpeg"
        buffer = io.BytesIO()
        frame.picture(image).save(buffer, kind.upper(), **({"quality": 95, "subsampling": 0} if kind == "jpeg" else {}))
        raw = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"
