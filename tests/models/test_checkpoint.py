"""What is saved comes back the same, and what does not fit is refused in one clear line."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_parts import CLIP, LLAMA, QWEN3, PlainCodec

from loupe.errors import CheckpointError, CodecError, FileError
from loupe.models import assembly
from loupe.models.assembly import build
from loupe.models.batch import pack
from loupe.models.checkpoint import load, save
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Adapter, Frozen, Full, LoRA, apply


@pytest.fixture(autouse=True)
def plain_names(monkeypatch, words):
    monkeypatch.setattr(assembly, "codec_named", lambda name: PlainCodec(name))
    monkeypatch.setattr(assembly, "dialogue_named", lambda name: words)


SPEC = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(position=True), LanguageSpec(config=QWEN3), "plain",
                 "plain")


def shaken(model):
    """The same model with every trainable number moved."""
    torch.manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.02 * torch.randn_like(p))
    return model.eval()


@pytest.mark.parametrize("tune", [
    {"vision": Full(), "language": Full()},
    {"vision": Adapter(4, bias=True, tapped_only=True), "language": Adapter(2, "gelu")},
    {"vision": LoRA(2, 4.0), "language": LoRA(3, 6.0, r".*\.(q_proj|down_proj)")},
], ids=["full", "adapters", "lora"])
@torch.no_grad()
def test_saved_and_loaded_models_agree(tmp_path, tokenizer, groups, tune):
    model = build(SPEC, seed=2, tokenizer=tokenizer)
    apply(model, tune)
    shaken(model)
    save(model, tmp_path / "m", extra={"note": 1})
    again = load(tmp_path / "m")
    assert again.structure == model.structure and again.spec == SPEC
    batch = pack(groups, model.encoder)
    assert torch.equal(again.losses(pack(groups, again.encoder)), model.losses(batch))
    save(model, tmp_path / "m", half=True)  # replaces
    assert load_file(tmp_path / "m/model.safetensors")["bridge.project.weight"].dtype == torch.float16
    assert torch.allclose(load(tmp_path / "m").losses(batch), model.losses(batch), atol=2e-2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


@pytest.fixture()
def saved(tmp_path, tokenizer):
    return save(build(SPEC, seed=2, tokenizer=tokenizer), tmp_path / "m")


def test_foreign_folders_are_refused(saved, tmp_path):
    with pytest.raises(CheckpointError, match="not a loupe checkpoint: got no such folder"):
        load(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="a folder with config.json"):
        load(tmp_path / "other")
    (tmp_path / "other/manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="loupe_format"):
        load(tmp_path / "other")
    changed = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(changed | {"loupe_format": 99}))
    with pytest.raises(CheckpointError, match="got 99, expected 1"):
        load(saved)


def test_another_codec_is_refused(saved, monkeypatch):
    with pytest.raises(CodecError, match="got 'pink', expected 'plain'"):
        load(saved, codec="pink")
    monkeypatch.setattr(assembly, "codec_named", lambda name: PlainCodec(name, tokens=("<new>",)))
    with pytest.raises(CheckpointError, match="codec 'plain' is not the one.*tokens"):
        load(saved)


def test_tensors_must_fit(saved):
    tensors = load_file(saved / "model.safetensors")
    name = "bridge.project.weight"
    bad = {"missing": {k: v for k, v in tensors.items() if k != name}, "unexpected": tensors | {"x": torch.zeros(1)},
           "wrong shape": tensors | {name: tensors[name][:, :4].contiguous()}}
    for word, content in bad.items():
        save_file(content, saved / "model.safetensors")
        with pytest.raises(CheckpointError, match=word):
            load(saved)
    (saved / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="damaged"):
        load(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        load(saved)


def test_a_full_disk_loses_nothing(saved, tokenizer, monkeypatch):
    before = (saved / "model.safetensors").read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(FileError, match="disk is full"):
        save(build(SPEC, seed=9, tokenizer=tokenizer), saved)
    assert (saved / "model.safetensors").read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["m"]


def test_other_folders_are_not_replaced(tmp_path, tokenizer):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileError, match="will not replace"):
        save(build(SPEC, tokenizer=tokenizer), tmp_path)


@torch.no_grad()
def test_only_what_differs_from_the_base_is_stored(tmp_path, tokenizer, groups):
    whole = build(replace(SPEC, language=LanguageSpec(config=LLAMA)), tokenizer=tokenizer)
    whole.vision.model.save_pretrained(tmp_path / "clip")
    whole.language.save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    spec = ModelSpec(VisionSpec(str(tmp_path / "clip"), size=24), BridgeSpec(), LanguageSpec(str(tmp_path / "llama")),
                     "plain", "plain")
    model = build(spec)
    apply(model, {"vision": Adapter(), "language": LoRA(2), "tokens": "rows"})
    shaken(model)
    save(model, tmp_path / "m")
    names = load_file(tmp_path / "m/model.safetensors").keys()
    assert all(".adapter." in n or ".lora_" in n or n.startswith("bridge.") for n in names)
    assert len(names) == 3 * 2 + 2 * 2 * 2 + 2
    batch = pack(groups, model.encoder)
    assert torch.equal(load(tmp_path / "m").losses(batch), model.losses(batch))

    (tmp_path / "clip").rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match="cannot load model.vision.*no such folder"):
        load(tmp_path / "m")
    again = load(tmp_path / "m", bases={"vision": str(tmp_path / "moved")})
    assert torch.equal(again.losses(batch), model.losses(batch))
    whole.vision.model.pre_layrnorm.weight.mul_(1.5)
    whole.vision.model.save_pretrained(tmp_path / "clip")
    with pytest.raises(CheckpointError, match="vision base is not the one.*weights"):
        load(tmp_path / "m")


def test_frozen_after_adapters_keeps_them(tokenizer):
    model = build(SPEC, tokenizer=tokenizer)
    first = apply(model, {"vision": Frozen(), "bridge": Full(), "language": Frozen(), "tokens": "frozen"})
    assert {n.split(".")[0] for n in first} == {"bridge"}
    second = apply(model, {"vision": Adapter(), "language": Adapter(), "tokens": "frozen"})
    assert apply(model, {"vision": Adapter(), "language": Adapter(), "tokens": "frozen"}) == second
    assert sum(".adapter." in n for n in second) == 2 * 3 + 2 * 2
    third = apply(model, {"vision": Frozen(), "language": Frozen(), "tokens": "frozen"})
    assert third == first and sum(".adapter." in n for n, _ in model.named_parameters()) == 10
