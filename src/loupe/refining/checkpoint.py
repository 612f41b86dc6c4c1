"""Checkpoints of transformers' classes for the parts of a refiner, and how their pictures are made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from loupe.errors import CheckpointError, ConfigError
from loupe.frame import Frame
from loupe.image import Image
from loupe.models.refiner import quiet

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean, std
SETTINGS = ("preprocessor_config.json", "processor_config.json")
UNREADABLE = (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError)


@dataclass(frozen=True)
class Pixels:
    """How a model's pictures are scaled."""

    mean: Sequence[float]
    std: Sequence[float]

    @property
    def fill(self) -> tuple[int, int, int]:
        """The mean colour: nearly zero for the net."""
        return tuple(round(255 * value) for value in self.mean)

    def tensor(self, images: Sequence[Image], frames: Sequence[Frame], device) -> Tensor:
        """float32 [N, 3, H, W]; all frames of one size."""
        from PIL import Image as Pillow

        pixels = np.stack([np.asarray(place.picture(image, Pillow.Resampling.BILINEAR))
                           for image, place in zip(images, frames)])
        mean, std = (255 * np.asarray(values, np.float32) for values in (self.mean, self.std))
        return torch.from_numpy((pixels.astype(np.float32) - mean) / std).permute(0, 3, 1, 2).contiguous().to(device)


def kind_of(name: str, kinds: Mapping[str, str], what: str, shipped: str = "mini") -> str:
    """model_type of a checkpoint (a folder, or an id in transformers' cache), one of `kinds`; else an error that says
    what was found. shipped: what else may be named."""
    from transformers import AutoConfig

    here = Path(name).expanduser()
    if not here.exists() and (here.is_absolute() or name.startswith(".") or name.count("/") > 1):
        raise CheckpointError(f"the folder of this {what} does not exist", got=name, do="check the path",
                              expected=f"a checkpoint of {', '.join(kinds)}")
    if here.exists() and not (here / "config.json").is_file():
        raise CheckpointError(f"not a {what}", got="no config.json", where=name,
                              expected=f"a checkpoint of {', '.join(kinds)}")
    try:
        with quiet():
            found = AutoConfig.from_pretrained(str(here) if here.exists() else name)
    except UNREADABLE as error:
        raise CheckpointError(f"cannot find this {what}", got=str(error).splitlines()[0][:200], where=name,
                              expected=f"{shipped}, or a folder or id of {', '.join(kinds)}",
                              do="check the name, or fetch it first: hf download NAME") from None
    if found.model_type not in kinds:
        raise ConfigError(f"this model is no {what}", got=f"model_type {found.model_type!r}", where=name,
                          expected=f"one of {', '.join(kinds)}")
    return found.model_type


def model_of(name: str, class_name: str, device: str):
    """The checkpoint as transformers' class: float32, frozen, in evaluation mode; missing weights are an error."""
    import transformers

    here = Path(name).expanduser()
    try:
        with quiet():
            model, found = getattr(transformers, class_name).from_pretrained(
                str(here) if here.exists() else name, dtype=torch.float32, output_loading_info=True,
                ignore_mismatched_sizes=True)
    except UNREADABLE as error:
        raise CheckpointError("a checkpoint cannot be read", got=str(error).splitlines()[0][:200], where=name) from None
    for what in ("missing_keys", "mismatched_keys"):
        if found[what]:
            first = sorted(map(str, found[what]))[0]
            raise CheckpointError(f"weights do not fit {class_name}", where=name, do="fetch the checkpoint again",
                                  got=f"{len(found[what])} {what.replace('_', ' ')}, first {first}")
    return model.to(device).eval().requires_grad_(False)


def tokenizer_of(name: str):
    from transformers import AutoTokenizer

    try:
        with quiet():
            return AutoTokenizer.from_pretrained(str(Path(name).expanduser()) if Path(name).expanduser().exists()
                                                 else name)
    except UNREADABLE as error:
        raise CheckpointError("a tokenizer cannot be read", got=str(error).splitlines()[0][:200], where=name) from None


def preprocessing(name: str) -> dict:
    """What the checkpoint says of its pictures ({} where it says nothing); no processor class is built."""
    from transformers.utils import cached_file

    for file in SETTINGS:
        here = Path(name).expanduser()
        path = here / file if here.exists() else cached_file(
            name, file, _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False)
        if path is None or not Path(path).is_file():
            continue
        try:
            said = json.loads(Path(path).read_text("utf-8"))
        except ValueError as error:
            raise CheckpointError("a checkpoint's file is damaged", got=error, where=path) from None
        said = said.get("image_processor", said)
        if "image_mean" in said or "size" in said:
            return said
    return {}


def pixels_of(said: Mapping, mean_std: tuple = IMAGENET) -> Pixels:
    return Pixels(tuple(said.get("image_mean") or mean_std[0]), tuple(said.get("image_std") or mean_std[1]))
