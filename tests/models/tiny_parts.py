"""Tiny parts and hand-made samples; the words around them are as plain as can be."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image as Pillow

from loupe.image import Image
from loupe.sample import Sample, assistant, user

CLIP = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
        "num_attention_heads": 4, "image_size": 24, "patch_size": 8, "projection_dim": 16}
LLAMA = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
         "tie_word_embeddings": False}
QWEN3 = {**LLAMA, "model_type": "qwen3", "head_dim": 8, "tie_word_embeddings": True}
WORDS = ["a red cup next to the plate", "where is the blue box?", "USER: ASSISTANT: [0.123,0.456,0.789,0.012]",
         "how many circles are there? three of them, two of which overlap"]


@dataclass(frozen=True)
class Segment:
    text: str = ""
    loss: bool = False
    image: int | None = None


@dataclass(frozen=True)
class Rendered:
    prefix: tuple
    body: tuple


@dataclass(frozen=True)
class PlainCodec:
    name: str = "plain"
    tokens: tuple[str, ...] = ()
    starts: dict = field(default_factory=dict)

    def spec(self) -> dict:
        return {"name": self.name, "tokens": list(self.tokens)}

    @classmethod
    def from_spec(cls, spec: dict):
        return cls(spec["name"], tuple(spec["tokens"]))


@dataclass(frozen=True)
class PlainDialogue:
    name: str = "plain"
    stop: str = "<end>"
    tokens: tuple[str, ...] = ("<end>",)

    def spec(self) -> dict:
        return {"name": self.name, "stop": self.stop}

    @classmethod
    def from_spec(cls, spec: dict):
        return cls(**spec)

    def render_prefix(self, images: int) -> tuple:
        return (Segment("Look: "), *(Segment(image=k) for k in range(images)), ) if images else (Segment("Hello."),)

    def render(self, sample, codec, frames) -> Rendered:
        body = []
        for turn in sample.turns:
            text = "".join(part for part in turn.parts if isinstance(part, str))
            if turn.role == "user":
                body.append(Segment(f" USER: {text} ASSISTANT:"))
            else:
                body.append(Segment(f" {text}{self.stop}", loss=True))
        return Rendered(self.render_prefix(len(sample.images)), tuple(body))


def picture(seed: int, width: int = 40, height: int = 30) -> Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(values).save(buffer, "PNG")
    return Image(data=buffer.getvalue())


def ask(images, *texts: str) -> Sample:
    """Texts alternate: question, answer, question, ..."""
    turns = [(user if k % 2 == 0 else assistant)(text) for k, text in enumerate(texts)]
    return Sample(tuple(images), tuple(turns))
