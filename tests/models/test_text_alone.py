"""A language model without a tower: nothing is built for pictures, and the part goes on into a model that sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from handmade import kitchen
from tiny_parts import QWEN3, ask, picture

from loupe.codec import codec
from loupe.dialogue import MINI
from loupe.errors import ConfigError
from loupe.frame import frame
from loupe.models import checkpoint
from loupe.models.assembly import build
from loupe.models.batch import pack
from loupe.models.bridge import place_code
from loupe.models.export import save_part
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import train_tokenizer
from loupe.models.tuner import Frozen, Full, Tune, apply
from loupe.predictors.checkpoint import Model
from loupe.recipes import recipe
from loupe.sample import Sample, user
from loupe.tasks import task
from loupe.training.recipe import Start
from loupe.training.start import begin

CLIP = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 24, "patch_size": 8}
TEXT = ModelSpec(VisionSpec(config={"model_type": "nothing"}, layer=-1, size=24), BridgeSpec("none"),
                 LanguageSpec(config=QWEN3), "xy", "mini")
START = Start(qk_gain=1.5, embedding=0.3)


@pytest.fixture(scope="module")
def model():
    marks = (*codec("xy").tokens, *MINI.tokens)
    scenes = [stated(seed).turns[0].parts[0] for seed in range(5)]
    made = build(TEXT, tokenizer=train_tokenizer(scenes, 600, marks))
    begin(made, replace(recipe("mini-language"), model=TEXT, start=START))
    return made


def stated(seed: int = 0) -> Sample:
    return task("stated", turns=3)(kitchen(), np.random.default_rng(seed))


def test_no_tower_is_built(model):
    assert model.vision is None and model.bridge is None
    assert all(name.startswith("language.") for name, _ in model.named_parameters())
    names = apply(model, Tune(Frozen(), Frozen(), Full()))
    assert names and len(names) == len(list(model.parameters()))
    total, number = model(pack([[stated(0)], [stated(1)]], model.encoder))
    assert number > 4 and torch.isfinite(total)


def test_pictures_are_refused(model):
    with pytest.raises(ConfigError, match="sees no pictures"):
        pack([[ask([picture(0)], "what?", "this")]], model.encoder)


def test_answers_have_regions_on_the_canvas(model, tmp_path):
    folder = checkpoint.save(model, tmp_path / "model")
    again = Model.load(folder, device="cpu", constrain="box", answer=8)
    assert again.vlm.vision is None
    (answer,) = again.answer([Sample((), (user("Where?"),), canvas=(200, 50))])
    (box,) = answer.regions
    steps = [int(v) for v in answer.raw.replace("><", " ").strip("<>").replace("x_", "").replace("y_", "").split()]
    assert box.xyxy == pytest.approx([v * s / 100 for v, s in zip(steps, (200, 50, 200, 50))])


def test_the_part_alone_in_transformers(model, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = save_part(model, "language", tmp_path / "language")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    alone = AutoModelForCausalLM.from_pretrained(folder).float().eval()
    text = MINI.render(stated(), codec("xy"), [frame("squash", 100, 100, 24)]).text()
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    assert ids[0].tolist() == list(model.encoder.encode([stated()])[0].ids)
    mask = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()[None, None]
    with torch.no_grad():
        ours = model.logits(model.hidden(model.embed(ids), mask, torch.arange(ids.shape[1])[None]))
        assert torch.allclose(alone(ids).logits, ours, atol=2e-2)  # float16 weights
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "Where?"}], tokenize=False)
    assert asked == "<|user|>Where?<|assistant|>"
    before = tokenizer(asked, return_tensors="pt")
    out = alone.generate(**before, max_new_tokens=3, do_sample=False)
    assert out.shape[1] - before["input_ids"].shape[1] in (1, 2, 3)
    assert alone.generation_config.eos_token_id == model.encoder.stop[0]


def test_the_part_in_a_model_that_sees(model, tmp_path):
    """No second rows, location tokens as they are, image tokens' code as loud as location tokens started."""
    weight = model.language.get_input_embeddings().weight
    ids = model.encoder.tokenizer.convert_tokens_to_ids(["<x_25>", "<y_75>"])
    code = place_code(torch.tensor([[0.25, 0.75]]), 32)[0] * model.language.config.place_level
    both = weight[ids].detach().sum(0)
    assert torch.allclose(both, code * 2**0.5, atol=1e-6), "x and y tokens start as the two halves"
    with torch.no_grad():
        weight *= 1.7  # training has made everything louder
    folder = save_part(model, "language", tmp_path / "language")
    with torch.no_grad():
        weight /= 1.7
    spec = ModelSpec(VisionSpec(config=CLIP, layer=-1, size=24), BridgeSpec("linear", position=True),
                     LanguageSpec(str(folder)), "xy", "mini")
    seeing = build(spec, seed=4)
    begin(seeing, replace(recipe("mini-start"), model=spec))
    embedding = seeing.language.get_input_embeddings()
    assert not isinstance(embedding, AddedEmbedding) and embedding.weight.shape == weight.shape
    assert torch.allclose(embedding.weight, 1.7 * weight, atol=2e-3)
    assert float(seeing.bridge.level) == pytest.approx(model.language.config.place_level)
    ours = model.encoder.encode([stated()])[0]
    assert seeing.encoder.encode([stated()])[0] == ours
    assert checkpoint.load(checkpoint.save(seeing, tmp_path / "both")).bridge.level == seeing.bridge.level
