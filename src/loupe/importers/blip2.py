"""BLIP-2's first stage -> the start of an MQ-Former, from LAVIS' file (ViT-L: blip2_pretrain_vitL.pth) or a folder of
transformers' Blip2ForImageTextRetrieval.

Both know queries, embeddings, blocks with a cross-attention in every second one, heads of contrast and matching; LAVIS
the word head, the temperature and the norm behind the tower too. Their tower is left out: it is CLIP's ViT-L/14 run
without its last layer. What an MQ-Former has beyond, keeps its own start and is listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from loupe.errors import CheckpointError
from loupe.importers.weights import SHOWN, listed, read
from loupe.models.mqformer import MQFormer

BLOCK = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
PARTS = {  # inside a block; LAVIS says attention.self where transformers says attention.attention
    **{f"{theirs}.{kind}.{name}": f"{mine}.{name}" for theirs, mine in
       (("attention", "attention"), ("crossattention", "visual")) for kind in ("self", "attention")
       for name in ("query", "key", "value")},
    **{f"{theirs}.output.{name}": f"{mine}.{new}" for theirs, mine in
       (("attention", "attention"), ("crossattention", "visual")) for name, new in
       (("dense", "out"), ("LayerNorm", "norm"))},
    "intermediate.dense": "text.rise", "output.dense": "text.fall", "output.LayerNorm": "text.norm",
    "intermediate_query.dense": "queries.rise", "output_query.dense": "queries.fall",
    "output_query.LayerNorm": "queries.norm",
}
HEADS = {"vision_proj": "contrast.visual", "text_proj": "contrast.caption", "vision_projection": "contrast.visual",
         "text_projection": "contrast.caption", "itm_head": "match.visual", "ln_vision": "visual_norm",
         "vision_model.post_layernorm": "visual_norm"}
LAVIS = {"embeddings.word_embeddings": "words", "embeddings.position_embeddings": "places",
         "embeddings.LayerNorm": "norm", "cls.predictions.transform.dense": "head.transform",
         "cls.predictions.transform.LayerNorm": "head.norm"}
TRANSFORMERS = {"embeddings.word_embeddings": "words", "embeddings.position_embeddings": "places",
                "qformer.layernorm": "norm"}
UNUSED = re.compile(r"(visual_encoder|vision_model)\..*|.*position_ids|cls\.predictions\.decoder\.(weight|bias)")
LONGER = ("words.weight", "places.weight", "head.bias")  # rows of ours beyond theirs keep their start


@dataclass(frozen=True)
class Taken:
    """copied: numbers; unfilled: parameters of the MQ-Former with nothing in the file; left_out: names of the file."""

    copied: int
    unfilled: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()


def start(model: MQFormer, place: str | Path) -> Taken:
    """Fill `model` from a file of LAVIS or a folder of transformers."""
    path = Path(place).expanduser()
    if path.is_dir():
        return take(model, transformers_names(folder(path)), path)
    tensors, _ = read(path, "model")
    return take(model, lavis_names(tensors), path)


def folder(path: Path) -> dict[str, Tensor]:
    """All tensors of a folder's safetensors files; BLIP-2's towers are passed over."""
    from safetensors import SafetensorError, safe_open

    files, out = sorted(path.glob("*.safetensors")), {}
    if not files:
        raise CheckpointError("no weights in the folder", got=", ".join(sorted(p.name for p in path.iterdir())[:SHOWN]),
                              expected="model*.safetensors", where=path)
    for file in files:
        try:
            with safe_open(str(file), "pt") as opened:
                names = [n for n in opened.keys()  # noqa: SIM118 (a reader, no dictionary)
                         if "post_layernorm" in n or not n.startswith("vision_model.")]
                out |= {name: opened.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise CheckpointError("cannot read the file of weights", got=str(error)[:160], where=file,
                                  do="fetch it again") from None
    return out


def lavis_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """{our name, or the file's own after "?": tensor}. The word head's last matrix is the embedding, as LAVIS ties."""
    out = {}
    for name, tensor in tensors.items():
        inner = name.removeprefix("Qformer.").removeprefix("bert.")
        if name == "temp":
            mine = "temperature"
        elif inner == "cls.predictions.bias":
            mine = "head.bias"
        else:
            mine = _named(inner, LAVIS)
        out[mine or f"?{name}"] = tensor
    return out


def transformers_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As `lavis_names`, of Blip2ForImageTextRetrieval."""
    return {_named(name if name in ("qformer.layernorm.weight", "qformer.layernorm.bias")
                   else name.removeprefix("qformer."), TRANSFORMERS) or f"?{name}": t for name, t in tensors.items()}


def _named(name: str, table: Mapping[str, str]) -> str | None:
    if name == "query_tokens":
        return "visual_queries"
    match = BLOCK.fullmatch(name)
    if match:
        return f"blocks.{match[1]}.{PARTS[match[2]]}.{match[3]}" if match[2] in PARTS else None
    stem, _, kind = name.rpartition(".")
    known = {**HEADS, **table}
    return f"{known[stem]}.{kind}" if stem in known and kind in ("weight", "bias") else None


@torch.no_grad()
def take(model: MQFormer, tensors: Mapping[str, Tensor], where: str | Path) -> Taken:
    """Copy tensors under our names into `model`. Foreign names and other shapes are refused; nothing is copied then."""
    own = dict(model.named_parameters())
    left = [name[1:] for name in tensors if name.startswith("?")]
    foreign = [name for name in left if not UNUSED.fullmatch(name.removeprefix("Qformer.").removeprefix("bert."))]
    rest = {name: t for name, t in tensors.items() if not name.startswith("?")}
    strange = [name for name in rest if name not in own and not _of_a_block_without(name, model)]
    if foreign or strange or "visual_queries" not in rest:
        raise CheckpointError("this is no BLIP-2 of the first stage that fits", where=where,
                              got=listed([*foreign, *strange]) if foreign or strange else "no query_tokens",
                              expected=f"a Q-Former of {model.spec.depth} blocks",
                              do="give blip2_pretrain_vitL.pth, or a folder of Blip2ForImageTextRetrieval")
    fitting = {name: t[0] if name == "visual_queries" and t.dim() == 3 else t for name, t in rest.items()}
    for name, t in fitting.items():
        if name in own and not _fits(name, t, own[name]):
            raise CheckpointError("a weight has another shape than the MQ-Former", where=where,
                                  got=f"{name} {tuple(t.shape)}", expected=tuple(own[name].shape),
                                  do="of the tower's width: only a checkpoint with ViT-L has 1024")
    copied, unfilled, notes = 0, [name for name in own if name not in fitting], []
    for name, t in fitting.items():
        if name not in own:
            left.append(name)
            continue
        own[name].data[tuple(slice(0, n) for n in t.shape)] = t.to(own[name].dtype)
        copied += t.numel()
        if t.shape != own[name].shape:
            notes.append(f"{name}: {len(own[name]) - len(t)} rows beyond the file's {len(t)} keep their start")
    return Taken(copied, tuple(unfilled), tuple(left), tuple(notes))


def _fits(name: str, theirs: Tensor, mine: Tensor) -> bool:
    if name in LONGER:
        return len(theirs) <= len(mine) and theirs.shape[1:] == mine.shape[1:]
    return theirs.shape == mine.shape


def _of_a_block_without(name: str, model: MQFormer) -> bool:
    """A cross-attention of a block that has none in this model."""
    match = re.match(r"blocks\.(\d+)\.visual\.", name)
    return bool(match) and int(match[1]) < len(model.blocks) and model.blocks[int(match[1])].visual is None
