"""Layers run by loupe against transformers' own modules; rows that view a look against rows that hold a copy."""

from __future__ import annotations

import pytest
import torch
from test_look import LLAMA, QWEN3, alone, picture, samples, tiny
from transformers.cache_utils import Cache

from loupe.models import decoding, stack
from loupe.models.adapter import insert
from loupe.models.attention import Front, behind
from loupe.models.decoding import Room, Rows, generate, see
from loupe.models.look import Limits, Look
from loupe.models.tuner import Adapter
from loupe.models.vlm import additive

QWEN2 = {**LLAMA, "model_type": "qwen2"}


def transformers_own(monkeypatch):
    monkeypatch.setattr(stack, "runs", lambda decoder: False)


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "apart"])
@pytest.mark.parametrize("language", [LLAMA, QWEN2, QWEN3], ids=["llama", "qwen2", "qwen3"])
@torch.no_grad()
def test_layers_are_those_of_transformers(language, merged, monkeypatch):
    model = tiny(language)
    for p in model.decoder.parameters():  # norms and biases that are not what they begin as
        if p.dim() == 1:
            p.copy_(torch.linspace(0.5, 1.5, len(p)))
    ready = stack.merged(model.decoder) if merged else None
    assert merged == (ready is not None)
    n, head = 3, model.decoder.layers[0].self_attn.head_dim
    caches = [Cache(layers=[Room(None, torch.arange(n), 0, 4) for _ in range(2)]) for _ in range(2)]
    at = 0
    for t in (5, 1, 3):
        x = torch.randn(n, t, 32, generator=torch.Generator().manual_seed(t))
        mask = torch.ones(1, 1, t, at + t, dtype=torch.bool).tril(at)
        positions = torch.arange(at, at + t).expand(n, t) + torch.tensor([[0], [2], [7]])
        assert stack.runs(model.decoder)
        own = stack.run(model.decoder, x, additive(mask, x), positions, caches[0], None, ready)
        with monkeypatch.context() as patched:
            transformers_own(patched)
            theirs = model.hidden(x, mask, positions, caches[1])
        assert torch.allclose(own, theirs, atol=2e-5)
        at += t
    assert caches[0].layers[1].keys.shape[-1] == head
    assert torch.allclose(caches[0].layers[1].keys, caches[1].layers[1].keys, atol=1e-5)


@torch.no_grad()
def test_what_hangs_onto_a_layer_is_heeded():
    model = tiny(LLAMA)
    x, mask, positions = torch.randn(1, 4, 32), torch.ones(1, 1, 4, 4, dtype=torch.bool).tril(), torch.arange(4)[None]
    before = model.hidden(x, mask, positions)
    for layer in model.decoder.layers:
        insert(layer, Adapter(hidden=4))
        layer.input_layernorm.adapter.up.weight.normal_(generator=torch.Generator().manual_seed(1))
    adapted = model.hidden(x, mask, positions)
    assert stack.runs(model.decoder) and not torch.allclose(before, adapted, atol=1e-2)
    theirs = model.decoder(inputs_embeds=x, attention_mask=additive(mask, x), position_ids=positions)
    assert torch.allclose(adapted, theirs.last_hidden_state, atol=2e-5)
    with_hook = model.decoder.layers[0].self_attn.q_proj.register_forward_hook(lambda module, given, out: 0 * out)
    assert stack.merged(model.decoder) is None
    assert not torch.allclose(model.hidden(x, mask, positions), adapted, atol=1e-3)
    with_hook.remove()
    model.decoder.layers[0].register_forward_hook(lambda module, given, out: out)
    assert not stack.runs(model.decoder)


def test_training_other_types_and_other_models_do_not_go_through():
    model = tiny(LLAMA)
    assert not stack.runs(model.decoder)  # a gradient is wanted
    with torch.no_grad():
        assert stack.runs(model.decoder)
        assert not stack.runs(torch.nn.Linear(1, 1))
        with torch.autocast("cpu", torch.bfloat16):
            assert not stack.runs(model.decoder)
        assert not stack.runs(model.train().decoder)
        assert not stack.runs(model.eval().bfloat16().decoder)


def test_words_alone_in_half_precision_go_through_transformers(monkeypatch):
    """There is no picture whose type could speak for the words'."""
    model = tiny(LLAMA).to(torch.bfloat16)
    monkeypatch.setattr(stack, "run", lambda *_: pytest.fail("bfloat16 went through the layers for float32"))
    assert len(Look.at(model, []).answers(["where?", "how many?"])) == 2


@pytest.mark.parametrize("owners", [[0, 0, 0], [0, 0, 1, 1], [1, 0, 1, 1, 0], [0, 2, 2, 2], [2, 1, 0]])
@pytest.mark.parametrize("heads", [1, 2], ids=["a head", "two heads a key"])
def test_queries_behind_their_looks(owners, heads):
    """Against one softmax over copied keys."""
    draw = torch.Generator().manual_seed(0)
    looks, n, k, p, s, t, d = max(owners) + 1, len(owners), 2, 7, 4, 3, 8
    front = [torch.randn(looks, k, p, d, generator=draw) for _ in range(2)]
    own = [torch.randn(n, k, s, d, generator=draw) for _ in range(2)]
    query = torch.randn(n, k * heads, t, d, generator=draw)
    seen = torch.rand(n, 1, t, s, generator=draw) < 0.7
    wall = torch.zeros(n, 1, t, s).masked_fill(~seen, torch.finfo(torch.float32).min)
    key, value = (torch.cat([f[owners], o], 2).repeat_interleave(heads, 1) for f, o in zip(front, own))
    whole = torch.cat([torch.zeros(n, 1, t, p), wall], -1)
    expected = ((query @ key.transpose(-1, -2) + whole).softmax(-1) @ value).transpose(1, 2)
    found = behind(query, *own, wall, Front.of(((front[0], front[1]),), owners), 0)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("language", [LLAMA, QWEN3], ids=["llama", "qwen3"])
def test_viewed_looks_give_the_answers_of_one_at_a_time(language, monkeypatch):
    """Rows of three looks, which finish at different times, so that whole looks leave the batch."""
    monkeypatch.setattr(decoding, "VIEWED", 1)
    model = tiny(language, seed=5)
    looks = [(picture(k),) for k in (1, 2, 3)]
    asked = [s for images in looks for s in samples(images)]
    owners = [0] * 4 + [1] * 4 + [2] * 4
    mixed = [7, 0, 11, 4, 1, 8, 3, 9, 2, 5, 10, 6]
    asked, owners = [asked[k] for k in mixed], [owners[k] for k in mixed]
    bodies = [e.ids for e in model.encoder.encode(asked)]
    most = [3 if owner < 2 else 14 for owner in owners]
    written, rows = generate(model, see(model, looks), owners, bodies, most)
    assert rows.view and set(rows.owners) == {2} and rows.front.layers[0][0].dim() == 3  # one look is left
    for sample, said, limit in zip(asked, written, most):
        text, logs = alone(model, sample, limit)
        assert model.encoder.decode(said.ids) == text
        assert said.logs == pytest.approx(logs, abs=1e-4)


@torch.no_grad()
def test_a_viewed_look_is_not_copied_and_can_be_had_whole(monkeypatch):
    model = tiny(QWEN3, wide=False)
    looks = [(picture(1),), (picture(2),)]
    prefix = see(model, looks)
    bodies = [e.ids for e in model.encoder.encode(samples(looks[0])[:2])]
    known = []
    for viewed in (1, 10**9):
        monkeypatch.setattr(decoding, "VIEWED", viewed)
        rows = Rows(model, prefix, [1, 0], bodies, 8)
        assert rows.view == (viewed == 1)
        logits = [rows.ask(), rows.step([7, 8])]
        assert rows.cache.layers[0].keys.shape[2] == rows.wide + 1 + (0 if rows.view else prefix.length)
        known.append((logits, rows.whole()))
    (viewed, mine), (copied, theirs) = known
    for a, b in zip(viewed, copied):
        assert torch.allclose(a, b, atol=1e-5)
    for a, b in zip(mine, theirs):
        assert all(x.shape == y.shape and torch.allclose(x, y, atol=1e-5) for x, y in zip(a, b))


def test_a_conversation_on_a_viewed_look(monkeypatch):
    model, image = tiny(seed=3), picture(4)
    said = []
    for viewed in (1, 10**9):
        monkeypatch.setattr(decoding, "VIEWED", viewed)
        talk = Look.at(model, [image], Limits(answer=10)).talk()
        said.append([talk.say(text).raw for text in ("where is the red cup?", "how many?")])
    assert said[0] == said[1]
