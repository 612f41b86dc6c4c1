"""What the package carries stands by its name everywhere, and what is wrong with it is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

import loupe
from loupe import shipped, world
from loupe.errors import CheckpointError, ConfigError
from loupe.models import checkpoint
from loupe.models.assembly import build, count, load_tokenizer
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import train_tokenizer
from loupe.models.tuner import Frozen, Full, Tune, apply
from loupe.training.run import train

NAMED = ModelSpec(VisionSpec("loupe/tower", layer=-1, size=96), BridgeSpec(position=True),
                  LanguageSpec("loupe/language", max_length=512), "xy", "mini")


@pytest.fixture
def spoilt(standin_parts, tmp_path, monkeypatch):
    """A copy of the stand-ins that a test may spoil."""
    place = shutil.copytree(standin_parts, tmp_path / "miniature")
    monkeypatch.setattr(shipped, "home", lambda: place)
    return place


def test_names_lead_to_folders(carried):
    assert shipped.folder("loupe/tower") == carried / "tower" and shipped.folder("mini") == carried / "mini"
    with pytest.raises(ConfigError, match="did you mean 'loupe/tower'"):
        shipped.folder("loupe/towr")
    with pytest.raises(ConfigError, match="unknown part of the package.*loupe/towr"):
        build(replace(NAMED, vision=VisionSpec("loupe/towr")))
    assert shipped.is_shipped("loupe/other") and not shipped.is_shipped("openai/clip") and not shipped.is_shipped(None)


def test_an_installation_without_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "home", lambda: tmp_path)
    for call in (lambda: build(NAMED), lambda: loupe.load("mini")):
        with pytest.raises(CheckpointError, match="carries no weights of .*parts none.*install the whole wheel"):
            call()


def test_a_spec_may_name_parts(carried):
    model = build(NAMED)
    assert {part: base["id"] for part, base in model.bases.items()} == {
        "vision": "loupe/tower", "language": "loupe/language"}
    assert all(p.dtype == torch.float32 for p in model.parameters())
    rows = sum(p.numel() for n, p in model.named_parameters() if n.endswith(".rows"))
    assert rows == 0 and count(NAMED, Tune())["tokens"].total == 0  # its tokenizer knows every mark
    assert count(NAMED, Tune())["vision"].total == sum(p.numel() for p in model.vision.parameters())


@torch.no_grad()
def test_checkpoints_keep_the_name(carried, tmp_path):
    """What was trained whole needs no base again; a frozen part is read from the package and checked by its hash."""
    model = build(NAMED)
    apply(model, Tune(vision=Frozen(), bridge=Full(), language=Full()))
    for parameter in model.language.parameters():
        parameter.add_(0.01)
    checkpoint.save(model, tmp_path / "model")
    text = (tmp_path / "model/manifest.json").read_text()
    manifest = json.loads(text)
    assert str(carried) not in text and list(manifest["bases"]) == ["vision"]
    assert manifest["origins"]["language"]["id"] == "loupe/language" and list(manifest["configs"]) == ["language"]
    again = checkpoint.load(tmp_path / "model")
    assert again.spec == NAMED
    for (name, a), (other, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other and torch.equal(a, b), name


@torch.no_grad()
def test_a_changed_part_is_noticed(spoilt, tmp_path):
    model = build(NAMED)
    apply(model, Tune(vision=Frozen(), bridge=Full(), language=Full()))
    checkpoint.save(model, tmp_path / "model")
    shutil.rmtree(spoilt / "language")  # not needed any more
    checkpoint.load(tmp_path / "model")
    model.vision.model.post_layernorm.weight.add_(1.0)
    model.vision.model.save_pretrained(spoilt / "tower")
    with pytest.raises(CheckpointError, match="vision base is not the one.* of loupe/tower.*; use the loupe"):
        checkpoint.load(tmp_path / "model")


def test_recipes_keep_the_name(carried, tmp_path):
    """A run from shipped parts: recipe.json and manifest.json say names, and the run goes on elsewhere."""
    from loupe.recipes import recipe

    world.write(tmp_path / "data", 4, seed=3, val=4)
    talk = recipe("mini-start").stages[1]
    chosen = replace(recipe("mini-start"), model=NAMED, stages=(replace(talk, steps=2, batch=8, precision="float32"),))
    run = train(chosen, tmp_path / "run", tmp_path / "data")
    said = (run.folder / "recipe.json").read_text() + (run.model / "manifest.json").read_text()
    assert "loupe/tower" in said and str(carried) not in said
    assert not (run.folder / "tokenizer").exists()
    (run.folder / "model").rename(tmp_path / "elsewhere")
    assert loupe.load(tmp_path / "elsewhere").vlm.spec == NAMED


@pytest.mark.parametrize("part,name", [("tower", "vision"), ("language", "language")])
def test_a_torn_file_is_named(spoilt, part, name):
    path = spoilt / part / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=f"cannot load model.{name} from 'loupe/{part}'.*{part}/model.safetensors"
                                              "; install loupe again"):
        build(NAMED)


def test_a_torn_miniature_is_named(spoilt):
    path = spoilt / "mini/model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="weights are damaged.*mini/model.safetensors; install loupe again"):
        loupe.load("mini")


def test_a_foreign_tokenizer_is_refused(spoilt):
    same_size = train_tokenizer(["other words of another people"], 900, load_tokenizer(spoilt / "language")
                                .convert_ids_to_tokens(range(1, 500)))
    same_size.save_pretrained(spoilt / "language")
    with pytest.raises(CheckpointError, match="not the one this language model was trained with.*language; put"):
        build(NAMED)
    larger = train_tokenizer([f"word{k}" for k in range(3000)], 3000)
    larger.save_pretrained(spoilt / "language")
    with pytest.raises(CheckpointError, match="does not belong to this language model.*entries, expected at most its"):
        build(NAMED)
    larger.save_pretrained(spoilt / "mini/tokenizer")
    with pytest.raises(CheckpointError, match="tokenizer is not the one this model was trained with.*mini/tokenizer"):
        loupe.load("mini")
