"""LLaVA in its own repository's layout, on tiny sizes: the same numbers in transformers' class say the same."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import save_file

import loupe
from loupe import cli
from loupe.errors import CheckpointError
from loupe.importers import importer
from loupe.models.checkpoint import load
from tests.parity.test_pink_parts import llama_tokenizer

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}


def own_names(theirs) -> dict[str, torch.Tensor]:
    """The weights of transformers' class under the names of LLaVA's repository, tower and all."""
    inner, out = theirs.model, {"lm_head.weight": theirs.lm_head.weight}
    out |= {f"model.{name}": t for name, t in inner.language_model.state_dict().items()}
    out |= {f"model.vision_tower.vision_tower.vision_model.{name}": t
            for name, t in inner.vision_tower.state_dict().items()}
    out |= {f"model.mm_projector.{name.replace('linear_1', '0').replace('linear_2', '2')}": t
            for name, t in inner.multi_modal_projector.state_dict().items()}
    return {name: t.detach().clone() for name, t in out.items()}


def write(folder, tensors, tokenizer, tower, safe=False, **settings):
    """Two shards, config.json and tokenizer, as the repository saves them."""
    folder.mkdir(exist_ok=True)
    names = sorted(tensors)
    for k, part in enumerate((names[::2], names[1::2]), 1):
        some = {name: tensors[name] for name in part}
        if safe:
            save_file(some, folder / f"model-0000{k}-of-00002.safetensors")
        else:
            torch.save(some, folder / f"pytorch_model-0000{k}-of-00002.bin")
    config = {**SMALL, "model_type": "llava", "architectures": ["LlavaLlamaForCausalLM"], "num_key_value_heads": 4,
              "vocab_size": len(tokenizer), "mm_vision_tower": str(tower), "mm_projector_type": "mlp2x_gelu",
              "mm_hidden_size": 32, "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch",
              "mm_use_im_start_end": False, "mm_use_im_patch_token": False, "image_aspect_ratio": "pad",
              "freeze_mm_mlp_adapter": False, "use_mm_proj": True, "tune_mm_mlp_adapter": False, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """(folder of the tower, tokenizer, transformers' model)"""
    root = tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    tokenizer = llama_tokenizer()
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**SMALL, image_size=28, patch_size=14),
        text_config=transformers.LlamaConfig(**SMALL, vocab_size=len(tokenizer), num_key_value_heads=4),
        image_token_index=len(tokenizer) - 1, image_seq_length=4)
    theirs = transformers.LlavaForConditionalGeneration(config).eval()
    theirs.model.vision_tower.save_pretrained(root / "tower")
    return root / "tower", tokenizer, theirs


@torch.no_grad()
def same(model, theirs) -> None:
    """Logits behind a picture's four tokens, image and text in one sequence."""
    pixels = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    mark = theirs.config.image_token_id
    ids = torch.tensor([[1, *[mark] * 4, 300, 301, 302]])
    expected = theirs(input_ids=ids, pixel_values=pixels).logits
    embedded = model.embed(ids).clone()
    embedded[:, 1:5] = model.see(pixels)
    mask = torch.ones(8, 8).tril().bool().expand(1, 1, 8, 8)
    got = model.logits(model.hidden(embedded, mask, torch.arange(8)[None]))
    assert torch.allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["llava", "llava_llama"])
@pytest.mark.parametrize("safe", [False, True])
def test_it_says_the_same(released, tmp_path, safe, kind):
    tower, tokenizer, theirs = released
    tensors = {n: t for n, t in own_names(theirs).items() if "vision_tower" not in n}
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    folder = write(tmp_path / "llava-v1.5-tiny", tensors, tokenizer, tower, safe, model_type=kind)
    done = importer("llava")().write(folder, tmp_path / "out", dtype="float32")
    model = load(done.folder)
    same(model, theirs)
    assert model.spec.vision.checkpoint == str(tower) and not (tmp_path / "out/vision").exists()
    assert model.spec.vision.frame == "pad-mean" and model.spec.codec == "llava" and done.copied == 4
    assert model.encoder.tokenizer("the red cup")["input_ids"] == tokenizer("the red cup")["input_ids"]


def test_a_tuned_tower_is_taken_from_the_file(released, tmp_path):
    tower, tokenizer, theirs = released
    other = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**SMALL, image_size=28, patch_size=14))
    other.save_pretrained(tmp_path / "began")
    folder = write(tmp_path / "tuned", own_names(theirs), tokenizer, tmp_path / "began")
    done = importer("llava")().write(folder, tmp_path / "out", dtype="float32")
    same(load(done.folder), theirs)


def test_a_lora_is_merged_into_what_it_began_from(released, tmp_path, capsys):
    from peft import LoraConfig, get_peft_model

    tower, tokenizer, theirs = released
    base = transformers.LlamaForCausalLM(theirs.config.text_config)
    base.model.load_state_dict(theirs.model.language_model.state_dict())
    base.lm_head.load_state_dict(theirs.lm_head.state_dict())
    base.save_pretrained(tmp_path / "vicuna")
    tokenizer.save_pretrained(tmp_path / "vicuna")
    tuned = get_peft_model(base, LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"],
                                            init_lora_weights=False, task_type="CAUSAL_LM"))
    folder = tmp_path / "llava-lora"
    write(folder, {}, tokenizer, tower)
    for shard in folder.glob("*.bin"):
        shard.unlink()
    tuned.save_pretrained(folder)
    rest = {n: t for n, t in own_names(theirs).items() if "mm_projector" in n}
    torch.save({f"base_model.model.{n}": t for n, t in rest.items()}, folder / "non_lora_trainables.bin")
    assert cli.main(["import", "llava", str(folder), "--out", str(tmp_path / "no")]) == 2
    assert "give the release it began from as --language" in capsys.readouterr().err
    done = importer("llava")(language=str(tmp_path / "vicuna")).write(folder, tmp_path / "out", dtype="float32")
    merged = tuned.merge_and_unload()
    expected = transformers.LlavaForConditionalGeneration(theirs.config).eval()
    expected.load_state_dict(theirs.state_dict())
    expected.model.language_model.load_state_dict(merged.model.state_dict())
    assert not torch.equal(expected.model.language_model.layers[0].mlp.down_proj.weight,
                           theirs.model.language_model.layers[0].mlp.down_proj.weight)
    same(load(done.folder), expected)


def test_offline_the_tower_is_given(released, tmp_path, capsys):
    tower, tokenizer, theirs = released
    tensors = {n: t for n, t in own_names(theirs).items() if "vision_tower" not in n}
    folder = write(tmp_path / "own", tensors, tokenizer, tmp_path / "clip-that-is-not-here")
    argv = ["import", "llava", str(folder), "--dtype", "float32", "--out", str(tmp_path / "out")]
    assert cli.main(argv) == 2
    said = capsys.readouterr().err
    assert "the tower is not there: got" in said and "clip-that-is-not-here" in said and "--vision" in said
    assert not (tmp_path / "out").exists()
    assert cli.main([*argv, "--vision", str(tower)]) == 0
    same(load(tmp_path / "out/model"), theirs)
    with pytest.raises(CheckpointError, match="LLaVA in its own repository's layout.*loupe import llava"):
        loupe.load(folder)


@pytest.mark.parametrize("settings, said", [
    ({"mm_use_im_start_end": True}, "pictures stand between tokens of their own: got mm_use_im_start_end True"),
    ({"mm_projector_type": "mlp3x_gelu"}, "another bridge: got mm_projector_type mlp3x_gelu"),
    ({"image_aspect_ratio": "anyres"}, "cut into tiles"),
    ({"architectures": ["LlavaMistralForCausalLM"]}, "another language model: got LlavaMistralForCausalLM")])
def test_what_is_not_known_is_refused(released, tmp_path, settings, said):
    tower, tokenizer, theirs = released
    folder = write(tmp_path / "own", own_names(theirs), tokenizer, tower, **settings)
    with pytest.raises(CheckpointError, match=said):
        importer("llava")().write(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit(released, tmp_path):
    tower, tokenizer, theirs = released
    tensors = {n: t for n, t in own_names(theirs).items() if "vision_tower" not in n}
    lacking = {n: t for n, t in tensors.items() if "layers.1.mlp" not in n} | {"model.layers.9.odd": torch.ones(2)}
    folder = write(tmp_path / "own", lacking, tokenizer, tower)
    with pytest.raises(CheckpointError, match=r"language model has other weights.*missing 3: .*foreign 1: "):
        importer("llava")().write(folder, tmp_path / "out")
    for shard in folder.glob("*.bin"):
        shard.unlink()
    with pytest.raises(CheckpointError, match="no weights in the folder"):
        importer("llava")().write(folder, tmp_path / "out")
    shutil.rmtree(folder)
    folder = write(tmp_path / "own", {n: t for n, t in tensors.items() if "projector.2" not in n}, tokenizer, tower)
    with pytest.raises(CheckpointError, match="weights are missing from the file"):
        importer("llava")().write(folder, tmp_path / "out", dtype="float32")
