"""From a ModelSpec to a VLM: parts from checkpoints in transformers layout, or from configs with random weights."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

from loupe import shipped
from loupe.errors import CheckpointError, ConfigError
from loupe.models.bridge import join
from loupe.models.device import dtype_of, in_numbers
from loupe.models.encoding import Encoder
from loupe.models.lookback import check
from loupe.models.published import OWN_TOKENS, PUBLISHED
from loupe.models.rows import AddedEmbedding, add_rows
from loupe.models.spec import LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import TOKENIZER_HASH, add_tokens, fit, place_level, start_locations, vocabulary_hash
from loupe.models.tuner import Tune, apply
from loupe.models.unfilled import unfilled
from loupe.models.vision import VisionTower
from loupe.models.vlm import VLM

TOWERS = {
    "clip": "CLIPVisionModel", "clip_vision_model": "CLIPVisionModel",
    "siglip": "SiglipVisionModel", "siglip_vision_model": "SiglipVisionModel",
    "blip-2": "Blip2VisionModel", "blip_2_vision_model": "Blip2VisionModel",
    "vit": "ViTModel",
}
LEAST = 16  # entries of a vocabulary
UNUSED = ("pooler.", "head.", "position_ids", "rotary_emb.inv_freq")  # may be missing or left over in a checkpoint


def build(spec: ModelSpec, device: str = "cpu", seed: int = 0, tokenizer=None, dtype: str = "float32", codec=None,
          dialogue=None, given: Collection[str] = ()) -> VLM:
    """The whole model. Random weights depend on `seed` only. `codec` and `dialogue` replace the values named in `spec`.
    With a bridge of kind "none" neither tower nor bridge is made.

    A language model from a config needs `tokenizer`; one from a checkpoint brings its own. On "meta" no weights and no
    tokenizer are needed: shapes come from the checkpoint's config, or from loupe's table of published ones. Parts that
    are `given` get every weight from elsewhere: they are made without, and of their checkpoint no weights are read.
    """
    marks, words = codec or codec_named(spec.codec), dialogue or dialogue_named(spec.dialogue)
    meta = device == "meta"
    blind = spec.bridge.kind == "none"
    with _seeded(seed), torch.device("meta") if meta else nullcontext():
        vision, seen_base = (None, None) if blind else build_vision(spec.vision, meta, dtype, "vision" in given)
        language, own_tokenizer, spoken_base = build_language(spec.language, tokenizer, (*marks.tokens, *words.tokens),
                                                              meta, dtype, "language" in given)
        width = language.config.get_text_config().hidden_size
        bridge = None if blind else join(spec.bridge, vision, width)
    if not meta and "language" not in given:
        if not blind and spec.bridge.position:
            bridge.level.fill_(place_level(language))
        fresh = _fresh(language, own_tokenizer, marks.starts) if spoken_base else marks.starts
        start_locations(language, own_tokenizer, fresh)
    encoder = None
    if own_tokenizer is not None:
        tokens = 0 if blind else bridge.tokens
        encoder = Encoder(own_tokenizer, marks, words, spec.vision, tokens, spec.language.max_length)
    model = VLM(spec, vision, bridge, language, encoder)
    model.bases = {part: base for part, base in (("vision", seen_base), ("language", spoken_base)) if base}
    return model if meta else model.to(device)


def _fresh(language, tokenizer, starts: dict) -> dict:
    """Those location tokens that have just been added, not trained ones a checkpoint brought along."""
    embedding = language.get_input_embeddings()
    if not isinstance(embedding, AddedEmbedding):
        return {}
    return {t: s for t, s in starts.items() if tokenizer.convert_tokens_to_ids(t) >= embedding.start}


def codec_named(name: str):
    from loupe.codec import codec

    return codec(name)


def dialogue_named(name: str):
    from loupe.dialogue import dialogue

    return dialogue(name)


def build_vision(spec: VisionSpec, meta: bool = False, dtype: str = "float32",
                 given: bool = False) -> tuple[VisionTower, dict | None]:
    """(tower, base): base says which checkpoint, with hashes of its config and weights; None if built from a config.
    given: as of `build`; nothing is said of the weights then."""
    import transformers

    config = load_config(spec.checkpoint, spec.config, "model.vision", meta)
    kind = getattr(transformers, TOWERS.get(config.model_type, "AutoModel"))
    options = {}
    if config.model_type in ("clip", "siglip", "blip-2"):
        if config.model_type == "blip-2":  # transformers strips this prefix from the other two by itself
            options["key_mapping"] = {r"^(model\.)?vision_model\.": ""}
        config = config.vision_config
    config._attn_implementation = attention_name(spec.attention)
    shape = {"add_pooling_layer": False} if kind is transformers.ViTModel else {}
    base = None
    if given:
        with unfilled():
            model = kind.from_config(config) if kind is transformers.AutoModel else kind(config, **shape)
        base = {"id": spec.checkpoint, "config": config_hash(config)} if spec.checkpoint else None
    elif spec.checkpoint and not meta:
        model = load_weights(kind, spec.checkpoint, config, "model.vision", _exact(dtype), **options, **shape)
        base = {"id": spec.checkpoint, "config": config_hash(config), "weights": weights_hash(model)}
        in_numbers(model, dtype_of(dtype))
    elif kind is transformers.AutoModel:
        model = kind.from_config(config)
    else:
        model = kind(config, **shape)
    return VisionTower(model, spec.layer, spec.size, spec.drop_cls, spec.norm), base


def build_language(spec: LanguageSpec, tokenizer=None, tokens: tuple[str, ...] = (), meta: bool = False,
                   dtype: str = "float32", given: bool = False):
    """(causal language model, tokenizer, base), the tokenizer knowing `tokens` and the model having rows for them.
    given: as of `build_vision`."""
    from transformers import AutoModelForCausalLM

    config = load_config(spec.checkpoint, spec.config, "model.language", meta)
    check(config, spec.max_length, spec.checkpoint or "model.language.config")
    own = load_tokenizer(spec.checkpoint) if spec.checkpoint and not meta else None
    known = own.get_vocab() if own is not None else {}
    tokenizer = tokenizer or own
    if tokenizer is None and not meta:
        raise ConfigError("a language model built from a config needs a tokenizer", where="model.language",
                          do="train one with loupe.models.tokenizer.train_tokenizer, or name a checkpoint")
    if not spec.checkpoint:
        if tokenizer is not None:
            add_tokens(tokenizer, tokens)
            config.vocab_size = len(tokenizer)
        with unfilled() if given else nullcontext():
            language = AutoModelForCausalLM.from_config(config, attn_implementation=attention_name(spec.attention))
        return language, tokenizer, None
    if meta:
        language = AutoModelForCausalLM.from_config(config, attn_implementation=attention_name(spec.attention))
        known = OWN_TOKENS.get(spec.checkpoint, ())
        if shipped.is_shipped(spec.checkpoint):
            with torch.device("cpu"):
                known = load_tokenizer(spec.checkpoint).get_vocab()
        fresh = [token for token in dict.fromkeys(tokens) if token not in known]
        if fresh:
            add_rows(language, config.get_text_config().vocab_size, len(fresh))
        return language, tokenizer, None
    config._attn_implementation = attention_name(spec.attention)
    _belongs(own, config, spec.checkpoint)
    base = {"id": spec.checkpoint, "config": config_hash(config)}
    if given:
        with unfilled():
            language = AutoModelForCausalLM.from_config(config, dtype=dtype_of(_exact(dtype)))
    else:
        language = load_weights(AutoModelForCausalLM, spec.checkpoint, config, "model.language", _exact(dtype))
        base["weights"] = weights_hash(language)
    in_numbers(language, dtype_of(dtype))
    fit(language, tokenizer, _new_tokens(tokenizer, tokens, known, spec.checkpoint))
    return language, tokenizer, base


def _exact(dtype: str) -> str:
    """What to read a base in, so that `weights_hash` is of its own numbers: float16 would round them twice."""
    return "float32" if dtype_of(dtype) is torch.float16 else dtype


def _new_tokens(tokenizer, tokens: tuple[str, ...], known: dict[str, int], checkpoint: str) -> list[str]:
    """Tokens that are not `known` to the checkpoint's own tokenizer; adds them unless a saved one already did."""
    add_tokens(tokenizer, tokens)
    fresh = [t for t in dict.fromkeys(tokens) if t not in known]
    ids = [tokenizer.convert_tokens_to_ids(t) for t in fresh]
    if ids != list(range(ids[0], ids[0] + len(ids))) if ids else False:
        raise CheckpointError("the tokenizer's added tokens are not in one block", got=ids[:8], where=checkpoint)
    return fresh


def _belongs(tokenizer, config, checkpoint: str) -> None:
    """A tokenizer with more entries than the model has rows, or other entries than it was trained with, is refused."""
    rows, then = config.get_text_config().vocab_size, getattr(config, TOKENIZER_HASH, None)
    facts = {"where": shipped.folder(checkpoint) if shipped.is_shipped(checkpoint) else checkpoint,
             "do": "put the tokenizer that came with these weights back beside them"}
    if tokenizer.vocab_size > rows:
        raise CheckpointError("the tokenizer does not belong to this language model",
                              got=f"{tokenizer.vocab_size} entries", expected=f"at most its {rows} rows", **facts)
    if then is not None and vocabulary_hash(tokenizer) != then:
        raise CheckpointError("the tokenizer is not the one this language model was trained with",
                              got=f"vocabulary {vocabulary_hash(tokenizer)}", expected=then, **facts)


@dataclass(frozen=True)
class Count:
    trainable: int
    total: int


def count(spec: ModelSpec, tune: Tune | dict) -> dict[str, Count]:
    """Parameters per part, on the meta device; "tokens" are rows of added tokens (input and output)."""
    model = build(spec, device="meta")
    apply(model, tune)
    sums = {part: [0, 0] for part in ("vision", "bridge", "language", "tokens")}
    for name, parameter in model.named_parameters():
        part = "tokens" if name.endswith((".rows", ".added_bias")) else name.split(".")[0]
        sums[part][0] += parameter.numel() * parameter.requires_grad
        sums[part][1] += parameter.numel()
    return {part: Count(*both) for part, both in sums.items()}


def load_tokenizer(checkpoint: str | Path):
    """The fast tokenizer of a checkpoint."""
    from transformers import AutoTokenizer

    with _readable(checkpoint, "tokenizer", "tokenizer.json, or the vocabulary it is made from") as place:
        try:
            tokenizer = AutoTokenizer.from_pretrained(place)
        except (ImportError, ValueError) as error:
            lacking = [name for name in ("sentencepiece", "protobuf") if not _installed(name)]
            if not lacking or not any(word in str(error).lower() for word in (*lacking, "tiktoken")):
                raise
            raise CheckpointError("a tokenizer.model alone, as Vicuna's, is read by SentencePiece", where=checkpoint,
                                  got=f"no {' and no '.join(lacking)}", do="pip install 'loupe[sentencepiece]'"
                                  ) from None
    if tokenizer.vocab_size < LEAST:  # transformers makes an empty one where it finds no files
        raise CheckpointError("the tokenizer has no vocabulary", got=f"{tokenizer.vocab_size} entries",
                              expected="tokenizer.json or tokenizer.model beside the weights", where=checkpoint)
    return tokenizer


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def config_hash(config) -> str:
    """Of the settings that shape the model, not of versions, types and paths."""
    volatile = ("transformers_version", "_name_or_path", "dtype", "torch_dtype", "architectures", TOKENIZER_HASH)
    values = {k: v for k, v in config.to_dict().items() if k not in volatile and not k.startswith("_attn")}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


@torch.no_grad()
def weights_hash(module: nn.Module) -> str:
    """Of name, shape and the first eight numbers of every parameter, in bfloat16: cheap, tells tuned weights apart."""
    digest = hashlib.sha256()
    for name, p in sorted(module.named_parameters()):
        few = p.detach().flatten()[:8].to("cpu", torch.bfloat16).float().numpy().tobytes()
        digest.update(f"{name}{tuple(p.shape)}".encode() + few)
    return digest.hexdigest()[:16]


def attention_name(name: str) -> str:
    if name == "lean":
        from loupe.models.attention import register

        register()
    return name


def load_config(checkpoint: str, given: dict | None, where: str, meta: bool):
    from transformers import AutoConfig

    if not checkpoint:
        if not given or "model_type" not in given:
            raise ConfigError("a part needs a checkpoint, or a config with a model_type", got=given, where=where)
        return _from_values(given, where)
    if meta and not Path(checkpoint).is_dir() and (given or checkpoint in PUBLISHED):
        return _from_values(given or PUBLISHED[checkpoint], where)
    with _readable(checkpoint, where, "config.json") as place:
        return AutoConfig.from_pretrained(place)


def _from_values(values: dict, where: str):
    from transformers import AutoConfig

    rest = {k: v for k, v in values.items() if k != "model_type"}
    try:
        return AutoConfig.for_model(values["model_type"], **rest)
    except (ValueError, TypeError) as error:
        raise ConfigError("transformers cannot make this config", got=str(error)[:200],
                          where=f"{where}.config") from None


def load_weights(kind, checkpoint: str, config, where: str, dtype: str, **options) -> nn.Module:
    """dtype "auto": in the checkpoint's own numbers."""
    with quiet(), _readable(checkpoint, where, "config.json and model*.safetensors (or pytorch_model*.bin)") as place:
        model, info = kind.from_pretrained(place, config=config, dtype=dtype if dtype == "auto" else dtype_of(dtype),
                                           output_loading_info=True, **options)
    missing = [k for k in info["missing_keys"] if not any(u in k for u in UNUSED)]
    if missing:
        raise CheckpointError("weights are missing from the checkpoint", where=checkpoint,
                              got=f"no {missing[0]} and {len(missing) - 1} more", expected=f"a {kind.__name__}")
    return model.float() if dtype == "float32" else model


@contextmanager
def _readable(checkpoint: str | Path, where: str, files: str):
    """Gives the folder or hub id to read from: the one place where names of shipped parts become folders."""
    from safetensors import SafetensorError

    place = str(shipped.folder(checkpoint) if shipped.is_shipped(checkpoint) else checkpoint)
    try:
        yield place
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unreadable(error, checkpoint, Path(place), where, files) from error


def _unreadable(error: Exception, checkpoint: str | Path, folder: Path, where: str, files: str) -> CheckpointError:
    here = sorted(p.name for p in folder.iterdir())[:6] if folder.is_dir() else None
    got = f"a folder with {', '.join(here) or 'nothing'}" if here is not None else "no such folder"
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    expected = f"{files}, or a hub id that is cached or reachable"
    torn = torn_weights(folder)
    if torn is not None:
        got, expected = f"{torn.stat().st_size} bytes", "the whole file"
        do = "fetch this file again"
    else:
        do = "give the folder of the downloaded checkpoint"
    if shipped.is_shipped(checkpoint):
        do = shipped.REINSTALL
    return CheckpointError(f"cannot load {where} from {str(checkpoint)!r} ({reason})", got=got, expected=expected,
                           where=torn or (folder if shipped.is_shipped(checkpoint) else None), do=do)


def torn_weights(folder: Path) -> Path | None:
    """The first safetensors file of a folder that cannot be opened, as one cut short."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        try:
            with safe_open(str(path), "pt"):
                pass
        except (SafetensorError, OSError):
            return path
    return None


@contextmanager
def quiet():
    """Without transformers' table of keys; missing ones are an error of ours, left-over ones belong to other parts.
    Without its progress bar, too, where nobody watches."""
    from transformers.utils import logging

    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()


@contextmanager
def _seeded(seed: int):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def with_bases(spec: ModelSpec, bases: dict[str, str] | None) -> ModelSpec:
    """The spec with other places for its base checkpoints: {"vision": folder, "language": folder}."""
    for part, place in (bases or {}).items():
        spec = replace(spec, **{part: replace(getattr(spec, part), checkpoint=str(place))})
    return spec
