"""A trained model goes on with another codec: the same weights, new marks, rows only for tokens it lacks."""

from __future__ import annotations

import pytest
import torch
from tiny_parts import CLIP, QWEN3

from loupe.errors import ConfigError
from loupe.models.assembly import build
from loupe.models.checkpoint import load, save
from loupe.models.recoding import recoded
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import train_tokenizer

SPEC = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(position=True), LanguageSpec(config=QWEN3), "pink",
                 "mini")


@pytest.fixture
def model():
    return build(SPEC, seed=1, tokenizer=train_tokenizer(["[0.5,0.25] a cup"], 600))


def test_numbers_as_text_need_no_rows(model, tmp_path):
    located = build(ModelSpec(SPEC.vision, SPEC.bridge, SPEC.language, "xy", "mini"), seed=1,
                    tokenizer=train_tokenizer(["[0.5,0.25] a cup"], 900))
    before = {name: tensor.clone() for name, tensor in located.state_dict().items()}
    changed = recoded(located, "pink", "mini")
    assert changed.spec.codec == "pink" == changed.encoder.codec.name
    assert all(torch.equal(tensor, before[name]) for name, tensor in changed.state_dict().items())
    save(changed, tmp_path / "m")
    assert load(tmp_path / "m", codec="pink").encoder.codec.name == "pink"
    assert recoded(changed, "pink", "mini") is changed


def test_location_tokens_get_rows_of_their_places(model):
    changed = recoded(model, "xy", "mini")
    embedding = changed.language.get_input_embeddings()
    assert isinstance(embedding, AddedEmbedding) and len(embedding.rows) == 303
    x = [embedding.rows[changed.encoder.tokenizer.convert_tokens_to_ids(f"<x_{k}>") - embedding.start]
         for k in (10, 11, 60)]
    near, far = (torch.nn.functional.cosine_similarity(x[0], other, 0) for other in x[1:])
    assert near > 0.5 > far, "neighbours resemble each other"
    with pytest.raises(ConfigError, match="extended once already"):
        recoded(changed, "lyrics", "mini")
