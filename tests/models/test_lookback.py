"""Language models of other kinds: the same losses as transformers' own pass, or refused before anything is lost."""

from __future__ import annotations

import pytest
import torch
from tiny_parts import LLAMA, WORDS, ask
from torch import nn

from loupe.errors import ConfigError
from loupe.models.assembly import build
from loupe.models.batch import pack
from loupe.models.lookback import window
from loupe.models.rows import AddedEmbedding
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec
from loupe.models.tokenizer import train_tokenizer

MISTRAL = {**LLAMA, "model_type": "mistral", "sliding_window": 64}
GEMMA = {**LLAMA, "model_type": "gemma3_text", "head_dim": 8, "sliding_window": 64,
         "layer_types": ["sliding_attention", "full_attention"]}
QWEN2 = {**LLAMA, "model_type": "qwen2", "sliding_window": 8, "max_window_layers": 0}
GRANITE = {**LLAMA, "model_type": "granite", "logits_scaling": 8.0, "embedding_multiplier": 3.0}
COHERE = {**LLAMA, "model_type": "cohere", "logit_scale": 0.0625, "tie_word_embeddings": True}
QUESTION = ask([], "where is the red cup next to the plate?", "[0.1,0.2,0.3,0.4]")


def made(config: dict, longest: int = 2048):
    tokenizer = train_tokenizer(WORDS * 3, 320, ["<s>", "</s>"])
    spec = ModelSpec(bridge=BridgeSpec("none"), language=LanguageSpec(config=config, max_length=longest),
                     codec="pink", dialogue="pink")
    return build(spec, seed=3, tokenizer=tokenizer).eval()


@pytest.mark.parametrize("config", [MISTRAL, GEMMA, {**QWEN2, "use_sliding_window": False}, GRANITE, COHERE],
                         ids=lambda config: config["model_type"])
@torch.no_grad()
def test_losses_are_those_of_transformers(config):
    model = made(config, 64)
    for p in model.language.parameters():
        p.mul_(4 if p.ndim > 1 else 1)  # scores that differ
    batch = pack([[QUESTION]], model.encoder)
    own = model.language(input_ids=batch.ids).logits[0, batch.at]
    assert torch.allclose(model.losses(batch), nn.functional.cross_entropy(own, batch.targets, reduction="none"),
                          atol=1e-4)


def test_sequences_longer_than_a_window_are_refused():
    for config in (MISTRAL, GEMMA, {**QWEN2, "use_sliding_window": True, "sliding_window": 64}):
        with pytest.raises(ConfigError, match="max_length 65.*at most 64.*max_length=64"):
            made(config, 65)
    assert window(made(MISTRAL, 64).language.config) == 64 and window(made(LLAMA).language.config) is None


def test_layers_without_attention_are_refused():
    """Questions packed behind one picture would hear each other there."""
    with pytest.raises(ConfigError, match="layers without attention.*lfm2"):
        made({**LLAMA, "model_type": "lfm2", "layer_types": ["conv", "full_attention"]})


@torch.no_grad()
def test_new_rows_are_as_loud_as_the_embedding_they_extend():
    class Louder(nn.Embedding):
        embed_scale = torch.tensor(5.0)

        def forward(self, ids):
            return super().forward(ids) * self.embed_scale

    base = Louder(6, 4)
    rows = nn.Parameter(base.weight[:2].clone())
    said = AddedEmbedding(base, rows, 6)(torch.tensor([0, 6, 7, 1]))
    assert torch.equal(said[[0, 3]], said[[1, 2]])
