"""Towers against transformers' own hidden states; adapters and position codes against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
import transformers
from tiny_parts import CLIP, LLAMA, QWEN3, PlainCodec

from loupe.errors import CheckpointError, ConfigError
from loupe.models.assembly import build, build_vision
from loupe.models.bridge import place_code
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Adapter, apply
from loupe.models.vision import blocks, places

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 24,
         "patch_size": 8}
TOWERS = {
    "clip": {"model_type": "clip_vision_model", **SMALL},
    "siglip": {"model_type": "siglip_vision_model", **SMALL},
    "vit": {"model_type": "vit", **SMALL},
    "eva": {"model_type": "blip_2_vision_model", **SMALL},
    "dinov2": {"model_type": "dinov2", **SMALL},
}
PIXELS = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", TOWERS)
@pytest.mark.parametrize("layer", [0, 1, -2])
@torch.no_grad()
def test_tower_gives_transformers_hidden_states(kind, layer):
    tower, base = build_vision(VisionSpec(config=TOWERS[kind], layer=layer, size=24))
    tower.eval()
    want = tower.model(pixel_values=PIXELS, output_hidden_states=True).hidden_states[layer]
    special = 0 if kind == "siglip" else 1
    got = tower(PIXELS)
    assert torch.allclose(got, want[:, special:], atol=1e-6) and base is None
    assert got.shape == (2, tower.tokens, tower.width) == (2, 9, 32)


@torch.no_grad()
def test_several_layers_stand_side_by_side_as_in_transformers_llava():
    config = transformers.LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **SMALL}, text_config=LLAMA,
        vision_feature_layer=[0, -2, -1], image_seq_length=9)
    whole = transformers.LlavaForConditionalGeneration(config).eval()
    spec = VisionSpec(config=TOWERS["clip"], layer=(0, -2, -1), size=24)
    tower, _ = build_vision(spec)
    tower.model.load_state_dict(whole.model.vision_tower.state_dict())
    tower.eval()
    seen = []
    whole.model.multi_modal_projector.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    whole.model.get_image_features(pixel_values=PIXELS)
    assert tower.width == 3 * 32 and torch.allclose(tower(PIXELS), seen[0], atol=1e-6)
    normed, _ = build_vision(VisionSpec(config=TOWERS["clip"], layer=(1, -1), size=24, norm=True))
    states = normed.eval().model(pixel_values=PIXELS, output_hidden_states=True).hidden_states
    want = torch.cat([states[1], normed.model.post_layernorm(states[-1])], -1)[:, 1:]
    assert torch.allclose(normed(PIXELS), want, atol=1e-6), "the final norm is of the last layer alone"


@pytest.mark.parametrize("layer", [(), (0, 9), (1, 1), (3, -1)])
def test_layers_that_are_not_there_or_there_twice_are_an_error(layer):
    with pytest.raises(ConfigError, match="no such layer"):
        build_vision(VisionSpec(config=CLIP, size=24, layer=layer))


@torch.no_grad()
def test_layers_behind_the_tap_do_not_run():
    tower, _ = build_vision(VisionSpec(config=CLIP, size=24, layer=-2))
    before = tower(PIXELS)
    for p in blocks(tower.model)[-1].parameters():
        p.fill_(math.nan)
    assert torch.equal(tower(PIXELS), before)
    keep, _ = build_vision(VisionSpec(config=CLIP, size=24, drop_cls=False))
    assert keep(PIXELS).shape[1] == 10


@torch.no_grad()
def test_other_sizes_interpolate_positions():
    tower, _ = build_vision(VisionSpec(config=CLIP, size=48))
    assert tower(torch.randn(1, 3, 48, 48)).shape == (1, 36, 32)
    with pytest.raises(ConfigError, match="multiple of 8"):
        build_vision(VisionSpec(config=CLIP, size=50))
    with pytest.raises(ConfigError, match="no such layer"):
        build_vision(VisionSpec(config=CLIP, size=24, layer=7))


@pytest.mark.parametrize("kind", ["clip", "siglip", "blip2"])
@torch.no_grad()
def test_the_vision_part_of_a_whole_checkpoint_is_taken(kind, tmp_path):
    text = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "vocab_size": 64, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    if kind == "blip2":
        qformer = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                   "vocab_size": 64, "encoder_hidden_size": 32}
        opt = {"model_type": "opt", "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
               "vocab_size": 64, "max_position_embeddings": 16, "word_embed_proj_dim": 16}
        config = transformers.Blip2Config(vision_config=SMALL, qformer_config=qformer, text_config=opt)
        whole = transformers.Blip2ForConditionalGeneration(config)
    else:
        family = {"clip": "CLIP", "siglip": "Siglip"}[kind]
        config = getattr(transformers, f"{family}Config")(vision_config=SMALL, text_config=text)
        whole = getattr(transformers, f"{family}Model")(config)
    whole.save_pretrained(tmp_path / "whole")
    tower, base = build_vision(VisionSpec(str(tmp_path / "whole"), size=24, layer=-1))
    vision = whole.vision_model if hasattr(whole, "vision_model") else whole.model.vision_model
    want = vision.eval()(pixel_values=PIXELS, output_hidden_states=True).hidden_states[-1]
    assert torch.allclose(tower.eval()(PIXELS), want[:, 0 if kind == "siglip" else 1 :], atol=1e-5)
    assert base["id"].endswith("whole")


def test_missing_folders_and_broken_checkpoints_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=r"cannot load model.vision from '/no/such'.*expected config.json"):
        build_vision(VisionSpec("/no/such"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CheckpointError, match="a folder with notes.txt"):
        build_vision(VisionSpec(str(tmp_path)))
    with pytest.raises(ConfigError, match="model_type"):
        build_vision(VisionSpec(config={"hidden_size": 3}))
    with pytest.raises(ConfigError, match="cannot make this config"):
        build_vision(VisionSpec(config={"model_type": "no_such_tower"}))


@pytest.mark.parametrize("language", [LLAMA, QWEN3], ids=["llama", "qwen3"])
@torch.no_grad()
def test_adapters_stand_between_norm_and_attention(language, tokenizer, words):
    """Against Eq. 1 written out: a hook on the attention sees up(s(down(z))) + z of the norm's output z."""
    spec = ModelSpec(VisionSpec(config=CLIP, size=24), language=LanguageSpec(config=language))
    model = build(spec, tokenizer=tokenizer, codec=PlainCodec(), dialogue=words).eval()
    before = model.see(PIXELS)
    apply(model, {"vision": Adapter(4, "gelu"), "language": Adapter(4, "relu", bias=True)})
    assert torch.equal(model.see(PIXELS), before)  # up starts at zero
    places_of = [(blocks(model.vision.model)[1], "layer_norm1", torch.nn.functional.gelu),
                 (blocks(model.decoder)[1], "input_layernorm", torch.relu)]
    for block, name, activation in places_of:
        norm = getattr(block, name)
        torch.nn.init.normal_(norm.adapter.up.weight)
        seen = {}
        block.self_attn.register_forward_pre_hook(
            lambda m, args, kwargs, seen=seen: seen.update(attention=kwargs["hidden_states"]), with_kwargs=True)
        block.register_forward_pre_hook(lambda m, args, seen=seen: seen.update(block=args[0]))
        model.hidden(model.see(PIXELS), torch.ones(9, 9).tril().bool().expand(2, 1, 9, 9), torch.arange(9)[None])
        hook = norm._forward_hooks.popitem()
        z = norm(seen["block"])
        norm._forward_hooks.update([hook])
        down, up = norm.adapter.down, norm.adapter.up
        inner = activation(z @ down.weight.T + (0 if down.bias is None else down.bias))
        want = inner @ up.weight.T + (0 if up.bias is None else up.bias) + z
        assert torch.allclose(seen["attention"], want, atol=1e-5)


@torch.no_grad()
def test_location_tokens_line_up_with_their_column(words):
    from loupe.models.tokenizer import train_tokenizer

    starts = {f"<x_{k}>": ("x", k / 10) for k in range(11)} | {f"<y_{k}>": ("y", k / 10) for k in range(11)}
    codec = PlainCodec(tokens=tuple(starts), starts=starts)
    wide = {**QWEN3, "hidden_size": 64}
    spec = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(position=True), LanguageSpec(config=wide))
    model = build(spec, tokenizer=train_tokenizer(["a"], 400, ["<end>"]), codec=codec, dialogue=words)
    rows = model.language.get_input_embeddings().weight
    ids = model.encoder.tokenizer.convert_tokens_to_ids(list(starts))
    assert torch.equal(model.bridge.code, place_code(places(3), 64))
    for image, (x, y) in zip(model.bridge.code, places(3)):
        near = torch.nn.functional.cosine_similarity(rows[ids], image[None], dim=-1)
        assert abs(near[:11].argmax() / 10 - x) <= 0.1 and abs(near[11:].argmax() / 10 - y) <= 0.1
    level = rows[: ids[0]].square().mean().sqrt()
    assert torch.allclose(rows[ids].square().mean(-1).sqrt(), level, rtol=0.2)
    assert model.see(PIXELS).square().mean().sqrt() / level == pytest.approx((4**2 + 1) ** 0.5, rel=0.1)
