"""MiniGPT-v2's published .pth: bridge and LoRA matrices; tower and language model come from their own releases.

The file holds {"model": tensors, "optimizer", "config", "scaler", "epoch"}, of "model" only what was trained: the
linear layer behind the tower and LoRA on queries and values, with PEFT's names. The tower is EVA-CLIP-g at 448 pixels
with a norm that was never trained nor loaded (weight 1, bias 0), then every four neighbours of a row become one token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from loupe.errors import CheckpointError, unknown_name
from loupe.importers import eva
from loupe.importers.weights import Imported, fill, read, sort
from loupe.models import checkpoint
from loupe.models.assembly import build
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.structure import record
from loupe.models.tuner import LoRA

LORA = re.compile(r"llama_model\.base_model\.model\.(model\.layers\.\d+\.\w+\.(\w+)\.lora_[AB])(?:\.default)?\.weight")
BRIDGE = {"llama_proj.weight": "bridge.project.weight", "llama_proj.bias": "bridge.project.bias"}
TOWER = ("visual_encoder.", "ln_vision.")
BUFFERS = (".rotary_emb.inv_freq", ".masked_bias", ".attn.bias")
ALPHA, DROPOUT = 16.0, 0.05  # where the file does not say
FORMS = {"minigpt-v2": ("minigpt", "minigpt-v2"), "pae": ("pae", "pae")}  # -> codec, dialogue


@dataclass(frozen=True)
class MiniGPT:
    """vision: a BLIP-2 checkpoint in transformers' layout, or the tower's own .pth; language: Llama-2-7b-chat.

    form: "minigpt-v2" to talk as it was trained; "pae" to go on with recipe `pae` (its boxes, with points and colours).
    """

    vision: str
    language: str
    form: str = "minigpt-v2"
    size: int = 448
    merge: int = 4
    heads: int | None = None  # of the tower, where its width does not tell

    def write(self, file: str | Path, out: str | Path, dtype: str = "bfloat16") -> Imported:
        """OUT/vision in transformers' layout and OUT/model in loupe's. dtype: of the parts while they are in memory."""
        if self.form not in FORMS:
            raise unknown_name("form", self.form, FORMS, where="form")
        file, out = Path(file).expanduser(), Path(out).expanduser().resolve()
        tensors, rest = read(file, "model")
        mine, left = sort({n: t for n, t in tensors.items() if not n.startswith(TOWER)}, name_of,
                          lambda name: name.endswith(BUFFERS), file)
        lora = lora_of(mine, rest.get("config") or {}, file)
        tower, more = self._tower(tensors, file)
        eva.write(tower, out / "vision")
        spec = self.spec(str(out / "vision"))
        model = build(spec, dtype=dtype)
        record(model, "language", lora)
        needed = [n for n, _ in model.named_parameters() if n.startswith("bridge.") or ".lora_" in n]
        count = fill(model, mine, needed, file)
        checkpoint.save(model, out / "model", {"imported": "minigpt-v2", "file": file.name})
        return Imported(out / "model", len(mine), count, (*left, *more), (
            f"LoRA rank {lora.rank}, alpha {lora.alpha:g} on {lora.targets}",
            f"{spec.vision.size} px, {model.vision.tokens:,} tokens, {model.bridge.tokens:,} after the bridge"))

    def spec(self, vision: str) -> ModelSpec:
        codec, dialogue = FORMS[self.form]
        return ModelSpec(VisionSpec(vision, layer=-1, size=self.size, norm=True),
                         BridgeSpec("linear", merge=self.merge), LanguageSpec(self.language, max_length=4096), codec,
                         dialogue)

    def _tower(self, tensors: dict, file: Path) -> tuple[torch.nn.Module, tuple[str, ...]]:
        """The tower from its own release, or from the file where it was tuned and is in it."""
        tuned = {n.removeprefix(TOWER[0]): t for n, t in tensors.items() if n.startswith(TOWER[0])}
        if tuned:
            model, left = eva.convert(tuned, self.size, heads=self.heads, where=file)
        else:
            model, left = eva.tower(self.vision, self.size, self.heads)
        norm = {n.removeprefix(TOWER[1]): t for n, t in tensors.items() if n.startswith(TOWER[1])}
        if norm:
            if set(norm) != {"weight", "bias"}:
                raise CheckpointError("half a norm behind the tower", got=", ".join(sorted(norm)), where=file)
            model.post_layernorm.load_state_dict({n: t.float() for n, t in norm.items()})
        return model, left


def name_of(name: str) -> str | None:
    """Its name in a loupe model; None for a stranger."""
    match = LORA.fullmatch(name)
    return f"language.{match[1]}.default.weight" if match else BRIDGE.get(name)


def lora_of(mine: dict[str, torch.Tensor], config: dict, where: Path) -> LoRA:
    """The tuner these matrices belong to."""
    ranks = {t.shape[0] for n, t in mine.items() if ".lora_A." in n} | {
        t.shape[1] for n, t in mine.items() if ".lora_B." in n}
    if len(ranks) != 1:
        raise CheckpointError("LoRA matrices of one rank are expected", where=where,
                              got=f"ranks {sorted(ranks)}" if ranks else "none (is this a checkpoint of MiniGPT-v2?)")
    layers = sorted({n.split(".lora_")[0].rsplit(".", 1)[1] for n in mine if ".lora_" in n})
    said = config.get("model", {}) if isinstance(config, dict) else {}
    return LoRA(ranks.pop(), float(said.get("lora_alpha", ALPHA)), rf".*\.({'|'.join(layers)})",
                float(said.get("lora_dropout", DROPOUT)))
