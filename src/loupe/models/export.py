"""A model's parts in transformers layout, for other tools or as bases of another ModelSpec."""

from __future__ import annotations

import copy
from pathlib import Path

from torch import nn

from loupe.errors import ConfigError, unknown_name
from loupe.models.adapter import adapters
from loupe.models.clip import save_preprocessing
from loupe.models.rows import AddedEmbedding
from loupe.models.structure import merge_lora
from loupe.models.template import chat_template
from loupe.models.tokenizer import TOKENIZER_HASH, vocabulary_hash
from loupe.models.vlm import VLM


def export(model: VLM, folder: str | Path) -> Path:
    """Write vision/, language/ (with the tokenizer) and bridge.safetensors; LoRA and added rows are merged.

    Adapters have no place in these layouts: ConfigError.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    if adapters(model):
        raise ConfigError("a model with adapters cannot be exported in transformers layout",
                          got=f"{len(adapters(model))} adapters", do="keep the loupe checkpoint")
    model = copy.deepcopy(model).to("cpu")
    for part in (model.vision.model, model.language):
        merge_lora(part)
    merge_rows(model.language)
    model.vision.model.save_pretrained(folder / "vision")
    model.language.save_pretrained(folder / "language")
    model.encoder.tokenizer.save_pretrained(str(folder / "language"))
    state = {name: tensor.detach().contiguous() for name, tensor in model.bridge.state_dict().items()}
    save_file(state, str(folder / "bridge.safetensors"), metadata={"format": "pt"})
    return folder


def save_part(model: VLM, part: str, folder: str | Path) -> Path:
    """Write "vision" (with how a picture is made ready) or "language" (with tokenizer and chat template) in float16,
    for `checkpoint` in a spec."""
    if part not in ("vision", "language"):
        raise unknown_name("part", part, ("vision", "language"), where="part")
    folder = Path(folder)
    if adapters(model):
        raise ConfigError("a part with adapters cannot be written in transformers layout",
                          got=f"{len(adapters(model))} adapters", do="train without them")
    module = copy.deepcopy(model.vision.model if part == "vision" else model.language).to("cpu")
    merge_lora(module)
    if part == "language":
        merge_rows(module)
        tokenizer, dialogue = copy.deepcopy(model.encoder.tokenizer), model.encoder.dialogue
        tokenizer.chat_template, tokenizer.eos_token = chat_template(dialogue), dialogue.stop
        module.generation_config.eos_token_id = module.config.eos_token_id = tokenizer.eos_token_id
        module.generation_config.pad_token_id = module.config.pad_token_id = tokenizer.pad_token_id
        tokenizer.save_pretrained(str(folder))
        setattr(module.config, TOKENIZER_HASH, vocabulary_hash(tokenizer))
    module.half().save_pretrained(folder)
    if part == "vision":
        save_preprocessing(model.spec.vision, folder)
    return folder


def merge_rows(language: nn.Module) -> None:
    """Put added rows back into one matrix each; tied weights stay tied."""
    embedding, head = language.get_input_embeddings(), language.get_output_embeddings()
    if not isinstance(embedding, AddedEmbedding):
        return
    tied = head.rows is embedding.rows
    wide = nn.Embedding.from_pretrained(embedding.weight, freeze=False, padding_idx=embedding.base.padding_idx)
    out = nn.Linear(wide.embedding_dim, wide.num_embeddings, bias=head.base.bias is not None)
    out.weight = wide.weight if tied else nn.Parameter(head.weight)
    if head.base.bias is not None:
        bias = head.base.bias.new_zeros(wide.num_embeddings)
        bias[: len(head.base.bias)] = head.base.bias.detach()
        bias[head.start : head.start + len(head.rows)] = head.added_bias.detach()
        out.bias = nn.Parameter(bias)
    language.set_input_embeddings(wide)
    language.set_output_embeddings(out)
    language.config.get_text_config().vocab_size = wide.num_embeddings
