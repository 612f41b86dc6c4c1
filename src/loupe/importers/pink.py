"""Pink's released saved_parameters.pth: bridge, adapters, and the whole embedding and head.

Beside it lies a config.json whose adapter_* settings say what the adapters' shapes cannot. Its tower has adapters up
to the tapped layer only. Added tokens stand behind the language model's own: <im_patch>, then twelve marks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from loupe.errors import CheckpointError
from loupe.importers.weights import Imported, fill, read, sort
from loupe.models import checkpoint
from loupe.models.assembly import build, dialogue_named
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.structure import record
from loupe.models.tuner import Adapter
from loupe.models.vision import blocks
from loupe.models.vlm import VLM

ADAPTER = re.compile(r"(vision_model\.vision_model\.encoder|model)\.layers\.(\d+)\.adapter_attn"
                     r"\.tune_adapter_([ab])\.(weight|bias)")
PARTS = {"vision_model.vision_model.encoder": ("vision.model.encoder", "layer_norm1"),
         "model": ("language.model", "input_layernorm")}
BRIDGE = {"mm_projector.weight": "bridge.project.weight", "mm_projector.bias": "bridge.project.bias"}
ROWS = {"model.embed_tokens.weight": "input", "lm_head.weight": "output"}
PATCH = "<im_patch>"
MARKS = ("<des>", "</des>", "<loc>", "</loc>", "<cls>", "</cls>", "<rel>", "</rel>", "<qes>", "</qes>", "<opt>",
         "</opt>")  # in the order the release adds them


@dataclass(frozen=True)
class Pink:
    """vision: CLIP ViT-L/14; language: Llama-2-7b-chat. `file` may be the release's folder."""

    vision: str
    language: str
    size: int = 224
    layer: int = -2

    def write(self, file: str | Path, out: str | Path, dtype: str = "bfloat16") -> Imported:
        """OUT/model in loupe's layout."""
        file, out = Path(file).expanduser(), Path(out).expanduser()
        file = file / "saved_parameters.pth" if file.is_dir() else file
        tensors, _ = read(file)
        settings = beside(file)
        rows = {ROWS[n]: tensors.pop(n) for n in list(tensors) if n in ROWS}
        mine, left = sort(tensors, name_of, lambda name: name.endswith(".rotary_emb.inv_freq"), file)
        size, layer = int(settings.get("crop_size", self.size)), int(settings.get("clip_select_layer", self.layer))
        spec = ModelSpec(VisionSpec(self.vision, layer=layer, size=size), BridgeSpec("linear"),
                         LanguageSpec(self.language), "pink", "pink-llama-2")
        model = build(spec, dtype=dtype)
        tuners = {part: tuner for part in ("vision", "language")
                  if (tuner := adapter_of(mine, part, settings, len(blocks(_blocks_of(model, part)))))}
        for part, tuner in tuners.items():
            record(model, part, tuner)
        needed = [n for n, _ in model.named_parameters() if n.startswith("bridge.") or ".adapter." in n]
        count = fill(model, mine, needed, file)
        notes = [f"{part}: adapters of {tuner.hidden}" for part, tuner in tuners.items()]
        notes += fill_rows(model, rows, file)
        checkpoint.save(model, out / "model", {"imported": "pink", "file": file.name})
        return Imported(out / "model", len(mine) + len(rows), count, left, tuple(notes))


def _blocks_of(model: VLM, part: str):
    return model.vision.model if part == "vision" else model.decoder


def beside(file: Path) -> dict:
    """Settings of the config.json next to the file; {} where there is none."""
    path = file.with_name("config.json")
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError("cannot read the settings beside the weights", got=error, where=path) from None
    if not isinstance(settings, dict):
        raise CheckpointError("cannot read the settings beside the weights", got=type(settings).__name__, where=path)
    if settings.get("adapter_mlp"):
        raise CheckpointError("adapters before the feed-forward layers are not known here", got="adapter_mlp true",
                              where=path)
    return settings


def name_of(name: str) -> str | None:
    match = ADAPTER.fullmatch(name)
    if not match:
        return BRIDGE.get(name)
    place, norm = PARTS[match[1]]
    return f"{place}.layers.{match[2]}.{norm}.adapter.{'down' if match[3] == 'a' else 'up'}.{match[4]}"


def adapter_of(mine: dict[str, torch.Tensor], part: str, settings: dict, depth: int) -> Adapter | None:
    """The tuner of these adapters; None where the part has none."""
    there = {n: t for n, t in mine.items() if n.startswith(f"{part}.") and ".adapter.down.weight" in n}
    if not there:
        return None
    odd = bool(settings.get("adapter_non_linear")) and part == "language"  # the release never passes it to the tower
    said = settings.get("adapter_vision_dropout" if part == "vision" else "adapter_llm_dropout", 0.1)
    return Adapter(next(iter(there.values())).shape[0], "silu" if odd else "identity", bias=True,
                   dropout=float(said), tapped_only=part == "vision" and len(there) < depth)


@torch.no_grad()
def fill_rows(model: VLM, rows: dict[str, torch.Tensor], where: Path) -> list[str]:
    """Rows of added marks by name; the language model's own rows where the file has others. -> what is to be said."""
    if not rows:
        return ["no embedding in the file: marks keep the mean of all words"]
    embedding, head = model.language.get_input_embeddings(), model.language.get_output_embeddings()
    added = isinstance(embedding, AddedEmbedding)
    base = (embedding.base if added else embedding).weight
    notes, own = [], model.language.config.get_text_config().vocab_size
    for side, module in (("input", embedding), ("output", head)):
        if side not in rows:
            continue
        given, mine = rows[side].float(), (module.base if added else module).weight
        if given.shape[1] != base.shape[1] or len(given) < own:
            raise CheckpointError("the embedding is of another language model", got=tuple(given.shape), where=where,
                                  expected=f"[{own} or more, {base.shape[1]}]")
        known = {t: own + k for k, t in enumerate(marks_in(len(given) - own, where))}
        if not torch.equal(given[:own].to(mine.dtype), mine[:own]):
            mine.data = mine.data.float()
            mine[:own] = given[:own]
            model.structure["tokens"] = ["full"]
            notes.append(f"the file's own {side} rows differ from the language model's and are kept")
        if not added:
            continue
        for token in dialogue_named("pink-llama-2").tokens:
            k = model.encoder.tokenizer.convert_tokens_to_ids(token) - module.start
            if 0 <= k < len(module.rows):
                if token in known:
                    module.rows[k] = given[known[token]]
                elif side == "input":
                    notes.append(f"the file has no row for {token}")
    return notes


def marks_in(count: int, where: Path) -> tuple[str, ...]:
    """Names of the rows behind the language model's own, by their number."""
    names = {0: (), 1: (PATCH,), len(MARKS): MARKS, 1 + len(MARKS): (PATCH, *MARKS)}
    if count not in names:
        raise CheckpointError("cannot tell which tokens were added", got=f"{count} rows", where=where,
                              expected=", ".join(map(str, names)))
    return names[count]
