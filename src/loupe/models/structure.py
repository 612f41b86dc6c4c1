"""Carrying out tuners: which modules are added to a part, and which of its parameters train."""

from __future__ import annotations

from torch import nn

from loupe.errors import ConfigError
from loupe.models import adapter
from loupe.models.rows import AddedEmbedding, AddedHead
from loupe.models.tuner import Adapter, Frozen, Full, LoRA, Tune, Tuner
from loupe.models.vision import blocks


def set_part(model, part: str, tuner: Tuner) -> None:
    """Make `tuner` the part's choice: missing modules are added once and recorded in `model.structure`."""
    module = getattr(model, part)
    if module is None:  # a model of text alone
        return
    record(model, part, tuner)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(_trains(name, tuner))


def record(model, part: str, tuner: Tuner) -> None:
    """Add what the tuner needs, if it is not there; what trains is not touched (checkpoints are rebuilt with this)."""
    known = model.structure[part]
    if isinstance(tuner, Frozen) or tuner in known:
        return
    for other in known:
        if type(other) is type(tuner):
            raise ConfigError(f"the {part} part already has another {type(tuner).__name__}", got=tuner, expected=other,
                              do="keep one setting through all stages, or start from a model without it")
    if isinstance(tuner, Adapter):
        _insert_adapters(model, part, tuner)
    elif isinstance(tuner, LoRA):
        _inject_lora(getattr(model, part), part, tuner)
    known.append(tuner)


def _trains(name: str, tuner: Tuner) -> bool:
    if isinstance(tuner, Adapter):
        return ".adapter." in name
    if isinstance(tuner, LoRA):
        return ".lora_" in name
    return isinstance(tuner, Full)


def _insert_adapters(model, part: str, tuner: Adapter) -> None:
    if part == "vision":
        chosen = model.vision.tapped() if tuner.tapped_only else list(blocks(model.vision.model))
    else:
        chosen = list(blocks(model.decoder))
    for block in chosen:
        adapter.insert(block, tuner)


def _inject_lora(module: nn.Module, part: str, tuner: LoRA) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=tuner.rank, lora_alpha=tuner.alpha, lora_dropout=tuner.dropout, target_modules=tuner.targets)
    try:
        inject_adapter_in_model(config, module)
    except ValueError as error:
        if "arget modules" not in str(error):
            raise
        names = sorted({n.rsplit(".", 1)[-1] for n, m in module.named_modules() if isinstance(m, nn.Linear)})
        raise ConfigError("LoRA finds no layer to work on", got=tuner.targets, where=f"tune.{part}.targets",
                          expected=f"a regular expression for full names ending in {', '.join(names)}") from None


def set_tokens(model, tune: Tune) -> None:
    """The added rows, and with tokens="full" the matrices they extend."""
    embedding, head = model.language.get_input_embeddings(), model.language.get_output_embeddings()
    everything = isinstance(tune.language, Full)
    for module in (embedding, head):
        added = isinstance(module, (AddedEmbedding, AddedHead))
        for name, parameter in module.named_parameters():
            fresh = added and not name.startswith("base.")
            parameter.requires_grad_(everything or tune.tokens == "full" or (fresh and tune.tokens == "rows"))
    if tune.tokens == "full":
        model.structure["tokens"] = ["full"]


def merge_lora(module: nn.Module) -> None:
    """Fold every LoRA update into the weight it belongs to and put the plain layers back."""
    from peft.tuners.lora import LoraLayer

    for name, child in list(module.named_modules()):
        if isinstance(child, LoraLayer):
            child.merge()
            owner, _, last = name.rpartition(".")
            setattr(module.get_submodule(owner) if owner else module, last, child.get_base_layer())
