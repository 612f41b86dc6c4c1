"""A vision-language model of others, in transformers' layout, that answers loupe's samples."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

from loupe.codec import Codec, codec
from loupe.errors import CheckpointError, ConfigError
from loupe.framing import Framing
from loupe.image import Image
from loupe.models.device import rounded
from loupe.models.look import Limits
from loupe.predictors.chatting import Chat
from loupe.predictors.families import FAMILIES, OTHER, Family
from loupe.predictors.sights import LONGEST, Reading, Sights
from loupe.predictors.spoken import BEHIND
from loupe.predictors.view import View
from loupe.sample import Answer, Sample

STRETCH = 16  # times `rows`: the most questions on one look that are held in memory together


class Foreign:
    """A Predictor around an image-text-to-text model. One look per run of questions on the same pictures."""

    capabilities = ("ask", "locate", "describe", "constrain", "weigh")

    def __init__(self, model, chat: Chat, codec: Codec, framing: Framing, name: str = "model",
                 limits: Limits | None = None, behind: Mapping[str, str] = BEHIND, weights: str = ""):
        self.model, self.chat, self.codec, self.framing = model.eval(), chat, codec, framing
        self.name, self.limits, self.behind, self.weights = name, limits or Limits(rows=16), dict(behind), weights
        config = model.config.get_text_config()
        longest = min(getattr(config, "max_position_embeddings", None) or LONGEST, LONGEST)
        self.encoder = Reading(chat, codec, framing, _stops(model, chat.tokenizer), longest)
        _plain_attention(model)

    @classmethod
    def load(cls, place: str | os.PathLike, device: str | None = None, dtype: str = "float32",
             codec: str | None = None, frame: str | None = None, hints: bool = True, **limits) -> Foreign:
        """From a folder or an id of the hub. codec, frame: instead of the family's; without `hints` a question is asked
        as it stands. limits: of loupe.models.look.Limits."""
        from transformers import AutoConfig, AutoModelForImageTextToText

        from loupe.models.assembly import weights_hash
        from loupe.models.device import device_of, dtype_of

        text = os.fspath(place)
        _check_layout(Path(text).expanduser() / "config.json")
        config = _opened(AutoConfig, text)
        family = FAMILIES.get(config.model_type, OTHER)
        spelling = _codec(codec or family.codec, config.model_type)
        if type(config) not in AutoModelForImageTextToText._model_mapping:
            raise CheckpointError("this is no model that looks at pictures", got=config.model_type, where=text,
                                  expected="an image-text-to-text model of transformers")
        chat = Chat(text, config, family)
        framing = framing_of(family, frame, chat)
        place, kind = device_of(device), dtype_of(dtype)
        model = _opened(AutoModelForImageTextToText, text, dtype=kind).to(place)
        if frame is not None:
            framing = replace(framing, name=frame)
        known = {k: v for k, v in limits.items() if v is not None}
        return cls(model, chat, spelling, framing, Path(text.rstrip("/")).name, replace(Limits(rows=16), **known),
                   BEHIND if hints else {}, weights_hash(model))

    @property
    def identity(self) -> dict:
        out = {"weights": self.weights, "family": self.model.config.model_type, "codec": self.codec.name,
               "frame": self.framing.name, "answer": self.limits.answer, "constrain": self.limits.constrain}
        return out | rounded(self.model) | ({} if self.behind else {"hints": False})

    def changed(self, constrain: str | None = None, answer: int | None = None) -> Foreign:
        """The same model with other limits."""
        limits = replace(self.limits, constrain=constrain or self.limits.constrain,
                         answer=answer or self.limits.answer)
        return Foreign(self.model, self.chat, self.codec, self.framing, self.name, limits, self.behind, self.weights)

    def shortened(self, answer: int) -> Foreign:
        """The same model with answers of at most so many tokens."""
        return self.changed(answer=min(answer, self.limits.answer))

    def look(self, images, **limits) -> View:
        """At one picture (path, bytes, Pillow image, array, Image) or a list of them."""
        many = images if isinstance(images, (list, tuple)) else [images]
        pictures = tuple(Image.of(i) for i in many)
        for picture in pictures:
            picture.pillow()
        shared = self.seen([pictures])
        shared.limits = replace(self.limits, **{k: v for k, v in limits.items() if v is not None})
        shared.name = self.name

        def changed(constrain, most):
            own = self.seen([pictures])
            own.pictures, own.fronts = shared.pictures, shared.fronts
            own.limits = replace(shared.limits, constrain=constrain or shared.limits.constrain,
                                 answer=most or shared.limits.answer)
            return own

        return View(shared, pictures, changed)

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """One Answer each, in order."""
        for images, run in groupby(samples, key=lambda sample: sample.images):
            look = self.seen([images])
            while some := list(islice(run, STRETCH * self.limits.rows)):
                yield from look.answer(some)

    def seen(self, looks: Sequence[tuple[Image, ...]]) -> Sights:
        """Pictures kept in sight: rounds of questions, weighed answers and drawn ones, from one look each."""
        return Sights(self.model, self.encoder, looks, self.limits, self.behind)


def framing_of(family: Family, name: str | None, chat: Chat) -> Framing:
    """From the numbers of the checkpoint's image processor."""
    images, side = chat.images, chat.side if chat.family.tokens == "square" else 0
    if family.frame != "smart-resize":
        return Framing(name or family.frame, side)
    size = images.size if isinstance(images.size, dict) else vars(images.size)
    return Framing(name or "smart-resize", side, images.patch_size * images.merge_size, size["shortest_edge"],
                   size["longest_edge"])


def _codec(name: str, kind: str) -> Codec:
    if not name:
        raise ConfigError("it is not known how this family writes places", got=f"model_type {kind}",
                          expected=", ".join(FAMILIES), do="name a codec: MODEL#codec=qwen3-vl")
    return codec(name)


def _check_layout(path: Path) -> None:
    """LLaVA's own config.json names itself as transformers' does, whose class would keep random weights."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return  # transformers says what is wrong
    if isinstance(said, dict) and "mm_vision_tower" in said:
        raise CheckpointError("this is a LLaVA in its own repository's layout", got="mm_vision_tower", where=path,
                              do=f"loupe import llava {path.parent} --out imported, then ask imported/model")


def _opened(kind, place: str, **options):
    from safetensors import SafetensorError

    try:
        return kind.from_pretrained(place, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        do = "" if Path(place).expanduser().exists() else "there is no such folder here; "
        do += "give a folder with config.json, or an id of the hub that is cached or reachable"
        raise CheckpointError("cannot open this model with transformers", got=first[:300], where=place, do=do) from None


def _stops(model, tokenizer) -> list[int]:
    """Tokens that end an answer, the one the chat template writes first."""
    given = model.generation_config.eos_token_id
    stops = [given] if isinstance(given, int) else list(given or ())
    own = tokenizer.eos_token_id
    if own is not None:
        stops = [own, *(s for s in stops if s != own)] if own in stops or not stops else [*stops, own]
    if not stops:
        raise CheckpointError("nothing says what ends an answer", expected="eos_token_id in generation_config.json")
    return stops


def _plain_attention(model) -> None:
    """Questions are read behind kept keys and values: every token must see all before it and nothing else."""
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    if layers != {"full_attention"} or window or model.config.model_type in ("paligemma", "gemma3"):
        raise ConfigError("questions on one picture cannot be shared in this family", got=model.config.model_type,
                          expected="plain causal attention in every layer", do="serve it and give the endpoint's URL")
