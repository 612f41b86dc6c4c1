"""A small visual refiner: a convolutional net that says for every fourth pixel what lies there and how far it goes.

One look gives tags of the whole picture, and per location (P = (S / 4)^2, row by row) a class, attributes, a box, the
box's expected quality and the mixture of shared masks that outlines the thing. models/refined.py makes things of that.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from loupe import shipped
from loupe.errors import CheckpointError, ConfigError
from loupe.models.vision import places

STRIDE, FINE = 4, 2  # pixels between two locations, and between two places of a mask
COARSEST = 16  # pixels that one place of the smallest map covers
REACH = 1 / 8  # of the picture: unit of the distances from a location to its box's edges


class RefinerConfig(PretrainedConfig):
    """Names the model knows, and its sizes. `classes` and `attributes` are in the order of the outputs."""

    model_type = "loupe-refiner"

    classes: list | tuple = ()
    attributes: list | tuple = ()
    size: int = 96  # of the square input, a multiple of 16
    frame: str = "squash"
    mean: list | tuple = (0.5, 0.5, 0.5)
    std: list | tuple = (0.25, 0.25, 0.25)
    widths: list | tuple = (24, 48, 80, 112)  # channels at 1/2, 1/4, 1/8 and 1/16 of the size
    neck: int = 64  # channels of the map that locations are read from
    state_width: int = 256
    mask_width: int = 32  # channels of the map that masks are read from
    masks: int = 16  # shared masks
    queries: int = 32  # rows of features given for a picture
    threshold: float = 0.4  # least score of a thing that is said
    tag_threshold: float = 0.5
    overlap: float = 0.6  # IoU above which the weaker of two boxes is the same thing said again


@dataclass(frozen=True)
class Sight:
    """What the net says of N pictures. Class 0 is ground, k is classes[k - 1]; all but `box` are before any sigmoid."""

    state: Tensor  # [N, P, state_width]
    kind: Tensor  # [N, P, classes + 1]
    traits: Tensor  # [N, P, attributes]
    box: Tensor  # [N, P, 4] x1, y1, x2, y2 as fractions of the model's picture
    quality: Tensor  # [N, P] expected IoU of that box
    mixture: Tensor  # [N, P, masks + 1] of the shared masks, and a constant
    shared: Tensor  # [N, masks, S / 2, S / 2]
    ground: Tensor  # [N, mask_width, S / 2, S / 2] features the masks are read from
    tags: Tensor  # [N, classes + attributes]


class Refiner(PreTrainedModel):
    config_class = RefinerConfig
    main_input_name = "pixels"

    def __init__(self, config: RefinerConfig):
        super().__init__(config)
        if config.size % COARSEST or not config.classes:
            raise ConfigError("a refiner cannot be made so", got=f"size {config.size}, {len(config.classes)} classes",
                              expected=f"a size that is a multiple of {COARSEST}, and classes")
        first, near, middle, far = config.widths
        neck, fine = config.neck, config.mask_width
        self.first = layer(3, first, 2)
        self.near = nn.Sequential(layer(first, near, 2), Residual(near))
        self.middle = nn.Sequential(layer(near, middle, 2), Residual(middle))
        self.far = nn.Sequential(layer(middle, far, 2), Residual(far))
        self.far_to_middle = nn.Conv2d(far, middle, 1)
        self.at_middle = layer(middle, middle)
        self.middle_to_near = nn.Conv2d(middle, neck, 1)
        self.from_near = nn.Conv2d(near, neck, 1)
        self.at_near = nn.Sequential(layer(neck, neck), layer(neck, neck))
        self.to_state = nn.Linear(neck, config.state_width)
        self.sizes = (len(config.classes) + 1, len(config.attributes), 4, 1, config.masks + 1)
        self.read = nn.Linear(config.state_width, sum(self.sizes))
        self.tag = nn.Linear(2 * config.state_width, len(config.classes) + len(config.attributes))
        self.near_to_fine = nn.Conv2d(neck, fine, 1)
        self.from_first = nn.Conv2d(first + 2, fine, 1)
        self.at_fine = layer(fine, fine)
        self.to_shared = nn.Conv2d(fine, config.masks, 1)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu" if module.bias is None else "linear")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
        elif isinstance(module, nn.GroupNorm):
            nn.init.ones_(module.weight)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)

    def forward(self, pixels: Tensor) -> Sight:
        """[N, 3, S, S], scaled by the config's mean and std -> Sight."""
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        first = self.first(pixels)  # [N, widths[0], S / 2, S / 2]
        near = self.near(first)  # [N, widths[1], S / 4, S / 4]
        middle = self.middle(near)
        far = self.far(middle)
        middle = self.at_middle(middle + doubled(self.far_to_middle(far)))
        near = self.at_near(self.from_near(near) + doubled(self.middle_to_near(middle)))  # [N, neck, S / 4, S / 4]
        state = self.to_state(near.flatten(2).transpose(1, 2)).relu()  # [N, P, W]
        kind, traits, edges, quality, mixture = self.read(state).split(self.sizes, -1)
        here = places(near.shape[-1]).to(state)  # [P, 2]
        reach = nn.functional.softplus(edges) * REACH  # left, top, right, bottom
        box = torch.cat([here - reach[..., :2], here + reach[..., 2:]], -1)
        tags = self.tag(torch.cat([state.amax(1), state.mean(1)], -1))
        across = places(first.shape[-1]).to(first).T.reshape(1, 2, *first.shape[2:]).expand(len(first), -1, -1, -1)
        fine = doubled(self.near_to_fine(near)) + self.from_first(torch.cat([first, across], 1))
        fine = self.at_fine(fine)  # [N, mask_width, S / 2, S / 2]
        return Sight(state, kind, traits, box, quality.squeeze(-1), mixture, self.to_shared(fine), fine, tags)


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.inner = nn.Sequential(layer(width, width), nn.Conv2d(width, width, 3, padding=1, bias=False), norm(width))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.inner(x)).relu()


def layer(wide_in: int, wide_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(wide_in, wide_out, 3, stride, 1, bias=False), norm(wide_out), nn.ReLU())


def norm(width: int) -> nn.GroupNorm:
    """Of groups: one picture does not change another, and there are no running sums to keep."""
    return nn.GroupNorm(8, width)


def doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def mask_logits(mixture: Tensor, shared: Tensor, picture: Tensor) -> Tensor:
    """[K, masks + 1], [N, masks, H, W], [K] ascending numbers of pictures -> [K, H, W]"""
    counts = torch.bincount(picture, minlength=len(shared))
    slot = torch.arange(len(picture), device=picture.device) - (counts.cumsum(0) - counts)[picture]
    rows = mixture.new_zeros(len(shared), int(counts.max()), shared.shape[1])
    rows = rows.index_put((picture, slot), mixture[:, :-1])
    logits = (rows @ shared.flatten(2))[picture, slot] + mixture[:, -1:]  # [K, H * W]
    return logits.view(-1, *shared.shape[2:])


def normal(pixels: np.ndarray, config: RefinerConfig) -> Tensor:
    """uint8 [N, S, S, 3] -> float32 [N, 3, S, S], as the refiner reads it."""
    mean, std = (255 * np.asarray(values, np.float32) for values in (config.mean, config.std))
    return torch.from_numpy((pixels.astype(np.float32) - mean) / std).permute(0, 3, 1, 2)


def load_refiner(folder: str | Path, device: str = "cpu") -> Refiner:
    """The refiner saved in a folder, or shipped ("loupe/refiner"): float32, in evaluation mode. Anything else is a
    CheckpointError."""
    folder = shipped.folder(folder) if shipped.is_shipped(folder) else Path(folder)
    if not (folder / "config.json").is_file():
        raise CheckpointError("not a refiner", got="no such folder" if not folder.is_dir() else "no config.json",
                              expected="config.json and model.safetensors", where=folder,
                              do="train one with `loupe pretrain refiner`")
    try:
        plain, _ = PretrainedConfig.get_config_dict(str(folder))
        if plain.get("model_type") != RefinerConfig.model_type:
            raise CheckpointError("not a refiner", got=f"model_type {plain.get('model_type')!r}",
                                  expected=repr(RefinerConfig.model_type), where=folder / "config.json")
        with quiet():
            model, found = Refiner.from_pretrained(str(folder), dtype=torch.float32, output_loading_info=True,
                                                   local_files_only=True, ignore_mismatched_sizes=True)
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError("a refiner cannot be read", got=str(error).splitlines()[0][:200], where=folder,
                              do="fetch or save it again") from None
    for what, names in (("missing", found["missing_keys"]), ("unexpected", found["unexpected_keys"]),
                        ("of another shape", found["mismatched_keys"])):
        if names:
            first = sorted(map(str, names))[0]
            raise CheckpointError("weights do not fit the refiner", got=f"{len(names)} {what}, first {first}",
                                  where=folder, do="fetch or save it again")
    return model.to(device).eval()


def save_refiner(model: Refiner, folder: str | Path) -> Path:
    """config.json and model.safetensors with float16 weights; the model itself stays as it is."""
    with quiet():
        copy.deepcopy(model).to("cpu", torch.float16).save_pretrained(str(folder))
    for path in Path(folder).glob("*.safetensors"):
        path.chmod((Path(folder) / "config.json").stat().st_mode & 0o777)  # safetensors leaves it to the owner alone
    return Path(folder)


@contextmanager
def quiet():
    """Without transformers' tables and bars: what does not fit becomes an error of its own."""
    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()
