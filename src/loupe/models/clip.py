"""A text side beside a tower: the two sides of CLIP as transformers has them, the text side's tokenizer, their files.

In a VisionSpec it is a config (or a checkpoint) of model_type "clip"; a VLM takes its vision part alone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from loupe.errors import CheckpointError, ConfigError
from loupe.models.adapter import adapters
from loupe.models.assembly import attention_name, load_config, load_tokenizer, load_weights
from loupe.models.spec import VisionSpec
from loupe.models.structure import merge_lora
from loupe.models.tokenizer import PAD, train_tokenizer
from loupe.models.vision import VisionTower

START, END = "<|startoftext|>", "<|endoftext|>"  # CLIP's own names
LEGACY_END = 2  # transformers then pools at the highest id instead of the end mark, as for OpenAI's first files
MOST_SCALE = 100.0  # CLIP, §2.5: logits are never scaled by more


def text_tokenizer(texts: Iterable[str], size: int, length: int):
    """A byte-level BPE tokenizer learnt from captions, which puts CLIP's marks around every text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    backend = train_tokenizer(texts, size, (END, START)).backend_tokenizer  # ids 1 and 2: the end is not LEGACY_END
    marks = [(mark, backend.token_to_id(mark)) for mark in (START, END)]
    backend.post_processor = TemplateProcessing(single=f"{START} $A {END}", special_tokens=marks)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=PAD, bos_token=START, eos_token=END,
                                   model_max_length=length, clean_up_tokenization_spaces=False)


def clip_config(spec: VisionSpec):
    """The CLIPConfig a spec speaks of: its checkpoint's, else the one given; ConfigError if neither has a text side."""
    found = load_config(spec.checkpoint, spec.config, "model.vision", False)
    if found.model_type != "clip" and spec.checkpoint and spec.config:
        found = load_config("", spec.config, "model.vision", False)
    if found.model_type != "clip":
        raise ConfigError("this tower has no text side", got=f"model_type {found.model_type!r}", where="model.vision",
                          expected='a whole CLIP: a config with model_type "clip", or a checkpoint of one')
    return found


def check_tokenizer(tokenizer, text, where: object) -> None:
    """Refuse a tokenizer that is not the one this CLIPTextConfig was trained with."""
    last = text.vocab_size - 1 if text.eos_token_id == LEGACY_END else text.eos_token_id
    if len(tokenizer) != text.vocab_size or tokenizer.eos_token_id != last:
        raise CheckpointError("this tokenizer is not the text side's own", where=where,
                              got=f"{len(tokenizer)} tokens, the end mark has id {tokenizer.eos_token_id}",
                              expected=f"{text.vocab_size} tokens, the end mark {last}",
                              do="use the tokenizer that was saved with these weights")


def join(spec: VisionSpec, tower: VisionTower, tokenizer) -> nn.Module:
    """A CLIPModel whose vision side is the tower's own model. The text side comes from the checkpoint if that is a
    whole CLIP, else it is made from the config with random weights, its vocabulary following the tokenizer."""
    from transformers import CLIPModel

    config = clip_config(spec)
    text = config.text_config
    if tower.model.config.model_type != "clip_vision_model":
        raise ConfigError("a text side joins a CLIP tower only", got=tower.model.config.model_type,
                          where="model.vision")
    whole = spec.checkpoint and load_config(spec.checkpoint, None, "model.vision", False).model_type == "clip"
    if not whole:
        text.vocab_size = len(tokenizer)
        text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        text.pad_token_id = tokenizer.pad_token_id
        text.max_position_embeddings = max(text.max_position_embeddings, tokenizer.model_max_length)
    check_tokenizer(tokenizer, text, spec.checkpoint or "model.vision")
    config.vision_config = copy.deepcopy(tower.model.config)
    text.projection_dim = config.vision_config.projection_dim = config.projection_dim
    text._attn_implementation = config.vision_config._attn_implementation = attention_name(spec.attention)
    clip = load_weights(CLIPModel, spec.checkpoint, config, "model.vision", "float32") if whole else CLIPModel(config)
    clip.vision_model = tower.model
    return clip


def image_features(clip: nn.Module, pixels: Tensor) -> Tensor:
    """[N, 3, S, S] -> [N, D] of length 1."""
    resized = pixels.shape[-1] != clip.config.vision_config.image_size
    seen = clip.vision_model(pixel_values=pixels, interpolate_pos_encoding=resized).pooler_output
    return nn.functional.normalize(clip.visual_projection(seen).float(), dim=-1)


def text_features(clip: nn.Module, ids: Tensor) -> Tensor:
    """[N, T] -> [N, D] of length 1. What stands behind the end mark is never seen, so padding needs no mask."""
    return nn.functional.normalize(clip.text_projection(clip.text_model(input_ids=ids).pooler_output).float(), dim=-1)


def scale(clip: nn.Module) -> Tensor:
    """The learnt factor on cosines, one over the temperature."""
    return clip.logit_scale.exp().clamp(max=MOST_SCALE)


def retrieval(images: Tensor, texts: Tensor) -> dict[str, float]:
    """Retrieval@1 both ways of [N, D] pictures and their [N, D] texts, row by row; `chance` guesses."""
    found, right = images @ texts.T, torch.arange(len(images), device=images.device)
    return {"pictures": len(images), "chance": round(1 / len(images), 4),
            "image-to-text@1": round(float((found.argmax(1) == right).double().mean()), 4),
            "text-to-image@1": round(float((found.argmax(0) == right).double().mean()), 4)}


def save_clip(clip: nn.Module, tokenizer, vision: VisionSpec, folder: str | Path) -> Path:
    """Write the whole CLIPModel in float16, with its tokenizer and how a picture is made ready."""
    folder = Path(folder)
    if adapters(clip):
        raise ConfigError("a tower with adapters cannot be written in transformers layout",
                          got=f"{len(adapters(clip))} adapters", do="train without them")
    clip = copy.deepcopy(clip).to("cpu")
    clip.config.vision_config._name_or_path = ""  # where the tower began lies on one machine
    merge_lora(clip.vision_model)
    with torch.no_grad():
        clip.logit_scale.copy_(scale(clip).log())
    clip.half().save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
    save_preprocessing(vision, folder)
    return folder


def load_clip(folder: str | Path) -> tuple[nn.Module, object]:
    """(CLIPModel in float32, tokenizer) of a folder with both; CheckpointError for foreign or torn files."""
    from transformers import CLIPModel

    config = clip_config(VisionSpec(checkpoint=str(folder)))
    tokenizer = load_tokenizer(folder)
    check_tokenizer(tokenizer, config.text_config, folder)
    return load_weights(CLIPModel, str(folder), config, "model.vision", "float32").eval(), tokenizer


def save_preprocessing(vision: VisionSpec, folder: Path) -> None:
    """preprocessor_config.json: size, mean and deviation as transformers says them. loupe's own Pillow code makes the
    pictures; `frame` names which part of a picture is taken, where this is more than squashing or a centre crop."""
    square = {"height": vision.size, "width": vision.size}
    crop = vision.frame == "centre-crop"
    facts = {
        "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": True, "do_resize": True, "resample": 3,
        "size": {"shortest_edge": vision.size} if crop else square, "do_center_crop": crop, "crop_size": square,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": list(vision.mean),
        "image_std": list(vision.std), "frame": vision.frame,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(facts, indent=2) + "\n")
