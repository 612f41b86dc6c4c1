"""Ids as the whole numbers that published files want."""

from __future__ import annotations

import hashlib


def number(text: str) -> int:
    """The id itself when it is a number, else one drawn from its letters: the same on every run, below 2^52."""
    if text.isdecimal():
        return int(text)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") | 1 << 51


def whole(value: float) -> float:
    """3.0 as 3: files of whole pixels stay so."""
    return int(value) if value == int(value) else round(value, 2)
