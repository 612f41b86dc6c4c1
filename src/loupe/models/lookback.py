"""How far the layers of a language model look back. loupe's masks let a token see everything before it in its dialogue;
that is what the model learnt only where every layer does so, or a sequence is no longer than the narrowest window."""

from __future__ import annotations

from loupe.errors import ConfigError

WHOLE, PART = {"full_attention"}, {"sliding_attention", "chunked_attention"}
WIDTHS = ("sliding_window", "attention_chunk_size")


def check(config, longest: int, name: str) -> None:
    """Refuse a language model that would be asked otherwise than it was trained. longest: tokens of one sequence."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ())
    strange = sorted(kinds - WHOLE - PART)
    if strange:
        raise ConfigError("this language model has layers without attention", got=f"{text.model_type}: {strange[0]}",
                          expected="attention in every layer", where=name,
                          do="choose one of Llama's, Qwen's or Mistral's kind")
    back = window(config)
    if back is not None and longest > back:
        raise ConfigError("some layers of this language model do not look back so far", where=name,
                          got=f"model.language.max_length {longest}", expected=f"at most {back}, {text.model_type}'s "
                          "window", do=f"set model.language.max_length={back}")


def window(config) -> int | None:
    """Tokens the narrowest layers see; None where every layer sees everything before."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ())
    if (kinds and kinds <= WHOLE) or not getattr(text, "use_sliding_window", True):
        return None
    return min((width for width in (getattr(text, known, None) for known in WIDTHS) if width), default=None)
