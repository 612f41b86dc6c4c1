"""LLaVA in its own repository's layout (liuhaotian/llava-v1.5-7b), taken apart: weights named model.layers.*,
model.mm_projector.* and, where the tower is in the file, model.vision_tower.vision_tower.*.

Its config.json is the language model's with settings mm_*. A LoRA folder holds adapters for the language model
(adapter_config.json) and what else was trained (non_lora_trainables.bin); they are merged into the release it began
from.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from loupe.errors import CheckpointError
from loupe.importers.blip2 import folder as safetensors_of
from loupe.importers.weights import Imported, fill, listed, read
from loupe.models import checkpoint
from loupe.models.assembly import build, build_vision, load_config, load_tokenizer, load_weights, quiet
from loupe.models.checkpoint import write_folder
from loupe.models.spec import CLIP_MEAN, CLIP_STD, BridgeSpec, LanguageSpec, ModelSpec, VisionSpec

BRIDGES = {"linear": ("linear", {"": "bridge.project"}),  # mm_projector_type -> kind, {theirs: ours}
           "mlp2x_gelu": ("mlp", {"0.": "bridge.project.0", "2.": "bridge.project.2"})}
PROJECTOR, TOWER = "model.mm_projector.", "model.vision_tower.vision_tower."
SHARDS, ADAPTERS, TRAINED = ("*.safetensors", "pytorch_model*.bin"), "adapter_config.json", "non_lora_trainables.bin"
REFUSED = {  # settings that change what the model sees or reads: (value refused, what it means)
    "mm_use_im_start_end": (True, "pictures stand between tokens of their own"),
    "image_aspect_ratio": ("anyres", "pictures are cut into tiles (LLaVA-1.6)"),
}


def settings_of(place: str | Path) -> dict | None:
    """The folder's config.json where it is of this layout; else None."""
    path = Path(place).expanduser() / "config.json"
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and "mm_vision_tower" in said else None


def write(place: Path, settings: dict, out: Path, codec: str, dialogue: str, frame: str, dtype: str, vision: str = "",
          language: str = "") -> Imported:
    """OUT/language (and OUT/vision of a tuned tower) in transformers' layout, number for number, OUT/model in loupe's.
    vision, language: instead of the tower the settings name; the release that a LoRA began from."""
    kind, names = checked(settings, place)
    tensors, tokenizer = weights(place, settings, language)
    tensors = {name: t for name, t in tensors.items() if not name.endswith(".rotary_emb.inv_freq")}
    bridge = {f"{ours}.{name[len(PROJECTOR + theirs):]}": tensors.pop(name) for theirs, ours in names.items()
              for name in list(tensors) if name.startswith(PROJECTOR + theirs)}
    tuned = {name.removeprefix(TOWER): tensors.pop(name) for name in list(tensors) if name.startswith(TOWER)}
    named = vision or settings["mm_vision_tower"]
    seen = tower_of(named, settings, frame, place, given=bool(vision))
    with quiet():
        if tuned:
            write_folder(out / "vision", partial(_tower, seen, tuned, place), mark="config.json")
        write_folder(out / "language", partial(_language, settings, tensors, tokenizer, place), mark="config.json")
    seen = VisionSpec(**{**vars(seen), "checkpoint": str(out / "vision")}) if tuned else seen
    model = build(ModelSpec(seen, BridgeSpec(kind), LanguageSpec(str(out / "language")), codec, dialogue), dtype=dtype)
    count = fill(model, bridge, [n for n, _ in model.named_parameters() if n.startswith("bridge.")], place)
    checkpoint.save(model, out / "model", {"imported": "llava", "file": place.name})
    notes = [f"language model beside it, {model.bridge.tokens:,} tokens a picture",
             f"tower tuned, beside it ({named}'s shape)" if tuned else f"tower {named}"]
    if settings.get("image_aspect_ratio") != "pad":
        notes.append("it was trained on pictures cut to a square, here they are padded to one")
    return Imported(out / "model", len(bridge), count, (), tuple(notes))


def checked(settings: dict, place: Path) -> tuple[str, dict]:
    """(kind of bridge, {their name: ours}); CheckpointError for what loupe has no part for."""
    where = place / "config.json"
    classes = settings.get("architectures") or ["LlavaLlamaForCausalLM"]
    if classes != ["LlavaLlamaForCausalLM"]:
        raise CheckpointError("this LLaVA has another language model", got=", ".join(map(str, classes)), where=where,
                              expected="LlavaLlamaForCausalLM", do="import its version in transformers' layout")
    projector = settings.get("mm_projector_type", "linear")  # what v1 was trained with says nothing
    if projector not in BRIDGES:
        raise CheckpointError("this LLaVA has another bridge", got=f"mm_projector_type {projector}", where=where,
                              expected=" or ".join(BRIDGES))
    for name, (value, means) in REFUSED.items():
        if settings.get(name) == value:
            raise CheckpointError(f"this LLaVA is not known here: {means}", got=f"{name} {value}", where=where,
                                  do="ask it as it stands, from its version in transformers' layout")
    return BRIDGES[projector]


def weights(place: Path, settings: dict, language: str) -> tuple[dict[str, Tensor], object]:
    """(tensors by the release's names, tokenizer): of the folder, or of a LoRA merged into the release `language`."""
    if not (place / ADAPTERS).is_file():
        if language:
            raise CheckpointError("this LLaVA holds its language model", got="--language", where=place,
                                  do="leave it out: only LoRA folders need one")
        return tables(place), load_tokenizer(place)
    if not language:
        base = json.loads((place / ADAPTERS).read_text("utf-8")).get("base_model_name_or_path")
        raise CheckpointError("this folder holds adapters, not the language model they belong to", where=place,
                              got=ADAPTERS, do=f"give the release it began from as --language ({base})")
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = load_weights(AutoModelForCausalLM, language, load_config(language, None, "the language model", False),
                        "the language model", "auto")
    merged = PeftModel.from_pretrained(base, str(place)).merge_and_unload().state_dict()
    more, _ = read(place / TRAINED)
    return dict(merged) | {n.removeprefix("base_model.").replace("model.model.", "model.", 1): t
                           for n, t in more.items()}, load_tokenizer(language)


def tables(place: Path) -> dict[str, Tensor]:
    """All tensors of a folder's shards; safetensors where there are both."""
    if list(place.glob(SHARDS[0])):
        return safetensors_of(place)
    files = sorted(place.glob(SHARDS[1]))
    if not files:
        raise CheckpointError("no weights in the folder", got=", ".join(sorted(p.name for p in place.iterdir())[:6]),
                              expected=" or ".join(SHARDS), where=place, do="fetch them, too")
    return {name: t for file in files for name, t in read(file)[0].items()}


def tower_of(named: str, settings: dict, frame: str, place: Path, given: bool) -> VisionSpec:
    try:
        config = load_config(named, None, "the tower", False)
    except CheckpointError as error:
        if given:
            raise
        raise CheckpointError("the tower is not there", got=named, where=f"{place / 'config.json'}: mm_vision_tower",
                              do="give its folder as --vision") from error
    inner, folder = getattr(config, "vision_config", config), Path(named).expanduser()
    mean, std = prepared(folder) if folder.is_dir() else (CLIP_MEAN, CLIP_STD)
    return VisionSpec(str(folder.resolve()) if folder.is_dir() else named, layer=settings["mm_vision_select_layer"],
                      size=inner.image_size, frame=frame, mean=mean, std=std,
                      drop_cls=settings.get("mm_vision_select_feature", "patch") == "patch")


def prepared(place: Path) -> tuple[tuple, tuple]:
    """(mean, std) of how pictures are made ready, CLIP's where nothing says."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = place / name
        if path.is_file():
            said = json.loads(path.read_text("utf-8"))
            said = said.get("image_processor", said)
            if "image_mean" in said and "image_std" in said:
                return tuple(said["image_mean"]), tuple(said["image_std"])
    return CLIP_MEAN, CLIP_STD


def _tower(spec: VisionSpec, tuned: dict[str, Tensor], where: Path, folder: Path) -> None:
    """A tuned tower: its shape from the checkpoint it began as, its numbers from the file."""
    config = load_config(spec.checkpoint, None, "the tower", False)
    config = getattr(config, "vision_config", config)
    with torch.device("meta"):
        shape = VisionSpec(config={**config.to_dict(), "model_type": config.model_type}, layer=spec.layer)
        model = build_vision(shape)[0].model
    state = {name.removeprefix("vision_model."): t for name, t in tuned.items() if not name.endswith("position_ids")}
    _filled(model, state, "tower", where).save_pretrained(folder)


def _language(settings: dict, state: dict[str, Tensor], tokenizer, where: Path, folder: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    plain = {k: v for k, v in settings.items() if k not in ("model_type", "architectures", "transformers_version")
             and "mm_" not in k and not k.startswith(("image_", "freeze_"))}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **plain))
    _filled(model, state, "language model", where).save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))


def _filled(model: nn.Module, state: dict[str, Tensor], what: str, where: Path) -> nn.Module:
    """A model on the meta device with its parameters from `state`, every one of them and no other."""
    own = dict(model.named_parameters())
    missing, foreign = set(own) - set(state), set(state) - set(own)
    if missing or foreign:
        raise CheckpointError(f"the {what} has other weights than its class", where=where, expected=f"{len(own)} names",
                              got="; ".join(f"{word} {listed(names)}" for word, names in
                                            (("missing", missing), ("foreign", foreign)) if names))
    wrong = [f"{n} {tuple(t.shape)}" for n, t in state.items() if t.shape != own[n].shape]
    if wrong:
        raise CheckpointError(f"the {what} has weights of another shape", got=", ".join(wrong[:4]), where=where,
                              do="give the tower and the release it was trained with")
    model.load_state_dict(state, assign=True, strict=False)
    for module in model.modules():  # buffers that no file holds, computed as when the class is made
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))
    return model
