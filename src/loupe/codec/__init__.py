"""Regions and colours <-> text; the only place that formats or parses a coordinate. One file per family."""

from loupe.codec.chatspot import CHATSPOT
from loupe.codec.codec import Codec
from loupe.codec.ferret import FERRET
from loupe.codec.internvl import INTERNVL
from loupe.codec.llava import LLAVA
from loupe.codec.lyrics import LYRICS
from loupe.codec.minigpt import MINIGPT
from loupe.codec.pae import PAE
from loupe.codec.pink import PINK
from loupe.codec.qwen import QWEN
from loupe.codec.qwen2 import QWEN2
from loupe.codec.qwen3 import QWEN3
from loupe.codec.reading import Parsed
from loupe.codec.shikra import SHIKRA
from loupe.codec.xy import XY
from loupe.errors import unknown_name

CODECS: dict[str, Codec] = {c.name: c for c in (XY, PINK, CHATSPOT, LYRICS, MINIGPT, PAE, SHIKRA, QWEN2, QWEN, QWEN3,
                                         LLAVA, FERRET, INTERNVL)}


def codec(name: str) -> Codec:
    """The codec of that name."""
    if name not in CODECS:
        raise unknown_name("codec", name, CODECS)
    return CODECS[name]


__all__ = ["CODECS", "Codec", "Parsed", "codec"]
