"""BLIP-2's first stage, both layouts written small."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from loupe.errors import CheckpointError
from loupe.importers import blip2
from tests.models.tiny_former import TINY, TOWER, former

D, INNER, ROWS = TINY.width, TINY.inner, 41  # BERT's rows and [DEC]


def block(k: int, own: str, crosses: bool) -> dict[str, tuple[int, ...]]:
    out = {}
    for kind, seen in (("attention", D), *([("crossattention", TOWER)] if crosses else [])):
        for name in ("query", "key", "value"):
            out[f"{kind}.{own}.{name}"] = (D, D if name == "query" else seen)
        out |= {f"{kind}.output.dense": (D, D), f"{kind}.output.LayerNorm": (D,)}
    for end in ("", "_query"):
        out |= {f"intermediate{end}.dense": (INNER, D), f"output{end}.dense": (D, INNER),
                f"output{end}.LayerNorm": (D,)}
    return {f"encoder.layer.{k}.{name}": shape for name, shape in out.items()}


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    out = {}
    for k, (name, shape) in enumerate(shapes.items()):
        draw = torch.Generator().manual_seed(k)
        out[f"{name}.weight"] = torch.randn(shape, generator=draw)
        if "embeddings.word" not in name and "embeddings.position" not in name:
            out[f"{name}.bias"] = torch.randn(shape[0], generator=draw)
    return out


def lavis(places: int = TINY.positions) -> dict[str, torch.Tensor]:
    inside = drawn({"embeddings.word_embeddings": (ROWS, D), "embeddings.position_embeddings": (places, D),
                    "embeddings.LayerNorm": (D,), **block(0, "self", True), **block(1, "self", False)})
    head = drawn({"cls.predictions.transform.dense": (D, D), "cls.predictions.transform.LayerNorm": (D,)})
    return {**{f"Qformer.bert.{n}": t for n, t in inside.items()}, **{f"Qformer.{n}": t for n, t in head.items()},
            "Qformer.bert.embeddings.position_ids": torch.arange(places)[None],
            "Qformer.cls.predictions.bias": torch.randn(ROWS),
            "Qformer.cls.predictions.decoder.bias": torch.randn(ROWS),
            "Qformer.cls.predictions.decoder.weight": inside["embeddings.word_embeddings.weight"],
            **drawn({"vision_proj": (8, D), "text_proj": (8, D), "itm_head": (2, D), "ln_vision": (TOWER,)}),
            "temp": torch.tensor(0.05), "query_tokens": torch.randn(1, 3, D),
            "visual_encoder.transformer.resblocks.0.ln_1.weight": torch.ones(TOWER)}


def transformers() -> dict[str, torch.Tensor]:
    inside = drawn({"layernorm": (D,), **block(0, "attention", True), **block(1, "attention", False)})
    return {**{f"qformer.{n}": t for n, t in inside.items()},
            **drawn({"embeddings.word_embeddings": (ROWS, D), "embeddings.position_embeddings": (TINY.positions, D),
                     "vision_projection": (8, D), "text_projection": (8, D), "itm_head": (2, D),
                     "vision_model.post_layernorm": (TOWER,)}),
            "query_tokens": torch.randn(1, 3, D), "vision_model.embeddings.class_embedding": torch.ones(1, 1, TOWER)}


def test_lavis(tmp_path):
    tensors = lavis()
    torch.save({"model": tensors, "epoch": 9}, tmp_path / "blip2_pretrain_vitL.pth")
    model = former()
    before = {name: p.clone() for name, p in model.named_parameters()}
    done = blip2.start(model, tmp_path / "blip2_pretrain_vitL.pth")
    assert torch.equal(model.words.weight[:ROWS], tensors["Qformer.bert.embeddings.word_embeddings.weight"])
    assert torch.equal(model.words.weight[ROWS:], before["words.weight"][ROWS:])
    assert torch.equal(model.blocks[0].visual.key.weight,
                       tensors["Qformer.bert.encoder.layer.0.crossattention.self.key.weight"])
    assert torch.equal(model.blocks[1].queries.fall.bias,
                       tensors["Qformer.bert.encoder.layer.1.output_query.dense.bias"])
    assert torch.equal(model.visual_queries, tensors["query_tokens"][0])
    assert model.temperature.item() == pytest.approx(0.05)
    assert torch.equal(model.visual_norm.bias, tensors["ln_vision.bias"])
    heads = {"grounding_queries", "nothing", "outline.weight", "outline.bias", "match.grounding.weight",
             "match.grounding.bias",
             *(f"contrast.{n}.{k}" for n in ("grounding", "spatial") for k in ("weight", "bias"))}
    cross = {n for n in before if ".grounding." in n and n.startswith("blocks")}
    cross |= {n for n in before if n.startswith("blocks.1.visual.")}  # BLIP-2 has it in every second block
    assert set(done.unfilled) == heads | cross
    assert all(torch.equal(before[name], dict(model.named_parameters())[name]) for name in done.unfilled)
    assert "visual_encoder.transformer.resblocks.0.ln_1.weight" in done.left_out and len(done.notes) == 2
    known = [n for n in tensors if n not in done.left_out]
    assert done.copied == sum(tensors[n].numel() for n in known)


def test_transformers(tmp_path):
    tensors = transformers()
    names = sorted(tensors)
    save_file({n: tensors[n] for n in names[::2]}, str(tmp_path / "model-00001.safetensors"))
    save_file({n: tensors[n] for n in names[1::2]}, str(tmp_path / "model-00002.safetensors"))
    model = former(replace(TINY, cross_every=2))
    done = blip2.start(model, tmp_path)
    assert torch.equal(model.norm.weight, tensors["qformer.layernorm.weight"])
    assert torch.equal(model.contrast["caption"].weight, tensors["text_projection.weight"])
    assert torch.equal(model.blocks[1].attention.value.weight,
                       tensors["qformer.encoder.layer.1.attention.attention.value.weight"])
    assert {"temperature", "head.bias", "head.transform.weight"} < set(done.unfilled)
    assert not any(n.startswith(("blocks.0.visual", "blocks.1.text")) for n in done.unfilled)


def test_what_is_refused(tmp_path):
    def says(message: str, tensors: dict, model=None):
        torch.save({"model": tensors}, tmp_path / "file.pth")
        model = model or former()
        before = [p.clone() for p in model.parameters()]
        with pytest.raises(CheckpointError, match=message):
            blip2.start(model, tmp_path / "file.pth")
        assert all(map(torch.equal, before, model.parameters()))

    says("got 1: opt_proj.weight", {**lavis(), "opt_proj.weight": torch.ones(2)})
    says("no query_tokens", {n: t for n, t in lavis().items() if n != "query_tokens"})
    wide = {**lavis(), "Qformer.bert.encoder.layer.0.crossattention.self.key.weight": torch.ones(D, 9)}
    says(r"another shape.*visual.key.weight \(16, 9\), expected \(16, 6\).*only a checkpoint with ViT-L", wide)
    says("another shape.*places.weight", lavis(places=13))
    says("a Q-Former of 1 blocks", lavis(), former(replace(TINY, depth=1)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no weights in the folder"):
        blip2.start(former(), tmp_path / "empty")
    (tmp_path / "empty" / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="cannot read the file of weights"):
        blip2.start(former(), tmp_path / "empty")
