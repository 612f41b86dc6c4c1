"""From tower tokens to language tokens, and the sine code of places both may carry."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from loupe.errors import ConfigError, unknown_name
from loupe.models.mqformer import Querying
from loupe.models.spec import BridgeSpec, MQFormerSpec
from loupe.models.vision import VisionTower, places

SLOWEST, FASTEST = 0.25, 16.0  # cycles per picture of the code's waves
KINDS = ("linear", "mlp", "mqformer", "none")
LOUDNESS = 4.0  # of content against code: learned faster than 1, or than unscaled content (docs/models.md)


def sine(fractions: Tensor, width: int) -> Tensor:
    """[K] in 0..1 -> [K, width], sines then cosines of geometrically spaced waves; root mean square 1."""
    waves = torch.linspace(math.log(SLOWEST), math.log(FASTEST), width // 2, dtype=torch.float32,
                           device=fractions.device).exp()  # said, as loading by transformers hides it from torch.device
    angles = 2 * math.pi * fractions[:, None].float() * waves
    code = math.sqrt(2) * torch.cat([angles.sin(), angles.cos()], -1)
    return nn.functional.pad(code, (0, width - code.shape[-1]))


def place_code(xy: Tensor, width: int) -> Tensor:
    """[K, 2] fractions -> [K, width]: the first half says x, the second y. A NaN leaves its half zero."""
    half = width // 2
    code = torch.cat([sine(xy[:, 0], half), sine(xy[:, 1], width - half)], -1)
    return torch.nan_to_num(code, nan=0.0)


class Bridge(nn.Module):
    """[N, T, C] -> [N, T / merge, D].

    With `position` the code of a token's place is added, as loud as an ordinary word (`level`: root mean square of the
    language model's embedding rows), to its content, brought to LOUDNESS times that.
    """

    def __init__(self, spec: BridgeSpec, grid: int, tokens: int, inner: int, outer: int):
        super().__init__()
        if spec.merge < 1 or tokens % spec.merge:
            raise ConfigError("image tokens cannot be merged evenly", got=spec.merge, where="model.bridge.merge",
                              expected=f"a divisor of {tokens}")
        self.merge = spec.merge
        self.tokens = tokens // spec.merge
        wide = inner * spec.merge
        if spec.kind == "linear":
            self.project = nn.Linear(wide, outer, bias=spec.bias)
        elif spec.kind == "mlp":
            self.project = nn.Sequential(nn.Linear(wide, outer, bias=spec.bias), nn.GELU(),
                                         nn.Linear(outer, outer, bias=spec.bias))
        else:
            raise unknown_name("bridge", spec.kind, KINDS, where="model.bridge.kind")
        if spec.position:
            if tokens != grid * grid:
                raise ConfigError("a position code needs patches only", got="a class token among them",
                                  where="model.vision.drop_cls", do="set it to true")
            self.register_buffer("code", place_code(places(grid, spec.merge), outer))  # [T, D]
            self.register_buffer("level", torch.tensor(1.0))
        self.position = spec.position

    def forward(self, tokens: Tensor) -> Tensor:
        n, t, c = tokens.shape
        out = self.project(tokens.reshape(n, t // self.merge, c * self.merge))
        if not self.position:
            return out
        return self.level * (LOUDNESS * nn.functional.rms_norm(out.float(), out.shape[-1:]) + self.code)


def join(spec: BridgeSpec, vision: VisionTower, width: int) -> Bridge | Querying:
    """The bridge of a tower to a language model of that width."""
    if spec.kind != "mqformer":
        return Bridge(spec, vision.grid, vision.tokens, vision.width, width)
    if spec.position or spec.merge != 1:
        raise ConfigError("queries have no place in the picture", where="model.bridge",
                          got=f"position {spec.position}, merge {spec.merge}", expected="position false, merge 1")
    return Querying(spec.mqformer or MQFormerSpec(), vision.width, width)
