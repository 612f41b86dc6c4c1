"""A LLaVA taken apart: tower, two-layer bridge and language model of a loupe checkpoint. In transformers' layout here,
in its own repository's in llava_release.

loupe.predictors asks such a model as it stands; a loupe checkpoint of it can be trained on, asked densely, and probed
part by part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from loupe.errors import CheckpointError
from loupe.importers import llava_release
from loupe.importers.llava_release import prepared
from loupe.importers.weights import Imported, fill
from loupe.models import checkpoint
from loupe.models.assembly import build, load_config, load_tokenizer, load_weights, quiet
from loupe.models.checkpoint import write_folder
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec

BRIDGE = {"linear_1": "bridge.project.0", "linear_2": "bridge.project.2"}


@dataclass(frozen=True)
class Llava:
    """codec, frame: LLaVA-1.5's own, fractions of the padded square. vision, language: of its own repository's layout
    only, where the tower it names cannot be had, and for the release that a LoRA began from."""

    vision: str = ""
    language: str = ""
    codec: str = "llava"
    dialogue: str = "llava-v1"
    frame: str = "pad-mean"

    def write(self, file: str | Path, out: str | Path, dtype: str = "bfloat16") -> Imported:
        """OUT/vision and OUT/language in transformers' layout, number for number, OUT/model in loupe's. dtype: of the
        parts while they are in memory."""
        from transformers import LlavaForConditionalGeneration

        place, out = Path(file).expanduser(), Path(out).expanduser().resolve()
        settings = llava_release.settings_of(place)
        if settings is not None:
            return llava_release.write(place, settings, out, self.codec, self.dialogue, self.frame, dtype, self.vision,
                                       self.language)
        for name in ("vision", "language"):
            if getattr(self, name):
                raise CheckpointError("a LLaVA in transformers' layout is whole", got=f"--{name}", where=file,
                                      do="leave it out")
        config = load_config(str(file), None, "the model", False)
        checked(config, file)
        whole = load_weights(LlavaForConditionalGeneration, str(file), config, "the model", "auto")
        inner = whole.model
        with quiet():
            write_folder(out / "vision", inner.vision_tower.save_pretrained, mark="config.json")
            write_folder(out / "language", partial(_language, whole, load_tokenizer(str(file))), mark="config.json")
        mean, std = prepared(place)
        spec = ModelSpec(
            VisionSpec(str(out / "vision"), layer=layers(config), size=config.vision_config.image_size,
                       frame=self.frame, mean=mean, std=std,
                       drop_cls=config.vision_feature_select_strategy == "default"),
            BridgeSpec("mlp", bias=config.multimodal_projector_bias), LanguageSpec(str(out / "language")),
            self.codec, self.dialogue)
        tensors = {f"{BRIDGE[name.split('.')[0]]}.{name.split('.')[1]}": t
                   for name, t in inner.multi_modal_projector.state_dict().items()}
        model = build(spec, dtype=dtype)
        count = fill(model, tensors, [n for n, _ in model.named_parameters() if n.startswith("bridge.")], place)
        checkpoint.save(model, out / "model", {"imported": "llava", "file": place.name})
        return Imported(out / "model", len(tensors), count, (), (
            f"tower and language model beside it, {model.bridge.tokens:,} tokens a picture",))


def checked(config, where) -> None:
    """A LLaVA this can be said of: GELU between two linear layers."""
    if config.model_type != "llava":
        raise CheckpointError("this is no LLaVA in transformers' layout", got=f"model_type {config.model_type}",
                              where=where)
    if config.projector_hidden_act != "gelu":
        raise CheckpointError("this LLaVA has another bridge", got=config.projector_hidden_act, where=where,
                              expected="gelu")


def layers(config) -> int | tuple[int, ...]:
    """As VisionSpec.layer says it."""
    said = config.vision_feature_layer
    return said if isinstance(said, int) else tuple(said)


def _language(whole: nn.Module, tokenizer, folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(whole.config.text_config)
    state = {f"model.{name}": t for name, t in whole.model.language_model.state_dict().items()}
    model.load_state_dict(state | {"lm_head.weight": whole.lm_head.weight.detach()}, assign=True, strict=False)
    empty = [name for name, p in model.named_parameters() if p.is_meta]
    if empty:
        raise CheckpointError("the language model has other weights than its class", got=", ".join(empty[:4]))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
