"""The bottleneck adapter (Pink Eq. 1), hung onto the norm before each self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from loupe.errors import ConfigError, unknown_name
from loupe.models.tuner import Adapter

NORMS = ("input_layernorm", "layer_norm1", "layernorm_before", "norm1", "ln_1", "attention_norm")
ACTIVATIONS = {"identity": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class Bottleneck(nn.Module):
    """[..., D] -> [..., D]; the identity until `up` has moved from zero."""

    def __init__(self, width: int, spec: Adapter):
        super().__init__()
        if spec.activation not in ACTIVATIONS:
            raise unknown_name("activation", spec.activation, ACTIVATIONS, where="adapter.activation")
        self.down = nn.Linear(width, spec.hidden, bias=spec.bias)
        self.activation = ACTIVATIONS[spec.activation]()
        self.dropout = nn.Dropout(spec.dropout)
        self.up = nn.Linear(spec.hidden, width, bias=spec.bias)
        nn.init.zeros_(self.up.weight)
        if spec.bias:
            nn.init.zeros_(self.up.bias)

    def forward(self, z: Tensor) -> Tensor:
        return z + self.up(self.dropout(self.activation(self.down(z))))


def norm_of(block: nn.Module) -> nn.Module:
    """The norm whose output is the self-attention's input."""
    for name in NORMS:
        if hasattr(block, name):
            return getattr(block, name)
    children = ", ".join(name for name, _ in block.named_children())
    raise ConfigError("cannot tell which norm comes before self-attention", got=f"{type(block).__name__} ({children})",
                      expected=f"one named {', '.join(NORMS)}")


def _adapt(norm: nn.Module, inputs, output: Tensor) -> Tensor:
    return norm.adapter(output)


def insert(block: nn.Module, spec: Adapter) -> None:
    """Put an adapter between a block's first norm and its attention; the block's own parameter names stay."""
    norm = norm_of(block)
    weight = norm.weight
    norm.adapter = Bottleneck(weight.shape[-1], spec).to(weight.device)
    norm.register_forward_hook(_adapt)


def adapters(module: nn.Module) -> list[Bottleneck]:
    return [m for m in module.modules() if isinstance(m, Bottleneck)]
