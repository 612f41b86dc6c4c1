"""What a server allows: places, memory, sizes, who may ask."""

from __future__ import annotations

from dataclasses import dataclass

from loupe.errors import ConfigError

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """Every number is a bound: what would exceed it is refused with a 4xx, never tried."""

    rows: int = 32  # questions answered side by side
    queue: int = 128  # questions that may wait for a place; more are told to come again (429)
    tokens: int = 65536  # keys and values held by the questions being answered
    answer: int = 256  # tokens of one answer, at most
    looks: int = 256 * MIB  # bytes of keys and values kept of pictures that were looked at
    pictures: int = 256 * MIB  # bytes of uploaded files kept
    file: int = 20 * MIB  # bytes of one picture
    pixels: int = 50_000_000  # of one picture; decoding takes up to 12 bytes each
    body: int = 32 * MIB  # bytes of one request
    bodies: int = 256 * MIB  # bytes of all requests being read
    values: int = 100_000  # numbers, strings and lists in one request
    text: int = 20_000  # characters of all words of one request
    images: int = 8  # pictures of one conversation
    turns: int = 64  # messages of one conversation
    regions: int = 64  # of one conversation
    points: int = 2_000  # of one polygon
    side: int = 64  # places a side of a mask's grid, pixels a side of a picture asked for
    patience: float = 120.0  # seconds a question may take, waiting included
    grace: float = 10.0  # seconds that answers being written have left when the server stops
    key: str | None = None  # callers must send it: Authorization: Bearer KEY
    origins: tuple[str, ...] = ()  # other sites whose pages may call the API
    hosts: tuple[str, ...] = ()  # names the server answers to; () any
    remote: bool = False  # may pictures be fetched from http(s) addresses?

    def __post_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
                raise ConfigError(f"{name} of a server is above zero", got=value, expected="1 or more", where=name)
        if self.key is not None and not self.key.strip():
            raise ConfigError("the API key is empty", expected="some characters, or no key at all", where="key")
