"""A trained model that goes on with another codec or dialogue: it has learnt to see, and learns to write anew."""

from __future__ import annotations

from dataclasses import replace

from loupe.errors import ConfigError
from loupe.models.assembly import codec_named, dialogue_named
from loupe.models.encoding import Encoder
from loupe.models.rows import AddedEmbedding
from loupe.models.tokenizer import add_tokens, fit, start_locations
from loupe.models.vlm import VLM


def recoded(model: VLM, codec: str, dialogue: str) -> VLM:
    """The same weights with the named codec and dialogue, for training on; the model as it is where nothing changes.

    Tokens its vocabulary lacks get rows that start as those of a fresh model would. Tokens of the old codec stay.
    """
    spec = model.spec
    if (spec.codec, spec.dialogue) == (codec, dialogue):
        return model
    marks, words, old = codec_named(codec), dialogue_named(dialogue), model.encoder
    tokenizer = old.tokenizer
    missing = [t for t in dict.fromkeys((*marks.tokens, *words.tokens)) if t not in tokenizer.get_vocab()]
    if missing and isinstance(model.language.get_input_embeddings(), AddedEmbedding):
        raise ConfigError("this model's vocabulary was extended once already", got=f"{len(missing)} more tokens",
                          where=f"codec {codec!r}, dialogue {dialogue!r}", do="begin with its base, or choose a codec "
                          "whose tokens it has")
    add_tokens(tokenizer, (*marks.tokens, *words.tokens))
    fit(model.language, tokenizer, missing)
    start_locations(model.language, tokenizer, {t: start for t, start in marks.starts.items() if t in missing})
    model.spec = replace(spec, codec=codec, dialogue=dialogue)
    model.encoder = Encoder(tokenizer, marks, words, spec.vision, old.tokens, spec.language.max_length)
    return model
