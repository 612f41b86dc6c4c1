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
    # index into hidden_states; layers behind it are kept but never run. Several: each patch's features of all of them,
    # concatenated in this order, as transformers' vision_feature_layer
    layer: int | tuple[int, ...] = -2
    size: int = 224  # of the square input, pixels
    frame: str = "squash"  # name in FRAMES
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    drop_cls: bool = True  # leave out the class token where the tower has one
    attention: str = "sdpa"  # any name transformers knows, or "lean": fastest for miniatures on a CPU
    norm: bool = False  # the tower's final norm behind the (last) tapped layer, as BLIP-2 and MiniGPT-v2 have it


@dataclass(frozen=True)
class MQFormerSpec:
    """Lyrics' multi-scale querying transformer: BERT-base's shape, and what its texts and features look like.

    Where the paper is silent the choice is named (docs/lyrics.md).
    """

    width: int = 768  # §3.1
    depth: int = 12  # BERT-base, as BLIP-2
    heads: int = 12
    inner: int = 3072
    visual_queries: int = 32  # §3.1
    grounding_queries: int = 32  # §3.1
    detector_width: int = 260  # §3.1: "260 x 900": a query's state and its box
    outline_width: int = 256  # of a kept box's row from the mask decoder
    cross_every: int = 1  # Fig. 2: every block; 2: every second, from the first, as BLIP-2
    query_activation: str = "relu"  # §3.1, of the queries' feed-forward; BLIP-2: "gelu"
    vocabulary: int = 30_525  # BERT's 30,522, [DEC] as BLIP-2 has it, [BOS] and [MLM]
    positions: int = 512  # tokens of one text; spatial text and caption each count from 0: our choice
    pool: str = "mean"  # of the query outputs: our choice; or "max"
    projection: int = 256  # width that contrasted vectors have: BLIP-2's
    temperature: float = 0.07  # learned from here: BLIP-2's
    dropout: float = 0.1  # BERT's
    eps: float = 1e-12  # of every norm: BERT's
    # of the texts that stage one reads: a folder or hub id; "": learnt from captions when the run begins
    tokenizer: str = "google-bert/bert-base-uncased"


@dataclass(frozen=True)
class RefinerSpec:
    """Whose findings a model sees: a refiner by name, and its thresholds (None: each part's own)."""

    name: str = "lyrics"  # "mini", "lyrics", or "TAGGER,DETECTOR,SEGMENTER" (loupe.refining.loading)
    tag: float | None = None
    box: float | None = None
    overlap: float | None = None
    words: str = ""  # file of what a CLIP or SigLIP tagger chooses from, a word a line


@dataclass(frozen=True)
class BridgeSpec:
    """What turns tower tokens into tokens of the language model."""

    # or "mlp": linear, GELU, linear; "mqformer": queries that look at tower and refiner, then linear;
    # "none": a model of text alone, its tower is not built
    kind: str = "linear"
    merge: int = 1  # neighbouring tokens (along a row) concatenated into one
    bias: bool = True
    position: bool = False  # add a fixed 2-D sine code; location tokens start from the same code
    mqformer: MQFormerSpec | None = None  # of kind "mqformer"; None: Lyrics' own


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
    refiner: RefinerSpec | None = None  # for a bridge of kind "mqformer"

    def to_plain(self) -> dict:
        return asdict(self)

    @classmethod
    def from_plain(cls, data: dict) -> ModelSpec:
        """Inverse of `to_plain`, also after a trip through JSON. An unknown key raises TypeError."""
        vision = dict(data["vision"])
        for name in ("mean", "std"):
            if name in vision:
                vision[name] = tuple(vision[name])
        if isinstance(vision.get("layer"), list):
            vision["layer"] = tuple(vision["layer"])
        rest = {k: v for k, v in data.items() if k not in ("vision", "bridge", "language")}
        bridge = dict(data["bridge"])
        if bridge.get("mqformer") is not None:
            bridge["mqformer"] = MQFormerSpec(**bridge["mqformer"])
        if rest.get("refiner") is not None:
            rest["refiner"] = RefinerSpec(**rest["refiner"])
        return cls(VisionSpec(**vision), BridgeSpec(**bridge), LanguageSpec(**data["language"]), **rest)
