"""A transformers vision model as a tower: picture in, tokens of one of its layers out."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from loupe.errors import ConfigError

LAYERS = ("encoder.layers", "layers", "encoder.layer")  # where transformers keeps the blocks, newest habit first
PRE_NORMS = ("pre_layrnorm", "pre_layernorm")  # CLIP's name is misspelt in the published weights
FINAL_NORMS = ("post_layernorm", "layernorm")


def find(module: nn.Module, path: str) -> nn.Module | None:
    for name in path.split("."):
        module = getattr(module, name, None)
        if module is None:
            return None
    return module


def blocks(model: nn.Module) -> nn.ModuleList:
    """The list of transformer layers inside a vision or language model."""
    for path in LAYERS:
        found = find(model, path)
        if isinstance(found, nn.ModuleList):
            return found
    raise ConfigError("cannot find the layers of this model", got=type(model).__name__,
                      expected=f"a module list at one of {', '.join(LAYERS)}")


def layers(layer: int | tuple[int, ...]) -> tuple[int, ...]:
    """What VisionSpec.layer says, as several."""
    return layer if isinstance(layer, tuple) else (layer,)


class VisionTower(nn.Module):
    """`layer` indexes hidden_states as transformers counts them: 0 is the input of the first block, -1 the output of
    the last, before the final norm, which `norm` adds. Of several layers each patch's features are concatenated in the
    order given. Blocks behind the last tap stay part of the model but are never run.
    """

    def __init__(self, model: nn.Module, layer: int | tuple[int, ...], size: int, drop_cls: bool = True,
                 norm: bool = False):
        super().__init__()
        self.model = model
        config = model.config
        self.read(layer)
        patch = config.patch_size
        if size % patch:
            raise ConfigError("picture size is no multiple of the patch", got=size, expected=f"a multiple of {patch}",
                              where="model.vision.size")
        self.final = next((name for name in FINAL_NORMS if hasattr(model, name)), "") if norm else ""
        if norm and not self.final:
            raise ConfigError("this tower has no final norm", got=type(model).__name__, where="model.vision.norm",
                              expected=" or ".join(FINAL_NORMS), do="set it to false")
        self.grid = size // patch
        self.interpolate = size != config.image_size
        takes = inspect.signature(type(blocks(model)[0]).forward).parameters
        self.no_mask = {"attention_mask": None} if "attention_mask" in takes else {}
        special = self._special(config)
        self.skip = special if drop_cls else 0
        self.tokens = self.grid**2 + special - self.skip

    def read(self, layer: int | tuple[int, ...]) -> None:
        """Tap these layers and no others; `width` is that of their tokens."""
        depth, said = len(blocks(self.model)), layers(layer)
        self.taps = tuple(k if k >= 0 else depth + 1 + k for k in said)  # blocks that run before each is read
        if not said or len(set(self.taps)) < len(said) or not all(0 <= tap <= depth for tap in self.taps):
            raise ConfigError("vision tower has no such layer", got=layer, where="model.vision.layer",
                              expected=f"{-depth - 1} to {depth}, or several of these, each once")
        self.width = self.model.config.hidden_size * len(self.taps)

    @staticmethod
    def _special(config) -> int:
        """Class and register tokens in front of the patches."""
        if "siglip" in config.model_type:
            return 0
        return 1 + int(getattr(config, "num_register_tokens", 0) or 0)

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, 3, S, S] -> [N, T, C]."""
        model = self.model
        options = {"interpolate_pos_encoding": True} if self.interpolate else {}
        x = model.embeddings(pixels, **options)  # [N, 1 + T, C]
        for name in PRE_NORMS:
            if hasattr(model, name):
                x = getattr(model, name)(x)
        read = {0: x}
        for k, block in enumerate(self.tapped(), 1):
            x = block(x, **self.no_mask)
            if k in self.taps:
                read[k] = x
        if self.final:
            read[max(self.taps)] = getattr(model, self.final)(x)
        return torch.cat([read[tap] for tap in self.taps], -1)[:, self.skip :]

    def tapped(self) -> list[nn.Module]:
        """The blocks that run."""
        return list(blocks(self.model))[: max(self.taps)]


def places(grid: int, merge: int = 1) -> Tensor:
    """Centre of each token's patches as fractions x, y of the picture, row by row: [grid * grid / merge, 2]."""
    centres = (torch.arange(grid, dtype=torch.float32) + 0.5) / grid
    ys, xs = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([xs, ys], -1).reshape(-1, merge, 2).mean(1)
