"""Pink's released file, written here in small: adapters, marks, and the release's own forward pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from loupe import cli
from loupe.errors import CheckpointError
from loupe.importers import importer
from loupe.importers.pink import MARKS, PATCH
from loupe.models.checkpoint import load
from loupe.models.rows import AddedEmbedding
from tests.parity.test_pink_parts import llama_tokenizer

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
HIDDEN = 4


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> dict:
    """clip/, llama/, release/{saved_parameters.pth, config.json}, and the modules behind them."""
    folder = tmp_path_factory.mktemp("released")
    torch.manual_seed(0)
    vision = {**SMALL, "image_size": 28, "patch_size": 14}
    text = {**SMALL, "vocab_size": 64, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2}
    clip = transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text)).eval()
    clip.save_pretrained(folder / "clip")
    tokenizer = llama_tokenizer()
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **SMALL, vocab_size=len(tokenizer), num_key_value_heads=4)).eval()
    llama.save_pretrained(folder / "llama")
    tokenizer.save_pretrained(folder / "llama")
    tensors = {f"mm_projector.{n}": p.detach() for n, p in torch.nn.Linear(32, 32).named_parameters()}
    places = [f"model.layers.{k}" for k in range(3)]
    places += [f"vision_model.vision_model.encoder.layers.{k}" for k in range(2)]  # none behind the tapped layer
    for place in places:
        for side, shape in (("a", (HIDDEN, 32)), ("b", (32, HIDDEN))):
            tensors[f"{place}.adapter_attn.tune_adapter_{side}.weight"] = 0.3 * torch.randn(shape)
            tensors[f"{place}.adapter_attn.tune_adapter_{side}.bias"] = 0.3 * torch.randn(shape[0])
    fresh = torch.randn(2, 1 + len(MARKS), 32)
    tensors["model.embed_tokens.weight"] = torch.cat([llama.get_input_embeddings().weight.detach(), fresh[0]])
    tensors["lm_head.weight"] = torch.cat([llama.get_output_embeddings().weight.detach(), fresh[1]])
    (folder / "release").mkdir()
    torch.save(tensors, folder / "release/saved_parameters.pth")
    settings = {"adapter_non_linear": False, "adapter_llm_dropout": 0.1, "clip_select_layer": -2, "crop_size": 28}
    (folder / "release/config.json").write_text(json.dumps(settings))
    return {"folder": folder, "tensors": tensors, "llama": llama, "clip": clip, "fresh": fresh}


def adapt(tensors: dict, place: str, x: torch.Tensor) -> torch.Tensor:
    """What the release puts between a layer's first norm and its attention."""
    start = f"{place}.adapter_attn.tune_adapter"
    a, b = ([tensors[f"{start}_{side}.{kind}"] for kind in ("weight", "bias")] for side in "ab")
    return torch.nn.functional.linear(torch.nn.functional.linear(x, *a), *b) + x


@torch.no_grad()
def test_it_says_what_the_release_says(released, tmp_path):
    folder, tensors = released["folder"], released["tensors"]
    done = importer("pink")(str(folder / "clip"), str(folder / "llama")).write(folder / "release", tmp_path, "float32")
    model = load(done.folder)
    for k, layer in enumerate(released["llama"].model.layers):
        layer.input_layernorm.register_forward_hook(
            lambda m, args, y, k=k: adapt(tensors, f"model.layers.{k}", y))
    tower = released["clip"].vision_model
    for k, layer in enumerate(tower.encoder.layers[:2]):
        layer.layer_norm1.register_forward_hook(
            lambda m, args, y, k=k: adapt(tensors, f"vision_model.vision_model.encoder.layers.{k}", y))
    pixels = torch.randn(2, 3, 28, 28)
    seen = tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
    seen = torch.nn.functional.linear(seen, tensors["mm_projector.weight"], tensors["mm_projector.bias"])
    assert torch.allclose(model.see(pixels), seen, atol=1e-5)
    ids = torch.randint(3, 300, (2, 7))
    mask = torch.ones(7, 7).tril().bool().expand(2, 1, 7, 7)
    got = model.logits(model.hidden(model.embed(ids), mask, torch.arange(7)[None]))[..., :300]
    assert torch.allclose(got, released["llama"](ids).logits[..., :300], atol=1e-4)
    embedding, tokenizer = model.language.get_input_embeddings(), model.encoder.tokenizer
    assert isinstance(embedding, AddedEmbedding) and len(embedding.rows) == len(MARKS)
    for k, mark in enumerate(MARKS):  # the release's first added row is <im_patch>, which no word stands for here
        row = tokenizer.convert_tokens_to_ids(mark) - embedding.start
        assert torch.equal(embedding.rows[row], released["fresh"][0, 1 + k])
        assert torch.equal(model.language.get_output_embeddings().rows[row], released["fresh"][1, 1 + k])
    assert model.spec.codec == "pink" and model.structure["vision"][0].tapped_only and PATCH not in MARKS
    assert done.copied == len(tensors) and done.left_out == ()


@torch.no_grad()
def test_own_rows_that_were_tuned_are_kept(released, tmp_path):
    folder, tensors = released["folder"], dict(released["tensors"])
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"] + 1
    torch.save(tensors, tmp_path / "all.pth")
    done = importer("pink")(str(folder / "clip"), str(folder / "llama"), size=28).write(tmp_path / "all.pth", tmp_path)
    assert any("input rows differ" in note for note in done.notes)
    own = load(done.folder).language.get_input_embeddings().base.weight
    assert torch.equal(own, tensors["model.embed_tokens.weight"][:len(own)])


def test_the_command_and_what_it_refuses(released, tmp_path, capsys):
    folder, tensors = released["folder"], released["tensors"]
    parts = ["--vision", str(folder / "clip"), "--language", str(folder / "llama"), "--out", str(tmp_path / "out")]
    assert cli.main(["import", "pink", str(folder / "release"), *parts]) == 0
    said = capsys.readouterr().out
    assert "language: adapters of 4" in said and str(tmp_path / "out/model") in said
    for broken, says in (
            ({"model.layers.0.adapter_mlp.tune_adapter_a.weight": torch.ones(4, 32)}, "does not know: got 1"),
            ({"model.embed_tokens.weight": torch.ones(450, 32)}, "cannot tell which tokens were added"),
            ({"mm_projector.bias": torch.ones(9)}, "another shape"),
            ({"settings": Path("anything but weights")}, "holds more than weights")):
        torch.save({**tensors, **broken}, tmp_path / "broken.pth")
        assert cli.main(["import", "pink", str(tmp_path / "broken.pth"), "--size", "28", *parts]) == 2
        assert says in capsys.readouterr().err
    short = {n: t for n, t in tensors.items() if "layers.1" not in n}
    torch.save(short, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match="missing from the file"):
        importer("pink")(str(folder / "clip"), str(folder / "llama"), size=28).write(tmp_path / "short.pth", tmp_path)
    assert cli.main(["import", "pink", str(folder / "release"), "--form", "pae", *parts]) == 2
    assert "no such choice" in capsys.readouterr().err
    assert cli.main(["import", "pnik", "x", *parts]) == 2 and "did you mean 'pink'" in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"adapter_mlp": true}')
    torch.save(tensors, tmp_path / "mlp.pth")
    assert cli.main(["import", "pink", str(tmp_path / "mlp.pth"), *parts]) == 2
    assert "feed-forward" in capsys.readouterr().err
