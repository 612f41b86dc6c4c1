"""What trains in each part of a model, as values, and `apply`. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from loupe.errors import ConfigError, unknown_name

PARTS = ("vision", "bridge", "language")
TOKENS = ("frozen", "rows", "full")


@dataclass(frozen=True)
class Frozen:
    """Nothing trains; adapters or LoRA matrices of an earlier stage stay in place, frozen too."""


@dataclass(frozen=True)
class Full:
    """Everything trains, adapters and LoRA matrices of an earlier stage included."""


@dataclass(frozen=True)
class LoRA:
    """Low-rank updates by peft on the linear layers whose full name matches `targets` (a regular expression)."""

    rank: int = 64
    alpha: float = 16.0
    targets: str = r".*\.(q_proj|v_proj)"
    dropout: float = 0.0


@dataclass(frozen=True)
class Adapter:
    """Bottleneck before every self-attention (Pink Eq. 1): up(dropout(activation(down(z)))) + z, up starts at zero.

    The paper leaves the activation unnamed; its released code uses the identity.
    """

    hidden: int = 8
    activation: str = "identity"  # "identity", "relu", "gelu", "silu", "tanh"
    bias: bool = False
    dropout: float = 0.0
    tapped_only: bool = False  # vision: none in layers behind the tapped one (they never run)


Tuner = Frozen | Full | LoRA | Adapter
TUNERS: dict[str, type] = {"frozen": Frozen, "full": Full, "lora": LoRA, "adapter": Adapter}


@dataclass(frozen=True)
class Tune:
    """One stage's choice for every part. `tokens`: rows of tokens added to a pretrained vocabulary, input and output.

    tokens "rows": the added rows alone train; "full": the whole embedding and head; "frozen": neither, unless the
    language part is `Full`, which trains all of them.
    """

    vision: Tuner = field(default_factory=Frozen)
    bridge: Tuner = field(default_factory=Full)
    language: Tuner = field(default_factory=Frozen)
    tokens: str = "rows"

    def __post_init__(self):
        if self.tokens not in TOKENS:
            raise unknown_name("choice for new tokens", self.tokens, TOKENS, where="tune.tokens")
        for part in PARTS:
            if not isinstance(getattr(self, part), tuple(TUNERS.values())):
                raise ConfigError("not a tuner", got=repr(getattr(self, part)), where=f"tune.{part}",
                                  expected="Frozen(), Full(), LoRA(...) or Adapter(...)")
        if not isinstance(self.bridge, (Frozen, Full)):
            raise ConfigError("the bridge is frozen or trains fully", got=self.bridge, where="tune.bridge")

    @classmethod
    def of(cls, value: Tune | dict) -> Tune:
        """From a Tune, or a dict of tuners by part (missing parts keep the defaults)."""
        if isinstance(value, cls):
            return value
        for name in value:
            if name not in (*PARTS, "tokens"):
                raise unknown_name("part", name, (*PARTS, "tokens"), where="tune")
        return cls(**value)


def tuner_plain(tuner: Tuner) -> dict:
    """{"tuner": "adapter", "hidden": 8, ...}"""
    name = next(name for name, kind in TUNERS.items() if kind is type(tuner))
    return {"tuner": name, **asdict(tuner)}


def tuner_from(data: dict) -> Tuner:
    fields = dict(data)
    name = fields.pop("tuner")
    if name not in TUNERS:
        raise unknown_name("tuner", name, TUNERS)
    return TUNERS[name](**fields)


def apply(model, tune: Tune | dict) -> list[str]:
    """Set what trains in a VLM for a stage; adds adapters or LoRA matrices where they are missing.

    Applying the same choice twice changes nothing. Returns the names of the trainable parameters.
    """
    from loupe.models.structure import set_part, set_tokens

    tune = Tune.of(tune)
    for part in PARTS:
        set_part(model, part, getattr(tune, part))
    set_tokens(model, tune)
    return [name for name, p in model.named_parameters() if p.requires_grad]
