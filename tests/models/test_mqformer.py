"""The MQ-Former against transformers' BLIP-2, its memory rows, its parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM, Blip2Config, Blip2ForImageTextRetrieval

from loupe.errors import ConfigError
from loupe.importers.blip2 import take, transformers_names
from loupe.models import attending
from loupe.models.assembly import build, count
from loupe.models.bridge import Bridge, join
from loupe.models.mqformer import Found, MQFormer, Querying
from loupe.models.mqformer import found as rows_of
from loupe.models.published import CLIP_L, VICUNA_13B
from loupe.models.refined import Refined
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, MQFormerSpec, VisionSpec
from loupe.models.tuner import LoRA
from tests.models.tiny_former import MARKS, TINY, TOWER, former, pictures, texts

BLIP = replace(TINY, query_activation="gelu", cross_every=2, depth=3)


@pytest.fixture(scope="module")
def released():
    """transformers' own classes, tiny, with weights of every kind."""
    torch.manual_seed(3)
    shape = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    config = Blip2Config(
        vision_config={"hidden_size": TOWER, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                       "image_size": 8, "patch_size": 4},
        qformer_config={**shape, "vocab_size": 41, "max_position_embeddings": 12, "encoder_hidden_size": TOWER,
                        "cross_attention_frequency": 2, "use_qformer_text_input": True, "hidden_dropout_prob": 0.0,
                        "attention_probs_dropout_prob": 0.0},
        num_query_tokens=3, image_text_hidden_size=8, image_token_index=None)
    model = Blip2ForImageTextRetrieval(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.3)
    return model


@pytest.fixture(scope="module")
def mine(released) -> MQFormer:
    model = former(BLIP)
    take(model, transformers_names(released.state_dict()), "tests")
    return model


@torch.no_grad()
def test_text_path_is_blip2s(released, mine):
    said = texts(4)
    mask = said.caption_real
    want = released.qformer(query_embeds=released.embeddings(input_ids=said.caption), query_length=0,
                            attention_mask=mask.long()).last_hidden_state
    part = attending.parts(0, 0, 0, said.caption.shape[1])
    got = mine(caption=said.caption, mask=attending.contrast(part, mask))
    assert torch.allclose(got[mask], want[mask], atol=1e-5)


@torch.no_grad()
def test_contrast_and_match_heads_are_blip2s(released, mine):
    said, pixels = texts(4), torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    tower = released.vision_model.encoder(released.vision_model.embeddings(pixels)).last_hidden_state
    memory = mine.memory(tower)  # its final norm is ours: visual_norm
    real = torch.cat([torch.ones(4, 5, dtype=torch.bool), said.caption_real], 1)
    part = attending.parts(3, 2, 0, said.caption.shape[1])
    options = {"input_ids": said.caption, "attention_mask": said.caption_real.long()}
    for rule, head in ((attending.contrast, False), (attending.match, True)):
        want = released(pixels, **options, use_image_text_matching_head=head).logits_per_image
        x = mine(memory, caption=said.caption, mask=rule_alone(rule, part, real))
        if head:
            assert torch.allclose(mine.match["visual"](mine.pooled(x)[0]), want, atol=1e-4)
            continue
        images = F.normalize(mine.contrast["visual"](x[:, :3]), dim=-1)
        words = F.normalize(mine.contrast["caption"](x[:, 5]), dim=-1)
        assert torch.allclose((images @ words.T).amax(1), want, atol=1e-4)


@torch.no_grad()
def test_word_head_is_berts():
    """transformers' BLIP-2 has no word head; LAVIS' is BERT's, whose last matrix is the word embedding."""
    config = BertConfig(vocab_size=43, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=32, layer_norm_eps=TINY.eps)
    torch.manual_seed(5)
    theirs, model = BertForMaskedLM(config).eval().cls.predictions, former()
    for p in theirs.parameters():
        p.normal_(0, 0.3)
    model.words.weight.copy_(theirs.decoder.weight)
    model.head.bias.copy_(theirs.bias)
    model.head.transform.load_state_dict(theirs.transform.dense.state_dict())
    model.head.norm.load_state_dict(theirs.transform.LayerNorm.state_dict())
    x = torch.randn(2, 5, 16)
    assert torch.allclose(model.word_logits(x), theirs(x), atol=1e-5)


def rule_alone(rule, part, real):
    """As the rule says, grounding queries taken out: BLIP-2 has none."""
    mask = rule(part, real)
    mask[:, part != attending.G] &= part != attending.G
    return mask


@torch.no_grad()
def test_activations_and_blocks_are_felt(mine):
    tower, found = pictures(2)
    relu = MQFormer(replace(BLIP, query_activation="relu"), TOWER).eval()
    relu.load_state_dict(mine.state_dict())
    assert not torch.allclose(relu.queries(relu.memory(tower, found)), mine.queries(mine.memory(tower, found)))
    assert [b.visual is not None for b in mine.blocks] == [True, False, True]
    assert all(b.visual is not None and b.grounding is not None for b in former().blocks)


@torch.no_grad()
def test_rows_under_the_threshold_are_not_seen():
    model = former()
    tower, found = pictures(3)
    want = model.queries(model.memory(tower, found))
    other = replace(found, detector=torch.where(found.detector_mask[..., None], found.detector, 99.0),
                    outline=torch.where(found.outline_mask[..., None], found.outline, -99.0))
    assert torch.equal(model.queries(model.memory(tower, other)), want)
    seen = replace(found, detector=found.detector + found.detector_mask[..., None])
    changed = (model.queries(model.memory(tower, seen)) != want).any(-1)
    assert changed[0].any() and not changed[2].any()


@torch.no_grad()
def test_nothing_found_is_one_learned_row():
    model = former()
    tower, found = pictures(3)
    memory = model.memory(tower, found)
    assert memory.grounding_mask[:, 0].tolist() == [False, False, True] and memory.grounding_mask.any(1).all()
    assert memory.grounding.shape == (3, 1 + 4 + 2, TINY.detector_width)
    with_none = model.queries(model.memory(tower[2:]))
    assert torch.allclose(model.queries(memory)[2:], with_none, atol=1e-6)
    model.nothing += 1
    after = model.queries(model.memory(tower, found))
    assert torch.allclose(after[:2], model.queries(memory)[:2]) and not torch.allclose(after[2:], with_none)


@torch.no_grad()
def test_kinds_of_queries_look_at_their_own_memory():
    """In the first block, before self-attention mixes them."""
    model = former(replace(TINY, depth=1))
    tower, found = pictures(2)
    want = model.queries(model.memory(tower, found))
    other = model.queries(model.memory(tower + torch.randn(tower.shape), found))
    assert not torch.allclose(other[:, :3], want[:, :3]) and torch.allclose(other[:, 3:], want[:, 3:])
    other = model.queries(model.memory(tower, replace(found, detector=found.detector * 2)))
    assert torch.allclose(other[:, :3], want[:, :3]) and not torch.allclose(other[0, 3:], want[0, 3:])


@torch.no_grad()
def test_pooling_and_sides_by_hand():
    """Three visual and two grounding queries, whatever stands behind them. One matrix on [H_v; H_g] is the sum of one
    on each half; what comes of it has length one."""
    x = torch.arange(8.0)[None, :, None].expand(1, 8, 16)  # place k holds k; 5 to 7 are text
    for pool, visual, grounding in (("mean", 1.0, 3.5), ("max", 2.0, 4.0)):
        v, g = former(replace(TINY, pool=pool)).pooled(x)
        assert (v == visual).all() and (g == grounding).all()
    model, a, b = former(), torch.randn(2, 16), torch.randn(2, 16)
    for side, names in ((model.image_side, ("visual", "grounding")), (model.text_side, ("spatial", "caption"))):
        first, second = (model.contrast[name] for name in names)
        whole = F.linear(torch.cat([a, b], 1), torch.cat([first.weight, second.weight], 1), first.bias + second.bias)
        assert torch.allclose(side(a, b), whole / whole.norm(dim=1, keepdim=True), atol=1e-6)
    for temperature, scale in ((0.07, 1 / 0.07), (0.001, 100.0), (-1.0, 100.0)):
        model.temperature.fill_(temperature)
        assert float(model.scale()) == pytest.approx(scale)


@torch.no_grad()
def test_attention_is_dropped_while_training_alone():
    attention, x = former(replace(TINY, dropout=0.5)).blocks[0].attention, torch.randn(1, 6, 16)
    attention.dropout.p = 0.0  # that of what comes out
    assert torch.equal(attention(x, None), attention(x, None))
    attention.train()
    assert not torch.equal(attention(x, None), attention(x, None))


def test_start():
    """Xavier (Glorot 2010): uniform within sqrt(6 / (in + out)); the rest as BERT starts."""
    torch.manual_seed(0)
    model = MQFormer(replace(TINY, width=64, detector_width=40), 48)
    key = model.blocks[1].grounding.key.weight
    bound = (6 / (64 + 40)) ** 0.5
    assert 0.95 * bound < key.abs().max() <= bound and not model.blocks[1].grounding.key.bias.any()
    assert abs(model.blocks[1].visual.key.weight.std() - 0.02) < 0.002


def test_what_does_not_fit():
    model = former()
    tower, found = pictures(2)
    for wrong, said in ((replace(found, detector=torch.zeros(2, 4, 9)), "detector features"),
                        (replace(found, outline=torch.zeros(2, 2, 6)), "outline features"),
                        (found[[0]], r"got \(1, 4, 10\), expected \[2, rows, 10\]")):
        with pytest.raises(ConfigError, match=said):
            model.memory(tower, wrong)
    with pytest.raises(ConfigError, match="longer than the model's positions: got 13"):
        model(spatial=torch.ones(1, 13).long())
    for change in ({"pool": "men"}, {"query_activation": "rely"}, {"heads": 3}, {"cross_every": 0}):
        with pytest.raises(ConfigError):
            MQFormer(replace(TINY, **change), TOWER)


def lyrics(every: int) -> ModelSpec:
    return ModelSpec(VisionSpec(config=CLIP_L, drop_cls=False),
                     BridgeSpec("mqformer", mqformer=MQFormerSpec(cross_every=every)), LanguageSpec(config=VICUNA_13B))


@pytest.mark.parametrize("every, counted, whole", [(1, 274.7, 275.6), (2, 248.7, 249.5)])
def test_trainable_parameters(every, counted, whole):
    """The paper says 278 M. The first count: blocks with both cross-attentions, embeddings, queries, word head,
    projection, LoRA of rank 64; beside these ours has the heads of ITC and ITM, two norms' worth and three marks."""
    spec = lyrics(every)
    counts = count(spec, {"language": LoRA(64)})
    trained = counts["bridge"].trainable + counts["language"].trainable
    assert counts["language"].trainable == 40 * 2 * 64 * (5120 + 5120)
    with torch.device("meta"):
        bridge = Querying(spec.bridge.mqformer, 1024, 5120)
    own = {"former.contrast": 0, "former.match": 0, "former.outline": 0, "former.visual_norm": 0,
           "former.temperature": 0, "former.nothing": 0}
    for name, p in bridge.named_parameters():
        key = ".".join(name.split(".")[:2])
        own[key] = own.get(key, 0) + p.numel()
    extra = sum(own[k] for k in list(own)[:6]) + 3 * (768 + 1)
    assert own["former.contrast"] == 4 * (768 * 256 + 256) and own["former.match"] == 2 * (768 * 2 + 2)
    assert own["former.outline"] == 256 * 260 + 260 and own["former.visual_norm"] == 2048
    assert round((trained - extra) / 1e6, 1) == counted and round(trained / 1e6, 1) == whole
    assert counts["bridge"].total == sum(own.values()) == counts["bridge"].trainable


def test_as_a_bridge():
    spec = ModelSpec(VisionSpec(config={**CLIP_L, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
                                        "num_attention_heads": 1, "image_size": 16, "patch_size": 8}, layer=-1,
                                size=16, drop_cls=False),
                     BridgeSpec("mqformer", mqformer=TINY), LanguageSpec(config={
                         **VICUNA_13B, "hidden_size": 12, "intermediate_size": 8, "num_hidden_layers": 1,
                         "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 20}))
    assert ModelSpec.from_plain(spec.to_plain()) == spec
    model = build(spec, device="meta")
    assert model.bridge.tokens == 5
    pixels, (_, found) = torch.randn(2, 3, 16, 16, device="meta"), pictures(2)
    assert model.see(pixels, found.to("meta")).shape == model.see(pixels).shape == (2, 5, 12)
    with pytest.raises(ConfigError, match="no place in the picture"):
        join(BridgeSpec("mqformer", position=True), model.vision, 12)
    with pytest.raises(ConfigError, match="did you mean 'mqformer'"):
        join(BridgeSpec("mqforme"), model.vision, 12)
    assert isinstance(join(BridgeSpec("linear"), model.vision, 12), Bridge)
    assert MARKS.dec < TINY.vocabulary and isinstance(found, Found)


def refined(queries: int, things: int):
    """As a refiner gives it, without what the MQ-Former does not look at."""
    draw = np.random.default_rng(queries)
    return Refined(8, 8, (), (None,) * things, np.linspace(0.9, 0.1, queries, dtype=np.float32),
                   draw.normal(size=(queries, 10)).astype(np.float32), draw.normal(size=(things, 5)).astype(np.float32))


@torch.no_grad()
def test_rows_of_a_refiner():
    empty = [np.zeros(shape, np.float32) for shape in (0, (0, 10), (0, 5))]
    some = [refined(3, 2), refined(5, 0), Refined(8, 8, (), (), *empty)]
    rows = rows_of(some, 0.5, TINY)
    assert rows.detector_mask.tolist() == [[True, True, False, False, False], [True, True, True, False, False],
                                           [False] * 5]
    assert rows.outline_mask.tolist() == [[True, True], [False, False], [False, False]]
    assert torch.equal(rows.detector[1], torch.from_numpy(some[1].queries)) and rows.outline.shape == (3, 2, 5)
    memory = former().memory(torch.zeros(3, 5, TOWER), rows)
    assert memory.grounding_mask[:, 0].tolist() == [False, False, True]
    assert rows_of([some[2]], 0.5, TINY).detector.shape == (1, 0, 10)
