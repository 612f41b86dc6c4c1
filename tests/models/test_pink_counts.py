"""The two Pink settings, counted on the meta device with the published shapes (Pink §4.1)."""

from __future__ import annotations

import pytest

from loupe.models.assembly import count
from loupe.models.published import CLIP_L, VICUNA_7B
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Adapter, LoRA


def spec(bias: bool, named: bool) -> ModelSpec:
    if named:
        vision, language = VisionSpec("openai/clip-vit-large-patch14"), LanguageSpec("lmsys/vicuna-7b-v1.1")
    else:
        vision, language = VisionSpec(config=CLIP_L), LanguageSpec(config=VICUNA_7B)
    return ModelSpec(vision, BridgeSpec(bias=bias), language, codec="pink", dialogue="pink")


@pytest.mark.parametrize("named", [True, False], ids=["hub ids", "configs"])
def test_paper_and_release(named, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    paper = count(spec(False, named), {"vision": Adapter(8), "language": Adapter(8)})
    assert [paper[p].trainable for p in ("vision", "bridge", "language")] == [393_216, 4_194_304, 2_097_152]
    release = Adapter(8, bias=True, dropout=0.1, tapped_only=True)
    public = count(spec(True, named), {"vision": release, "language": release})
    assert [public[p].trainable for p in ("vision", "bridge", "language")] == [400_568, 4_198_400, 2_228_480]
    assert paper["vision"].total == 303_179_776 + 393_216  # CLIP ViT-L/14 without text tower and projection
    assert paper["language"].total == 6_738_415_616 + 2_097_152  # LLaMA-7B


def test_minigpt_v2_counts_too():
    """LoRA of rank 64 on queries and values of a 7B, four neighbouring EVA tokens in one (MiniGPT-v2, LAMM §3.1)."""
    model = ModelSpec(VisionSpec("Salesforce/blip2-opt-2.7b", size=448), BridgeSpec(merge=4),
                      LanguageSpec("meta-llama/Llama-2-7b-chat-hf"), codec="pink", dialogue="pink")
    counts = count(model, {"language": LoRA(64, 16.0)})
    assert counts["language"].trainable == 32 * 2 * 64 * (4096 + 4096)
    assert counts["bridge"].trainable == 4 * 1408 * 4096 + 4096
    assert counts["vision"].trainable == 0 and counts["vision"].total > 980_000_000
