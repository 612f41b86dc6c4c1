"""Models in bfloat16 and float16: every part computes in them, the angles of places excepted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_parts import CLIP, LLAMA, WORDS, ask, picture
from torch import nn

from loupe.models.assembly import build
from loupe.models.batch import pack
from loupe.models.checkpoint import load, save
from loupe.models.device import DTYPES
from loupe.models.look import Limits, Look
from loupe.models.rows import AddedEmbedding, AddedHead, merged
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, MQFormerSpec, VisionSpec
from loupe.models.tokenizer import train_tokenizer
from loupe.models.tuner import Adapter, Full, LoRA, apply

SPEC = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(), LanguageSpec(config=LLAMA), "pink", "pink")
FORMER = MQFormerSpec(width=32, depth=1, heads=4, inner=32, visual_queries=4, grounding_queries=4, vocabulary=40,
                      positions=8, projection=8)
SHAPES = {
    "adapters, new tokens": (BridgeSpec(), "pink-llama-2", {"vision": Adapter(4), "language": Adapter(2, bias=True)}),
    "lora, places": (BridgeSpec(position=True), "pink", {"vision": LoRA(2), "language": LoRA(2)}),
    "all tuned": (BridgeSpec("mlp"), "pink-llama-2", {"vision": Full(), "language": Full()}),
    "queries": (BridgeSpec("mqformer", mqformer=FORMER), "pink", {"language": Adapter(2)}),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A tower and a language model as others publish them, in float32."""
    place = tmp_path_factory.mktemp("bases")
    tokenizer = train_tokenizer(WORDS, 320, ["<s>", "</s>"])
    whole = build(SPEC, seed=4, tokenizer=tokenizer)
    whole.vision.model.save_pretrained(place / "clip")
    whole.language.save_pretrained(place / "llama")
    tokenizer.save_pretrained(str(place / "llama"))
    return place


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_trained_models_load_in_half_the_bytes(bases, tmp_path, shape):
    bridge, dialogue, tune = SHAPES[shape]
    spec = ModelSpec(VisionSpec(str(bases / "clip"), size=24), bridge, LanguageSpec(str(bases / "llama")), "pink",
                     dialogue)
    model = build(spec)
    apply(model, tune)
    for p in model.parameters():
        if p.requires_grad:
            p.add_(0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    save(model, tmp_path / "m")
    batch = pack([[ask([picture(1)], "where is the red cup?", "[0.1,0.2,0.3,0.4]")]], model.encoder)
    losses = model.eval().losses(batch)
    for name in ("bfloat16", "float16"):
        small = load(tmp_path / "m", dtype=name)
        assert {p.dtype for p in small.parameters()} == {DTYPES[name]}
        assert torch.allclose(small.losses(batch), losses, atol=0.05)
        angles = dict(model.named_buffers())
        assert all(torch.equal(b, angles[n]) for n, b in small.named_buffers())  # float32: far places keep theirs
    answers = Look.at(small, [picture(1)], Limits(answer=4)).answers(["where is the red cup?", "how many?"])
    assert len(answers) == 2 and all(0 < a.score <= 1 for a in answers)


@torch.no_grad()
def test_a_base_of_float32_is_known_again_in_float16(bases):
    """Rounded to float16 first, some of its numbers would round to other ones in the hash."""
    spec = replace(SPEC, vision=VisionSpec(str(bases / "clip"), size=24), language=LanguageSpec(str(bases / "llama")))
    assert build(spec, dtype="float16").bases == build(spec).bases


@torch.no_grad()
@pytest.mark.parametrize("bias", [False, True])
def test_tokens_behind_one_that_has_no_row(bias):
    """Llama-2's mirrors bring a <pad> at 32,000 for a model of 32,000 rows; a new token's logit stands at its id."""
    embedding, head = nn.Embedding(6, 4), nn.Linear(4, 6, bias=bias)
    rows = nn.Parameter(9.0 * torch.eye(2, 4))
    ids = torch.tensor([7, 8])
    known, said = AddedEmbedding(embedding, rows, 7), AddedHead(head, rows, 7)
    logits = said(known(ids))
    assert logits.shape == (2, 9) and torch.equal(logits.argmax(-1), ids)
    assert (logits.softmax(-1)[:, 6] == 0).all()  # <pad> is never said
    assert torch.equal(known.weight[7:], rows) and torch.equal(known.weight[:6], embedding.weight)
    assert torch.allclose(known.weight[6], embedding.weight.mean(0))
    assert merged(embedding.weight, rows, 6).shape == (8, 4)
    assert said.to(torch.bfloat16)(torch.ones(1, 4, dtype=torch.bfloat16)).shape == (1, 9)
