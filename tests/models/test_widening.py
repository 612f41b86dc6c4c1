"""A trained model that comes to read more layers of its tower says at first what it said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_parts import CLIP, QWEN3

from loupe.errors import ConfigError
from loupe.models.assembly import build
from loupe.models.checkpoint import load, save
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.widening import read_more
from loupe.recipes.mini import MINI
from loupe.training.start import trained

PIXELS = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def tiny(layer, tokenizer, **bridge):
    spec = ModelSpec(VisionSpec(config=CLIP, layer=layer, size=24), BridgeSpec(**bridge), LanguageSpec(config=QWEN3))
    return build(spec, "cpu", 0, tokenizer).eval()


@pytest.mark.parametrize("had, wants", [(-1, (0, -1)), ((-2, -1), (-1, 0, -2)), ((0,), (-1, 0))])
@pytest.mark.parametrize("bridge", [{"bias": False}, {"kind": "mlp"}, {"merge": 3}])
@torch.no_grad()
def test_it_says_what_it_said_and_learns_from_the_new_layer(had, wants, bridge, tokenizer, tmp_path):
    model = tiny(had, tokenizer, **bridge)
    before = model.bridge(model.vision(PIXELS))
    read_more(model, wants)
    assert model.vision.width == 32 * len(wants) and model.spec.vision.layer == wants
    assert torch.allclose(model.bridge(model.vision(PIXELS)), before, atol=1e-5)
    with torch.enable_grad():
        model.bridge(model.vision(PIXELS)).square().sum().backward()
    first = model.bridge.project[0] if bridge.get("kind") == "mlp" else model.bridge.project
    grad = first.weight.grad.view(first.out_features, model.bridge.merge, len(wants), 32)
    assert (grad.abs().amax((0, 1, 3)) > 0).all(), "each layer's weights are learnt"
    save(model, tmp_path / "wide")
    again = load(tmp_path / "wide")
    assert again.spec.vision.layer == wants
    assert torch.allclose(again.eval().bridge(again.vision(PIXELS)), before, atol=1e-5)


def test_what_was_read_cannot_be_given_up(tokenizer):
    with pytest.raises(ConfigError, match="cannot come to read other layers.*-1 and more"):
        read_more(tiny(-1, tokenizer), (0, -2))


def test_a_run_goes_on_with_more_layers():
    wider = replace(MINI.model, vision=replace(MINI.model.vision, layer=(0, -1)))
    mini, more = (trained(replace(MINI, model=model, weights="mini")) for model in (MINI.model, wider))
    pixels = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        was, now = (model.eval().bridge(model.vision(pixels)) for model in (mini, more))
    assert torch.allclose(now, was, atol=1e-4) and more.bridge.project.in_features == 256
