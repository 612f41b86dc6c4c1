"""What is known of the model families of transformers: how they write places and what they see of a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """codec: name in CODECS. frame: name in FRAMES, or "whole". tokens: how many tokens a picture becomes: "grid" (its
    patches, merged), "square" (the tower's patches), or "" (the model's own processor puts them in)."""

    codec: str
    frame: str
    tokens: str = ""


_QWEN2, _QWEN25 = Family("qwen2-vl", "smart-resize", "grid"), Family("qwen2.5-vl", "smart-resize", "grid")
_QWEN3 = Family("qwen3-vl", "smart-resize", "grid")
FAMILIES: dict[str, Family] = {
    "qwen2_vl": _QWEN2, "qwen2_5_vl": _QWEN25, "qwen3_vl": _QWEN3, "qwen3_vl_moe": _QWEN3,
    "llava": Family("llava", "pad-mean", "square"),
}
OTHER = Family("", "whole")  # through its own processor; the codec has to be named
# what an endpoint's model is taken for by its name; the first that fits
NAMES = (("qwen2.5-vl", "qwen2_5_vl"), ("qwen2_5_vl", "qwen2_5_vl"), ("qwen2-vl", "qwen2_vl"),
         ("qwen3-vl", "qwen3_vl"), ("llava-1.5", "llava"), ("llava-v1.5", "llava"))
USUAL = Family("qwen3-vl", "whole")  # an endpoint's model of which nothing is known is told to write so


def of_name(model: str) -> Family:
    """The family of a model by its name behind an endpoint, which takes whole pictures or pixels of resized ones."""
    known = next((FAMILIES[kind] for part, kind in NAMES if part in model.lower()), USUAL)
    return known if known.codec == "qwen2.5-vl" or known.frame.startswith("pad") else Family(known.codec, "whole")
