"""Taggers: RAM++ where its package is installed, and CLIP or SigLIP over a list of words."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from loupe.errors import CheckpointError, ConfigError
from loupe.frame import Frame, squash
from loupe.image import Image
from loupe.models.refined import Tag
from loupe.refining.checkpoint import IMAGENET, Pixels, kind_of, model_of, pixels_of, preprocessing, tokenizer_of
from loupe.refining.parts import Thresholds, fingerprint

RAM = "ram++"
RAM_RELEASED = ("xinyu1205/recognize-anything-plus-model", "ram_plus_swin_large_14m.pth")  # the paper's was Swin-B
RAM_SIZES = {"swin_l": 384, "swin_b": 384}
KINDS = {"clip": "CLIPModel", "siglip": "SiglipModel"}
CLIP_PIXELS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SIGLIP_PIXELS = ((0.5,) * 3, (0.5,) * 3)
THRESHOLD = {"clip": 0.9, "siglip": 0.1}  # of a tag, where its word has none of its own; our choice
SENTENCE, NEUTRAL = "a photo of a {}.", "a photo."
MOST = 40  # tags of a picture


def load(name: str, words: Sequence[tuple[str, float | None]] | None, thresholds: Thresholds, device: str = "cpu"):
    """ "ram++:WEIGHTS" or a CLIP or SigLIP checkpoint; the latter needs words."""
    if name.split(":")[0] == RAM:
        return load_ram(name.partition(":")[2], thresholds, device)
    kind = kind_of(name, KINDS, "tagger")
    if not words:
        raise ConfigError(f"a {kind} tagger needs words to choose from", got="none", expected="one or more",
                          do="give --tags FILE, a word a line")
    if kind == "siglip":
        pixels = pixels_of(preprocessing(name), SIGLIP_PIXELS)
    else:
        pixels = pixels_of(preprocessing(name), CLIP_PIXELS)
    return OpenTagger(model_of(name, KINDS[kind], device), tokenizer_of(name), pixels, name, words, thresholds.tag)


class OpenTagger:
    """Each word by itself, so that several are true of a picture.

    SigLIP: the probability it was trained to give. CLIP knows only comparisons: the word's sentence against one that
    says nothing, as two answers to one question. The whole picture is squashed to the model's square: a centre crop
    would not see the border.
    """

    def __init__(self, model, tokenizer, pixels: Pixels, name: str, words: Sequence[tuple[str, float | None]],
                 threshold: float | None = None):
        self.model, self.tokenizer, self.pixels, self.name = model, tokenizer, pixels, name
        self.kind = model.config.model_type
        self.words = tuple(word for word, _ in words)
        least = THRESHOLD[self.kind] if threshold is None else threshold
        self.least = torch.tensor([least if own is None else own for _, own in words])
        self.size = model.config.vision_config.image_size
        self._texts: Tensor | None = None
        self.identity = {"weights": fingerprint(model), "most": MOST,
                         "words": [[word, float(own)] for word, own in zip(self.words, self.least)]}

    @torch.inference_mode()
    def tags(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        if not images:
            return []
        frames = [squash(*image.size, self.size) for image in images]
        seen = self.model.get_image_features(pixel_values=self.pixels.tensor(images, frames, self.model.device))
        seen = unit(seen.pooler_output)  # [N, D]
        return said(self._scores(seen @ self.texts().T), self.words, self.least)

    def _scores(self, cosines: Tensor) -> Tensor:
        """[N, words (+ 1)] -> [N, words] from 0 to 1."""
        scale = self.model.logit_scale.exp()
        if self.kind == "siglip":
            return (scale * cosines + self.model.logit_bias).sigmoid()
        return (scale * (cosines[:, :-1] - cosines[:, -1:])).sigmoid()

    def texts(self) -> Tensor:
        """[words (+ 1 neutral for CLIP), D] of length 1; made once."""
        if self._texts is None:
            sentences = [SENTENCE.format(word) for word in self.words] + ([NEUTRAL] if self.kind == "clip" else [])
            longest = self.model.config.text_config.max_position_embeddings
            parts = []
            for first in range(0, len(sentences), 256):
                batch = self.tokenizer(sentences[first:first + 256], truncation=True, max_length=longest,
                                       padding="max_length" if self.kind == "siglip" else True, return_tensors="pt")
                given = {key: batch[key].to(self.model.device) for key in ("input_ids", "attention_mask")
                         if key in batch and not (self.kind == "siglip" and key == "attention_mask")}
                parts.append(unit(self.model.get_text_features(**given).pooler_output))
            self._texts = torch.cat(parts)
        return self._texts


def unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x, dim=-1)


def said(scores: Tensor, words: Sequence[str], least: Tensor) -> list[tuple[Tag, ...]]:
    """[N, words] -> the words at or above their thresholds, best first, MOST at most."""
    out = []
    for row in scores.float().cpu():
        over = torch.nonzero(row >= least).flatten().tolist()
        out.append(tuple(sorted((Tag(words[k], float(row[k])) for k in over), key=lambda tag: -tag.score)[:MOST]))
    return out


def load_ram(weights: str, thresholds: Thresholds, device: str) -> RamPlus:
    """The RAM++ of the package `ram`, which no registry carries. weights: a file; "": the released one."""
    instead = "or use a CLIP or SigLIP tagger with --tags, or mini"
    if importlib.util.find_spec("ram") is None:
        raise ConfigError("RAM++ needs the package `ram`, which is not installed", got="no module named ram",
                          expected="the repository recognize-anything, installed from its source",
                          do=f"install it, {instead}")
    weights = weights or released()
    if not Path(weights).expanduser().is_file():
        raise CheckpointError("RAM++ cannot be read", got="no such file", where=weights, do="check the path")
    try:
        models = importlib.import_module("ram.models")
    except ImportError as error:
        raise ConfigError("the package `ram` cannot be imported beside these libraries", got=str(error)[:200],
                          do=f"install the versions it asks for in an environment of its own, {instead}") from None
    vit = "swin_b" if "base" in weights or "swin_b" in weights else "swin_l"
    try:
        model = models.ram_plus(pretrained=str(Path(weights).expanduser()), image_size=RAM_SIZES[vit], vit=vit)
    except (OSError, RuntimeError, AssertionError, KeyError) as error:
        raise CheckpointError("RAM++ cannot be read", got=str(error)[:200], where=weights) from None
    return RamPlus(model.to(device).eval(), weights, RAM_SIZES[vit], thresholds.tag)


def released() -> str:
    """The file of the released weights, from transformers' cache or the hub."""
    from transformers.utils import cached_file

    try:
        return cached_file(*RAM_RELEASED)
    except OSError as error:
        raise CheckpointError("RAM++ needs its weights", got=str(error).splitlines()[0][:200], where=RAM,
                              expected=f"{RAM}:FILE, or {'/'.join(RAM_RELEASED)} in the cache of the hub",
                              do=f"fetch {RAM_RELEASED[1]} and name it: {RAM}:FILE") from None


class RamPlus:
    """RAM++ with its thresholds per class, or one for all. Its method gives tags without scores; those are read at the
    last layer."""

    def __init__(self, model, name: str, size: int, threshold: float | None = None):
        self.model, self.size, self.pixels, self.name = model, size, Pixels(*IMAGENET), f"{RAM}:{name}"
        self.words = tuple(str(word) for word in model.tag_list)
        own = torch.as_tensor(model.class_threshold).float().cpu()
        if len(self.words) != len(own):
            raise CheckpointError("RAM++ has not one threshold for each tag", where=name,
                                  got=f"{len(own)} thresholds", expected=f"{len(self.words)}")
        self.least = own if threshold is None else torch.full_like(own, threshold)
        self.identity = {"weights": fingerprint(model), "tag": "per class" if threshold is None else threshold,
                         "most": MOST}

    @torch.inference_mode()
    def tags(self, images: Sequence[Image]) -> list[tuple[Tag, ...]]:
        if not images:
            return []
        frames: list[Frame] = [squash(*image.size, self.size) for image in images]
        kept: list[Tensor] = []
        hook = self.model.fc.register_forward_hook(lambda module, given, out: kept.append(out))
        try:
            self.model.generate_tag(self.pixels.tensor(images, frames, next(self.model.parameters()).device))
        finally:
            hook.remove()
        logits = kept[-1].reshape(len(images), len(self.words))
        return said(logits.sigmoid(), self.words, self.least)
