"""Flips and small crops that move a picture, its regions and the words about them together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np

from loupe.frame import Frame
from loupe.image import Image
from loupe.regions import Box, Region

SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile(r"\b(left|right)(?=(?:most|hand|wards?)?\b)", re.IGNORECASE)


def flip(width: int, height: int) -> Frame:
    """Left becomes right; nothing is resampled."""
    return Frame(width, height, width, height, Box(0, 0, width, height), flip=True)


def crop(width: int, height: int, keep: Iterable[Region], rng: np.random.Generator, most: float = 0.1) -> Frame | None:
    """A crop that takes up to `most` of the side from each edge and cuts none of the regions in `keep`.

    Edges are whole pixels, so nothing is resampled. None where no pixel can go.
    """
    boxes = [region.box for region in keep]
    free = (min((b.x1 for b in boxes), default=width), min((b.y1 for b in boxes), default=height),
            width - max((b.x2 for b in boxes), default=0), height - max((b.y2 for b in boxes), default=0))
    shares = rng.uniform(0, most, 4)
    left, top, right, bottom = (max(0, math.floor(min(share * side, room)))
                                for share, side, room in zip(shares, (width, height, width, height), free))
    if not left + top + right + bottom:
        return None
    view = Box(left, top, width - right, height - bottom)
    return Frame(width, height, width - left - right, height - top - bottom, view)


def moved(image: Image, frame: Frame) -> Image:
    """The picture as the frame shows it, as PNG bytes. A picture that does not decode is an ImageError."""
    return Image.of(frame.picture(image))


def mirrored(text: str) -> str:
    """Words about a picture as they hold of its mirror image: left and right change places.

    >>> mirrored("Leftmost cup, right of the plate; all right, upright")
    'Rightmost cup, left of the plate; all left, upright'

    Only words for sides are known; "right" in another sense goes wrong.
    """
    return _SIDE.sub(_other_side, text)


def _other_side(match: re.Match) -> str:
    word = match.group(1)
    other = SIDES[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
