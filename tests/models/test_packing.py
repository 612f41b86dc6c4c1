"""Pairs packed behind one image are as independent as pairs that never met."""

from __future__ import annotations

import pytest
import torch
from tiny_parts import CLIP, LLAMA, QWEN3, PlainCodec, ask, picture

from loupe.errors import ConfigError
from loupe.models import batch as batches
from loupe.models.assembly import build
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec


def model_of(language, tokenizer, words, attention="sdpa", **bridge):
    spec = ModelSpec(VisionSpec(config=CLIP, size=24, attention=attention), BridgeSpec(**bridge),
                     LanguageSpec(config=language, attention=attention, max_length=256))
    return build(spec, seed=1, tokenizer=tokenizer, codec=PlainCodec(), dialogue=words).eval()


def plain_losses(model, sample):
    """Answer-token losses of one pair by the language model's own forward: no packing, no mask, no head selection."""
    encoded = model.encoder.encode([sample])[0]
    ids = torch.tensor([encoded.prefix + encoded.ids])
    labels = torch.tensor([(-100,) * len(encoded.prefix) + encoded.labels])
    seen = model.see(torch.from_numpy(model.encoder.pixels(sample.images)))
    logits = model.language(inputs_embeds=model.embed(ids, seen), use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none", ignore_index=-100)
    return losses[labels[0, 1:] != -100]


@pytest.mark.parametrize("attention", ["eager", "sdpa", "lean"])
@pytest.mark.parametrize("language", [LLAMA, QWEN3], ids=["llama", "qwen3"])
@torch.no_grad()
def test_packed_losses_equal_separate_sequences(language, attention, tokenizer, words, groups):
    model = model_of(language, tokenizer, words, attention)
    packed = batches.pack(groups, model.encoder)
    assert len(packed.ids) == len(groups) and packed.pairs == 8 and len(packed.pixels) == 3
    got = model.losses(packed)
    samples = [s for group in groups for s in group]
    want = torch.cat([plain_losses(model, s) for s in samples])
    assert torch.allclose(got, want, atol=1e-5, rtol=0)
    apart = batches.separate(groups, model.encoder)
    assert torch.allclose(model.losses(apart), want, atol=1e-5, rtol=0)
    total, number = model(packed)
    assert number == len(want) and abs(float(total - want.sum())) < 1e-4
    per_pair = torch.zeros(8).index_add(0, packed.owner, got)
    assert torch.allclose(per_pair[3], plain_losses(model, samples[3]).sum(), atol=1e-4)


def test_gradients_of_packed_pairs_equal_separate_ones(tokenizer, words, groups):
    model = model_of(QWEN3, tokenizer, words, kind="mlp", merge=3, position=True)
    grads = []
    for make in (batches.pack, batches.separate):
        model.zero_grad()
        model(make(groups, model.encoder))[0].backward()
        grads.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys() and any("vision" in name for name in grads[0])
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], atol=1e-4, rtol=1e-3), name


@torch.no_grad()
def test_a_long_group_goes_on_in_another_row_with_the_same_image(tokenizer, words, groups):
    model = model_of(LLAMA, tokenizer, words)
    whole = batches.pack(groups[:1], model.encoder)
    split = batches.pack(groups[:1], model.encoder, max_length=int(whole.ids.shape[1]) - 1)
    assert len(whole.ids) == 1 and len(split.ids) == 2 and len(split.pixels) == 1
    assert len(batches.pack(groups[:1], model.encoder, max_length=int(whole.ids.shape[1])).ids) == 1  # it just fits
    assert torch.allclose(model.losses(whole), model.losses(split), atol=1e-5)


def test_one_pair_that_does_not_fit_is_an_error_or_a_count(tokenizer, words):
    model = model_of(LLAMA, tokenizer, words)
    image = picture(5)
    group = [ask([image], "how many?", "three"), ask([image], "how many?", "three " * 200)]
    with pytest.raises(ConfigError, match="does not fit.*at most 256"):
        batches.pack([group], model.encoder)
    left = batches.pack([group], model.encoder, too_long="drop")
    assert left.dropped == 1 and left.pairs == 2 and set(left.owner.tolist()) == {0}


def test_nothing_to_learn_is_zero_over_zero(tokenizer, words):
    model = model_of(LLAMA, tokenizer, words)
    total, number = model(batches.pack([[ask([picture(1)], "how many?")]], model.encoder))
    assert number == 0 and float(total.detach()) == 0
    total.backward()


def test_labels_cover_answers_and_their_stops_only(tokenizer, words):
    model = model_of(LLAMA, tokenizer, words)
    ids, labels = model.encoder.body(ask([picture(1)], "a cup?", "two", "and?", "three cups"))
    said = model.encoder.tokenizer.decode([i for i in labels if i != -100])
    assert said == " two<end> three cups<end>"
    assert [i for i, n in zip(ids, labels) if n != -100] == [n for n in labels if n != -100]
    assert model.encoder.decode(ids) == " USER: a cup? ASSISTANT: two"
    prompt = model.encoder.body(ask([picture(1)], "a cup?"))[0]
    assert ids[: len(prompt)] == prompt


def test_pixels_follow_mean_and_deviation(tokenizer, words):
    encoder = model_of(LLAMA, tokenizer, words).encoder
    image = picture(2)
    got = encoder.pixels([image])
    assert got.shape == (1, 3, 24, 24)
    assert encoder.frame(image).picture(image).size == (24, 24)
    raw = image.pillow().resize((24, 24), 3).getpixel((5, 7))
    for channel in range(3):
        want = (raw[channel] / 255 - encoder.vision.mean[channel]) / encoder.vision.std[channel]
        assert got[0, channel, 7, 5] == pytest.approx(want, abs=1e-5)
