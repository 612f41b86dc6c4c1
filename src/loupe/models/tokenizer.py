"""Tokenizers: one trained from texts, an existing one given the tokens a codec and a dialogue need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from loupe.errors import ConfigError
from loupe.models.bridge import place_code, sine
from loupe.models.rows import AddedEmbedding, AddedHead, add_rows

PAD = "<pad>"
CAPITALS = r"[A-Z](?=[A-Z])|(?<=[A-Z])[A-Z]"  # every letter of two or more in a row
TOKENIZER_HASH = "tokenizer_hash"  # setting in a language model's config.json: whose tokenizer it was trained with


def train_tokenizer(texts: Iterable[str], size: int, tokens: Sequence[str] = ()):
    """A byte-level BPE tokenizer of at most `size` entries, `tokens` among them; every text survives a round trip.

    Words in capitals are spelt letter by letter, as a reader of printed words sees them.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = list(dict.fromkeys([PAD, *tokens]))
    least = len(special) + 256
    if size < least:
        raise ConfigError("vocabulary is too small", got=size, expected=f"at least {least} (256 bytes and every mark)")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CAPITALS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, clean_up_tokenization_spaces=False)


def add_tokens(tokenizer, tokens: Iterable[str]) -> list[str]:
    """Teach the tokenizer those of `tokens` it does not know as single tokens; returns them, in order of their ids."""
    from transformers import AddedToken

    known = tokenizer.get_vocab()
    missing = [t for t in dict.fromkeys(tokens) if t not in known]
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in missing])
    added = tokenizer.get_added_vocab()  # costs a pass over all of them
    whole = [t for t in dict.fromkeys(tokens) if t in known and t not in added]
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in whole])  # known, but never split
    return missing


def vocabulary_hash(tokenizer) -> str:
    """Of every entry and its number."""
    entries = json.dumps(sorted(tokenizer.get_vocab().items()), ensure_ascii=False)
    return hashlib.sha256(entries.encode()).hexdigest()[:16]


def fit(language: torch.nn.Module, tokenizer, added: Sequence[str]) -> None:
    """Give the language model rows for tokens just added to its tokenizer; they start as the mean of the others."""
    if added:
        add_rows(language, tokenizer.convert_tokens_to_ids(added[0]), len(added))


@torch.no_grad()
def start_locations(language: torch.nn.Module, tokenizer, starts: Mapping[str, tuple[str, float]]) -> None:
    """Let location tokens begin with the code of their place, as loud as an ordinary row, in embedding and head.

    starts: token -> ("x" | "y" | "value", fraction). An x token carries the x half of the code that image tokens of
    that column carry, a y token the y half. How loud that is stays in the language model's config.
    """
    modules = [language.get_input_embeddings(), language.get_output_embeddings()]
    weights = [m.base.weight if isinstance(m, (AddedEmbedding, AddedHead)) else m.weight for m in modules]
    if not starts or weights[0].is_meta:
        return
    language.config.place_level = place_level(language)
    ids = tokenizer.convert_tokens_to_ids(list(starts))
    codes = _codes(list(starts.values()), weights[0].shape[1])
    first = language.config.place_level
    sizes = [first, first if weights[1] is weights[0] else level(weights[1])]
    for module, weight, size in zip(modules, weights, sizes):
        code = size * codes
        for token, row in zip(ids, code.to(weight)):
            offset = token - module.start if isinstance(module, (AddedEmbedding, AddedHead)) else -1
            if 0 <= offset < len(getattr(module, "rows", ())):
                module.rows[offset] = row
            else:
                weight[token] = row


def place_level(language: torch.nn.Module) -> float:
    """How loud the code of places is: as its location tokens started, else as an ordinary embedding row."""
    remembered = getattr(language.config, "place_level", None)
    if remembered is not None:
        return float(remembered)
    embedding = language.get_input_embeddings()
    return level((embedding.base if isinstance(embedding, AddedEmbedding) else embedding).weight)


def level(weight: Tensor) -> float:
    """Root mean square of an embedding matrix."""
    return float(weight.detach().float().square().mean().sqrt())


def _codes(starts: Sequence[tuple[str, float]], width: int) -> Tensor:
    """[K, width], each row of root mean square 1."""
    nan = float("nan")
    xy = torch.tensor([(f if kind == "x" else nan, f if kind == "y" else nan) for kind, f in starts])
    code = place_code(xy, width) * 2**0.5  # one half is empty
    values = torch.tensor([kind == "value" for kind, _ in starts])
    if values.any():  # in another basis, so that a colour value resembles no place
        shuffle = torch.randperm(width, generator=torch.Generator().manual_seed(0))
        code[values] = sine(torch.tensor([f for kind, f in starts if kind == "value"]), width)[:, shuffle]
    return code
