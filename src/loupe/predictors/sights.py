"""Pictures a transformers model has seen: its tower and the prefill of a picture run once, questions follow behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from loupe.codec import Codec
from loupe.dialogue import Dialogue
from loupe.errors import ConfigError, ImageError, LoupeError
from loupe.framing import Framing
from loupe.image import Image
from loupe.models.decoding import Prefix
from loupe.models.device import within_memory
from loupe.models.encoding import IGNORE, Encoded
from loupe.models.look import Limits, answer, chunks
from loupe.models.vlm import additive
from loupe.models.weighing import weigh
from loupe.predictor import unanswered
from loupe.predictors.chatting import Chat
from loupe.predictors.spoken import messages
from loupe.sample import Answer, Sample

SAID = Dialogue("chat", start="", assistant="", stop="", user="")  # answers lose a leading space
LONGEST = 32768  # tokens of pictures, question and answer, where the model does not say less


class Reading:
    """What loupe's decoding asks of an encoder: tokens to text, and where answers end."""

    def __init__(self, chat: Chat, codec: Codec, framing: Framing, stops: Sequence[int], longest: int):
        self.chat, self.codec, self.framing, self.max_length = chat, codec, framing, longest
        self.tokenizer, self.stops = chat.tokenizer, tuple(stops)
        self.stop = self.stops[:1]
        self.dialogue = SAID

    def places(self, sample: Sample) -> tuple:
        return tuple(self.framing.frame(*size) for size in sample.sizes)

    def decode(self, ids: Iterable[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)


class Sight:
    """The text side of a model behind pictures it has seen, as loupe's decoding wants a model.

    shift: how much earlier than its number a token behind the pictures stands (Qwen's positions in three axes).
    """

    decoder = None  # positions in three axes and layers of many kinds: transformers' own run them

    def __init__(self, model, encoder: Reading, shift: int = 0):
        self.language, self.encoder, self.shift = model, encoder, shift
        self.text = getattr(model.model, "language_model", None) or model.get_decoder()

    @property
    def device(self) -> torch.device:
        return self.language.device

    def embed(self, ids: Tensor, *places) -> Tensor:
        return self.language.get_input_embeddings()(ids)

    def hidden(self, x: Tensor, mask: Tensor, positions: Tensor, cache=None, front=None, ready=None) -> Tensor:
        """As VLM.hidden; prefixes are copied, so there is no front."""
        seen = None if mask is None else additive(mask, x)
        out = self.text(inputs_embeds=x, attention_mask=seen, position_ids=positions + self.shift,
                        past_key_values=cache, use_cache=cache is not None)
        return out.last_hidden_state

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., D] -> [..., V]; whatever ends an answer counts as the first of the stops."""
        out = self.language.get_output_embeddings()(hidden).float()
        stops = list(self.encoder.stops)
        if len(stops) > 1:
            out[..., stops[0]] = out[..., stops].logsumexp(-1)
            out[..., stops[1:]] = -torch.inf
        return out


@dataclass(frozen=True)
class Front:
    """Keys and values of what stands up to the last picture."""

    sight: Sight
    prefix: Prefix


class Sights:
    """Looks of a transformers model; see `loupe.predictor.Seen`. Each is prefilled when it is first asked about."""

    def __init__(self, model, encoder: Reading, looks: Iterable[tuple[Image, ...]], limits: Limits, behind: dict):
        self.model, self.encoder, self.limits, self.behind = model, encoder, limits, behind
        self.looks = dict.fromkeys(looks)
        self.pictures: dict[tuple[Image, ...], list | ImageError] = {}
        self.fronts: dict[tuple, Front] = {}

    def answer(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        return iter(self._answered(list(samples), self.limits))

    def sampled(self, samples: Iterable[Sample], temperature: float, seed: int = 0) -> Iterator[Answer]:
        return iter(self._answered(list(samples), replace(self.limits, temperature=temperature, seed=seed)))

    def weigh(self, samples: Iterable[Sample]) -> Iterator[float | None]:
        def weighed(front: Front, members: list[int], asked: dict, samples: list[Sample]) -> list[float]:
            bodies = [asked[i].ids for i in members]
            out: dict[int, float] = {}
            limits = replace(self.limits, answer=1, constrain=None)
            for chunk in chunks(sorted(range(len(bodies)), key=lambda k: len(bodies[k])), bodies, front.prefix.length,
                                limits):
                some = [members[k] for k in chunk]
                out |= zip(some, weigh(front.sight, front.prefix, [0] * len(some), [asked[i] for i in some]))
            return [out[i] for i in members]

        found = self._each(list(samples), weighed, "assistant")
        return iter([None if isinstance(value, Answer) else value for value in found])

    def _answered(self, samples: list[Sample], limits: Limits) -> list[Answer]:
        def said(front: Front, members: list[int], asked: dict, samples: list[Sample]) -> list[Answer]:
            return answer(front.sight, front.prefix, [0] * len(members), [samples[i] for i in members], limits,
                          [asked[i] for i in members])

        return self._each(samples, said, "user")

    @within_memory
    def _each(self, samples: list[Sample], work: Callable, role: str) -> list:
        """What `work` gives for each sample, or an Answer that says why it cannot be asked."""
        out: dict[int, object] = {}
        asked: dict[int, Encoded] = {}
        together: dict[tuple, list[int]] = {}
        tensors: dict[tuple, dict] = {}
        for i, sample in enumerate(samples):
            try:
                asked[i], shown = self._encoded(sample, role)
            except ImageError as error:
                out[i] = unanswered(error)
                continue
            except LoupeError as error:
                out[i] = unanswered(error, "question")
                continue
            key = (sample.images, asked[i].prefix)
            together.setdefault(key, []).append(i)
            tensors.setdefault(key, shown)
        for key, members in together.items():
            if key not in self.fronts:
                self.fronts[key] = front(self.model, self.encoder, key[1], tensors[key])
            out |= zip(members, work(self.fronts[key], members, asked, samples))
        return [out[i] for i in range(len(samples))]

    def _encoded(self, sample: Sample, role: str) -> tuple[Encoded, dict]:
        """Tokens up to the last picture and behind it; a LoupeError where it cannot be asked."""
        if not sample.turns or sample.turns[-1].role != role:
            raise ConfigError(f"sample does not end with {'a question' if role == 'user' else 'an answer'}",
                              where=sample.id)
        chat, pictures = self.encoder.chat, self._pictures(sample.images)
        said = messages(sample, self.encoder.codec, self.encoder.places(sample), self.behind)
        order = [item["image"] for message in said for item in message["content"] if item["type"] == "image"]
        ids, tensors, given = chat.encode(said, [pictures[k] for k in order], role == "assistant")
        cut = max((k for k, token in enumerate(ids) if token == chat.mark_id), default=-1) + 1
        body = [*ids[cut:], *given, *(self.encoder.stop if given else ())]
        if len(ids) + len(body) - len(ids[cut:]) >= self.encoder.max_length:
            raise ConfigError("question is too long", got=f"{cut + len(body)} tokens",
                              expected=f"below {self.encoder.max_length}")
        labels = [IGNORE] * len(ids[cut:]) + body[len(ids) - cut:]
        return Encoded(tuple(ids[:cut]), tuple(body), tuple(labels)), tensors

    def _pictures(self, images: tuple[Image, ...]) -> list:
        """What the model gets of each picture, made once."""
        if images not in self.pictures:
            try:
                self.pictures[images] = [self._picture(image) for image in images]
            except ImageError as error:
                self.pictures[images] = error
        found = self.pictures[images]
        if isinstance(found, ImageError):
            raise found
        return found

    def _picture(self, image: Image):
        chat, shown = self.encoder.chat, self.encoder.framing.frame(*image.size).picture(image)
        return shown if chat.processor is not None else chat.pixels(shown)


@torch.inference_mode()
def front(model, encoder: Reading, opening: Sequence[int], tensors: dict[str, Tensor]) -> Front:
    """The whole model over what stands up to the last picture."""
    if not opening:
        return Front(Sight(model, encoder), Prefix((), (), 0, torch.zeros(0), 0))
    ids = torch.tensor([list(opening)], device=model.device)
    given = {k: v.to(model.device, model.dtype if v.is_floating_point() else None) for k, v in tensors.items()}
    turning = hasattr(model.model, "rope_deltas")
    if turning:
        model.model.rope_deltas = None  # of the pictures before
        given["mm_token_type_ids"] = (ids == encoder.chat.mark_id).long()
    out = model.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True, **given)
    layers = tuple((layer.keys, layer.values) for layer in out.past_key_values.layers)
    shift = int(model.model.rope_deltas.reshape(-1)[0]) if turning and model.model.rope_deltas is not None else 0
    return Front(Sight(model, encoder, shift), Prefix(tuple(opening), layers, len(opening), torch.zeros(0), 0))
