"""A model whose every weight is stored is loaded without random weights and without its base's, and is the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tiny_parts import CLIP, LLAMA, QWEN3, WORDS, ask, picture

from loupe.errors import CheckpointError
from loupe.models.assembly import build
from loupe.models.batch import pack
from loupe.models.checkpoint import load, save
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import place_level, train_tokenizer
from loupe.models.tuner import Adapter, Full, LoRA, apply
from loupe.models.unfilled import unfilled

SMALL = {k: v for k, v in CLIP.items() if k not in ("model_type", "projection_dim")}
TOWERS = {kind: {"model_type": kind, **SMALL}
          for kind in ("clip_vision_model", "siglip_vision_model", "vit", "blip_2_vision_model", "dinov2")}
LANGUAGES = {
    "llama": LLAMA, "qwen3": QWEN3, "mistral": {**LLAMA, "model_type": "mistral", "sliding_window": 64},
    "gemma3_text": {**LLAMA, "model_type": "gemma3_text", "head_dim": 8, "sliding_window": 64,
                    "layer_types": ["sliding_attention", "full_attention"]},
    "qwen2": {**LLAMA, "model_type": "qwen2", "use_sliding_window": False},
    "granite": {**LLAMA, "model_type": "granite", "logits_scaling": 8.0, "embedding_multiplier": 3.0},
    "cohere": {**LLAMA, "model_type": "cohere", "logit_scale": 0.0625, "tie_word_embeddings": True},
    "phi3": {**LLAMA, "model_type": "phi3", "pad_token_id": 0},
    "llama, stretched": {**LLAMA, "rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0,
                                                      "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                                      "original_max_position_embeddings": 64}},
}
SPEC = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(), LanguageSpec(config=LLAMA, max_length=96), "pink",
                 "pink")
EVERYTHING = {"vision": Full(), "language": Full()}


@pytest.fixture
def unset():
    """Memory nobody has written to holds NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def no_chance(monkeypatch):
    """Whoever draws random weights for a model of transformers fails."""
    from transformers.initialization import TORCH_INIT_FUNCTIONS

    for name in ("normal_", "uniform_", "trunc_normal_", "xavier_uniform_", "kaiming_normal_"):
        monkeypatch.setitem(TORCH_INIT_FUNCTIONS, name, lambda *_, **__: pytest.fail("random weights"))


def tokens():
    return train_tokenizer(WORDS * 3, 320, ["<s>", "</s>"])


def tuned(spec: ModelSpec, tune=EVERYTHING, tokenizer=None):
    """With every number that trains moved."""
    model = build(spec, seed=2, tokenizer=tokenizer)
    apply(model, tune)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return model.eval()


@torch.no_grad()
def same(one, other) -> None:
    """Numbers, buffers that stand in no file, what is tied, losses."""
    for kind in ("named_parameters", "named_buffers"):
        mine, theirs = (dict(getattr(model, kind)()) for model in (one, other))
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            assert torch.equal(value, theirs[name]) and value.dtype == theirs[name].dtype, name
    assert one.structure == other.structure and one.bases == other.bases
    sample = ask([picture(1)] if one.vision is not None else [], "where is the red cup?", "[0.1,0.2,0.3,0.4]")
    batches = [pack([[sample]], model.encoder) for model in (one, other)]
    assert torch.equal(one.losses(batches[0]), other.losses(batches[1]))


@pytest.mark.parametrize("kind", TOWERS)
def test_towers_of_each_class(tmp_path, kind, unset, request):
    model = tuned(replace(SPEC, vision=VisionSpec(config=TOWERS[kind], size=24)), tokenizer=tokens())
    save(model, tmp_path / "m")
    request.getfixturevalue("no_chance")
    same(load(tmp_path / "m"), model)


@pytest.mark.parametrize("kind", LANGUAGES)
def test_language_models_of_each_class(tmp_path, kind, unset, request):
    spec = replace(SPEC, bridge=BridgeSpec("none"), language=LanguageSpec(config=LANGUAGES[kind], max_length=64))
    model = tuned(spec, {"language": Full()}, tokens())
    save(model, tmp_path / "m")
    request.getfixturevalue("no_chance")
    same(load(tmp_path / "m"), model)


@pytest.fixture
def bases(tmp_path):
    """A tower and a language model as others publish them."""
    whole = build(SPEC, seed=4, tokenizer=tokens())
    whole.vision.model.save_pretrained(tmp_path / "clip")
    whole.language.save_pretrained(tmp_path / "llama")
    whole.encoder.tokenizer.save_pretrained(str(tmp_path / "llama"))
    return replace(SPEC, vision=VisionSpec(str(tmp_path / "clip"), size=24), dialogue="pink-llama-2",
                   bridge=BridgeSpec(position=True), language=LanguageSpec(str(tmp_path / "llama"), max_length=96))


@pytest.mark.parametrize("codec", ["pink", "xy"])
@pytest.mark.parametrize("tune", [EVERYTHING, {"vision": LoRA(2), "language": LoRA(2)}], ids=["tuned", "beside LoRA"])
def test_weights_of_a_base_that_is_overwritten_are_not_read(tmp_path, bases, tune, codec, unset, request):
    """New tokens keep the base: its config and tokenizer are read. Its weights may be gone."""
    model = tuned(replace(bases, codec=codec), tune)
    if tune is not EVERYTHING:
        apply(model, EVERYTHING)
    save(model, tmp_path / "m")
    assert isinstance(model.language.get_input_embeddings(), AddedEmbedding)
    assert "language" in json.loads((tmp_path / "m/manifest.json").read_text())["bases"]
    level = place_level(model.language)
    for weights in tmp_path.glob("[cl]l*/model.safetensors"):
        weights.unlink()
    request.getfixturevalue("no_chance")
    again = load(tmp_path / "m")
    model.bases.pop("vision")  # of a tower that is stored whole nothing else is told, as before
    same(again, model)
    assert place_level(again.language) == pytest.approx(level)
    small = load(tmp_path / "m", dtype="bfloat16")
    buffers = dict(model.named_buffers())
    assert all(torch.equal(b, buffers[name]) for name, b in small.named_buffers())
    assert {p.dtype for p in small.parameters()} == {torch.bfloat16}
    save(again, tmp_path / "n")
    assert (tmp_path / "n/model.safetensors").read_bytes() == (tmp_path / "m/model.safetensors").read_bytes()


def test_a_base_of_another_shape_is_still_refused(tmp_path, bases):
    save(tuned(bases), tmp_path / "m")
    config = tmp_path / "llama/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "rms_norm_eps": 0.5}))
    with pytest.raises(CheckpointError, match="language base is not the one.*config"):
        load(tmp_path / "m")


def test_weights_of_a_base_that_stays_are_read(tmp_path, bases):
    save(tuned(bases, {"vision": Full(), "language": Adapter(2)}), tmp_path / "m")
    (tmp_path / "llama/model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot load model.language"):
        load(tmp_path / "m")


def test_random_weights_come_back_behind_it():
    with unfilled():
        pass
    one, two = (build(SPEC, seed=seed, tokenizer=tokens()).language.lm_head.weight.detach() for seed in (1, 2))
    assert 0.01 < float(one.std()) < 0.03 and not torch.equal(one, two)
