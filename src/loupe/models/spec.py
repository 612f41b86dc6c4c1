"""Which parts a model has, as values. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class VisionSpec:
    """A transformers vision model and how a picture is made ready for it.

    `checkpoint` is a folder or hub id in transformers layout (a whole CLIP, SigLIP or BLIP-2 will do: its vision part
    is taken); "" builds `config` with random weights.
    """

    checkpoint: str = ""
    config: dict[str, Any] | None = None  # {"model_type": "clip_vision_model", "hidden_size": ...}
    layer: int = -2  # index into hidden_states; layers behind it are kept but never run
    size: int = 224  # of the square input, pixels
    frame: str = "squash"  # name in FRAMES
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    drop_cls: bool = True  # leave out the class token where the tower has one
    attention: str = "sdpa"  # any name transformers knows, or "lean": fastest for miniatures on a CPU
    norm: bool = False  # the tower's final norm behind the tapped layer, as BLIP-2 and MiniGPT-v2 have it


@dataclass(frozen=True)
class BridgeSpec:
    """What turns tower tokens into tokens of the language model."""

    kind: str = "linear"  # or "mlp": linear, GELU, linear; "none": a model of text alone, its tower is not built
    merge: int = 1  # neighbouring tokens (along a row) concatenated into one
    bias: bool = True
    position: bool = False  # add a fixed 2-D sine code; location tokens start from the same code


@dataclass(frozen=True)
class LanguageSpec:
    """A transformers causal language model; "" builds `config` with random weights around a given tokenizer."""

    checkpoint: str = ""
    config: dict[str, Any] | None = None  # {"model_type": "qwen3", ...}; vocab_size follows the tokenizer
    attention: str = "sdpa"
    max_length: int = 2048  # of one sequence: image tokens and everything packed behind them


@dataclass(frozen=True)
class ModelSpec:
    vision: VisionSpec = field(default_factory=VisionSpec)
    bridge: BridgeSpec = field(default_factory=BridgeSpec)
    language: LanguageSpec = field(default_factory=LanguageSpec)
    codec: str = "pink"  # name in CODECS
    dialogue: str = "llava-v1"  # name in DIALOGUES

    def to_plain(self) -> dict:
        return asdict(self)

    @classmethod
    def from_plain(cls, data: dict) -> ModelSpec:
        """Inverse of `to_plain`, also after a trip through JSON. An unknown key raises TypeError."""
        vision = dict(data["vision"])
        for name in ("mean", "std"):
            if name in vision:
                vision[name] = tuple(vision[name])
        rest = {k: v for k, v in data.items() if k not in ("vision", "bridge", "language")}
        return cls(VisionSpec(**vision), BridgeSpec(**data["bridge"]), LanguageSpec(**data["language"]), **rest)
