"""EVA-CLIP's tower, as LAVIS and MiniGPT-v2 publish it, in transformers' BLIP-2 layout.

The published layout keeps biases for queries and values alone; transformers keeps one vector for all three, whose
middle third, the keys', is zero. Positions are of 16 x 16 patches and are resized by bicubic interpolation, once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from loupe.errors import CheckpointError, ConfigError
from loupe.importers.weights import listed, read
from loupe.models.assembly import build_vision, quiet
from loupe.models.checkpoint import write_folder
from loupe.models.spec import VisionSpec

HEAD = 88  # numbers of a head in EVA-CLIP-g: 1,408 are 16 heads
DEPTH = 39  # layers BLIP-2 and MiniGPT-v2 keep of 40
NAMES = {"cls_token": "embeddings.class_embedding", "pos_embed": "embeddings.position_embedding",
         "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
         "patch_embed.proj.bias": "embeddings.patch_embedding.bias"}
PARTS = {"norm1": "layer_norm1", "norm2": "layer_norm2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2",
         "attn.proj": "self_attn.projection"}
BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
BIASES = ("attn.q_bias", "attn.v_bias")
UNUSED = re.compile(r"(norm|fc_norm|head|mask_token|lm_head|rel_pos_bias)\b.*|.*relative_position_index")


def convert(tensors: Mapping[str, Tensor], size: int = 448, heads: int | None = None,
            where: Path | None = None) -> tuple[nn.Module, tuple[str, ...]]:
    """(Blip2VisionModel of pictures `size` pixels wide, names left out) from EVA's names, all after `visual_encoder.`
    taken off. The final norm is plain: EVA has none there, and what stands behind it belongs to another file."""
    state, left = renamed(tensors, where)
    config = shape(state, size, heads, where)
    positions, width = "embeddings.position_embedding", config["hidden_size"]
    state[positions] = resized(state[positions], size // config["patch_size"])
    state |= {"post_layernorm.weight": torch.ones(width), "post_layernorm.bias": torch.zeros(width)}
    with torch.device("meta"):
        tower, _ = build_vision(VisionSpec(config=config, layer=-1, size=size))
    model = tower.model
    missing, foreign = set(model.state_dict()) - set(state), set(state) - set(model.state_dict())
    if missing or foreign:
        raise CheckpointError("these are not the weights of an EVA tower", where=where,
                              got=f"missing {listed(missing)}; foreign {listed(foreign)}")
    model.load_state_dict({name: t.to(torch.float32) for name, t in state.items()}, assign=True)
    return model.eval(), left


def renamed(tensors: Mapping[str, Tensor], where: Path | None) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """({transformers' name: tensor}, names left out: layers behind DEPTH and heads of other uses)."""
    out, left, foreign = {}, [], []
    for name, tensor in tensors.items():
        match = BLOCK.fullmatch(name)
        if name in NAMES:
            out[NAMES[name]] = tensor
        elif match and int(match[1]) >= DEPTH:
            left.append(name)
        elif match:
            mine = _in_block(match[2])
            if mine is None:
                foreign.append(name)
            elif mine:
                out[f"encoder.layers.{match[1]}.{mine}"] = tensor
        elif UNUSED.fullmatch(name):
            left.append(name)
        else:
            foreign.append(name)
    if foreign:
        raise CheckpointError("these are not the weights of an EVA tower", got=listed(foreign), where=where)
    for name in [n for n in tensors if n.endswith(BIASES[0])]:
        match = BLOCK.fullmatch(name)
        if int(match[1]) < DEPTH:
            q, v = tensors[name], tensors.get(name.replace(*BIASES))
            if v is None:
                raise CheckpointError("queries have a bias and values have none", got=name, where=where)
            out[f"encoder.layers.{match[1]}.self_attn.qkv.bias"] = torch.cat([q, torch.zeros_like(q), v])
    return out, tuple(left)


def _in_block(name: str) -> str | None:
    """Name inside a layer; "" for what is put together from two; None for a stranger."""
    if name in BIASES:
        return ""
    if name == "attn.qkv.weight":
        return "self_attn.qkv.weight"
    part, _, kind = name.rpartition(".")
    return f"{PARTS[part]}.{kind}" if part in PARTS and kind in ("weight", "bias") else None


def shape(state: Mapping[str, Tensor], size: int, heads: int | None, where: Path | None) -> dict:
    """The config that holds these weights."""
    try:
        width, _, patch, _ = state["embeddings.patch_embedding.weight"].shape
        inner = state["encoder.layers.0.mlp.fc1.weight"].shape[0]
        state["embeddings.position_embedding"]
    except KeyError as error:
        raise CheckpointError("these are not the weights of an EVA tower", got=f"no {error.args[0]}",
                              where=where) from None
    if heads is None and width % HEAD:
        raise ConfigError("cannot tell the number of heads", got=f"width {width}", expected=f"a multiple of {HEAD}",
                          where="heads")
    layers = {int(name.split(".")[2]) for name in state if name.startswith("encoder.layers.")}
    if size % patch:
        raise ConfigError("picture size is no multiple of the patch", got=size, expected=f"a multiple of {patch}",
                          where="size")
    return {"model_type": "blip_2_vision_model", "hidden_size": width, "intermediate_size": inner,
            "num_hidden_layers": max(layers) + 1, "num_attention_heads": heads or width // HEAD, "image_size": size,
            "patch_size": patch, "hidden_act": "gelu", "qkv_bias": "encoder.layers.0.self_attn.qkv.bias" in state,
            "layer_norm_eps": 1e-6}


def resized(positions: Tensor, grid: int) -> Tensor:
    """[1, 1 + n * n, C] -> [1, 1 + grid * grid, C], the class token's kept."""
    count = positions.shape[1] - 1
    before = round(count**0.5)
    if before * before != count:
        raise CheckpointError("positions are of no square", got=tuple(positions.shape), expected="[1, 1 + n * n, C]")
    if before == grid:
        return positions
    patches = positions[:, 1:].float().reshape(1, before, before, -1).permute(0, 3, 1, 2)
    patches = nn.functional.interpolate(patches, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1].float(), patches.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def tower(place: str | Path, size: int, heads: int | None = None) -> tuple[nn.Module, tuple[str, ...]]:
    """(Blip2VisionModel at `size`, names left out) from a file with EVA's names, or a BLIP-2 checkpoint."""
    path = Path(place).expanduser()
    if path.is_file():
        tensors, _ = read(path, "model")
        tensors = {name.removeprefix("visual_encoder."): t for name, t in tensors.items()}
        return convert(tensors, size, heads=heads, where=path)
    built, _ = build_vision(VisionSpec(str(place), layer=-1, size=size))
    model = built.model
    if type(model).__name__ != "Blip2VisionModel":
        raise CheckpointError("this is no EVA tower", got=type(model).__name__, expected="Blip2VisionModel",
                              where=place)
    with torch.no_grad():  # BLIP-2's own norm was trained with its Q-Former; MiniGPT-v2 never loads it
        model.post_layernorm.weight.fill_(1.0)
        model.post_layernorm.bias.zero_()
        embeddings = model.embeddings
        positions = resized(embeddings.position_embedding.data, size // model.config.patch_size)
        embeddings.position_embedding = nn.Parameter(positions)
    embeddings.num_positions, embeddings.num_patches = positions.shape[1], positions.shape[1] - 1
    model.config.image_size = embeddings.image_size = size
    return model.eval(), ()


def write(model: nn.Module, folder: Path) -> Path:
    """The tower in transformers' layout, in float16 where nothing overflows."""
    with quiet():
        return write_folder(folder, partial(_save, model), mark="config.json")


def _save(model: nn.Module, folder: Path) -> None:
    half = {name: t.to(torch.float16) for name, t in model.state_dict().items()}
    fits = all(torch.isfinite(t).all() for t in half.values())
    model.save_pretrained(folder, state_dict=half if fits else None)
