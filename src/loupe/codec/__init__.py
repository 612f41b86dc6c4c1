"""Regions and colours <-> text; the only place that formats or parses a coordinate. One file per family."""

from loupe.codec.codec import Codec
from loupe.codec.pink import PINK
from loupe.codec.reading import Parsed
from loupe.codec.xy import XY
from loupe.errors import unknown_name

CODECS: dict[str, Codec] = {c.name: c for c in (XY, PINK)}


def codec(name: str) -> Codec:
    """The codec of that name."""
    if name not in CODECS:
        raise unknown_name("codec", name, CODECS)
    return CODECS[name]


__all__ = ["CODECS", "Codec", "Parsed", "codec"]
