"""A LLaVA of transformers taken apart, on tiny sizes: what it sees and says stays the same."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file

from loupe import cli
from loupe.errors import CheckpointError
from loupe.importers import importer
from loupe.models.checkpoint import load
from tests.parity.test_pink_parts import llama_tokenizer

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}


def release(folder, **settings):
    torch.manual_seed(0)
    tokenizer = llama_tokenizer()
    tokenizer.add_tokens(["<image>"])
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**SMALL, image_size=28, patch_size=14),
        text_config=transformers.LlamaConfig(**SMALL, vocab_size=len(tokenizer), num_key_value_heads=4),
        image_token_index=len(tokenizer) - 1, image_seq_length=4, **settings)
    model = transformers.LlavaForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, model


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return release(tmp_path_factory.mktemp("llava"))


@pytest.mark.parametrize("layer", [-2, [-2, 1]])
@torch.no_grad()
def test_it_sees_and_says_the_same(layer, tmp_path):
    folder, theirs = release(tmp_path / "llava", vision_feature_layer=layer)
    done = importer("llava")().write(folder, tmp_path / "out", dtype="float32")
    model = load(done.folder)
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    seen = theirs.get_image_features(pixels)
    seen = seen if isinstance(seen, (list, tuple)) else getattr(seen, "pooler_output", seen)
    assert torch.allclose(model.see(pixels), torch.stack(list(seen)).view(2, 4, 32), atol=1e-5)
    ids = torch.randint(3, 300, (2, 7))
    mask = torch.ones(7, 7).tril().bool().expand(2, 1, 7, 7)
    got = model.logits(model.hidden(model.embed(ids), mask, torch.arange(7)[None]))
    assert torch.allclose(got, theirs(input_ids=ids).logits, atol=1e-4)
    assert model.spec.vision.frame == "pad-mean" and model.spec.codec == "llava" and done.copied == 4


def test_what_is_refused(released, tmp_path, capsys):
    folder, _ = released
    assert cli.main(["import", "llava", str(folder), "--out", str(tmp_path / "out"), "--dtype", "float32"]) == 0
    assert "4 tokens a picture" in capsys.readouterr().out
    assert cli.main(["import", "llava", str(folder), "--vision", "x", "--out", str(tmp_path / "out")]) == 2
    assert "a LLaVA in transformers' layout is whole: got --vision" in capsys.readouterr().err
    assert cli.main(["import", "pink", str(folder), "--vision", "x", "--out", str(tmp_path / "out")]) == 2
    assert "no --language" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="no LLaVA"):
        importer("llava")().write(tmp_path / "out/language", tmp_path / "other")
    with pytest.raises(CheckpointError, match="cannot load"):
        importer("llava")().write(tmp_path / "nowhere", tmp_path / "other")


def test_weights_are_written_as_they_were(released, tmp_path):
    """In float16, as they are released: bfloat16 would cut three bits off each."""
    folder, theirs = released
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    copy.deepcopy(theirs).half().save_pretrained(half)
    importer("llava")().write(half, tmp_path / "out")
    written = load_file(tmp_path / "out/language/model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(written[name], theirs.model.language_model.layers[0].self_attn.q_proj.weight.half())
    assert {t.dtype for t in load_file(tmp_path / "out/vision/model.safetensors").values()} == {torch.float16}
