"""A picture as a predictor says it is: a question for every pixel of it, squeezed to n x n, through codec and dialogue.

A loupe model is asked on one look and held to its codec's grammar, so that it always says a colour; any other predictor
is asked in the same words and may say anything. A place whose answer is no colour counts with the picture's mean.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from loupe.errors import ConfigError, LoupeError
from loupe.image import Image, downsampled
from loupe.predictor import Predictor
from loupe.regions import Colour, Point
from loupe.sample import Answer, Sample, Turn
from loupe.tasks import question

WORDS = 32  # tokens that hold a colour and a few words around it
PLACES = ("auto", "region", "words")
# three whole numbers in a row, such as [r, g, b]; with names, such as R: 1, G: 2, B: 3; #rrggbb
_ROW = re.compile(r"\d+(?:\.\d+)?(?:(?:\s*[,;/]\s*|\s+)\d+(?:\.\d+)?)*")
_NAMED = re.compile(r"\br(?:ed)?\W{0,4}(\d+)\W{1,4}g(?:reen)?\W{0,4}(\d+)\W{1,4}b(?:lue)?\W{0,4}(\d+)", re.IGNORECASE)
_HEX = re.compile(r"#([0-9a-fA-F]{6})(?![0-9a-fA-F])")


@dataclass(frozen=True, eq=False)
class Glimpse:
    """said uint8 [n, n, 3]; unread: places without a colour, by reason."""

    said: np.ndarray
    unread: Counter = field(default_factory=Counter)


def glimpse(predictor: Predictor, image: Image, n: int, place: str = "auto", **options) -> Glimpse:
    """place: "region" names a pixel as the predictor's codec writes points; "words" says how many per cent from the
    left and from the top; "auto" takes the codec where it has points. options: of `Look.pixels`."""
    if n < 2:
        raise ConfigError("a picture to be asked about has at least two pixels a side", got=n, expected="2 or more",
                          where="size")
    if place not in PLACES:
        raise ConfigError("a place cannot be said so", got=repr(place), expected=" or ".join(PLACES), where="place")
    kinds = spoken(predictor)
    if hasattr(predictor, "vlm") and "colour" in kinds and "point" in kinds and place != "words":
        return Glimpse(predictor.look(image).pixels(n, **options))
    worded = place == "words" or (place == "auto" and bool(kinds) and "point" not in kinds)
    short = predictor.shortened(WORDS) if hasattr(predictor, "shortened") else predictor
    width, height = image.size
    asked = [ask(image, Point((x + 0.5) * width / n, (y + 0.5) * height / n), worded, f"{image.content_hash}#{y}:{x}")
             for y, x in product(range(n), range(n))]
    said = np.zeros((n * n, 3), np.uint8)
    known, unread = np.zeros(n * n, bool), Counter()
    for k, answer in enumerate(getattr(short, "dense", short.answer)(asked)):
        colour = colour_of(answer)
        if colour is None:
            unread[why(answer)] += 1
            continue
        said[k], known[k] = (colour.r, colour.g, colour.b), True
    said[~known] = np.rint(downsampled(image, n).reshape(-1, 3).mean(0))
    return Glimpse(said.reshape(n, n, 3), unread)


def spoken(predictor: Predictor) -> frozenset[str]:
    """Kinds of regions the predictor's codec writes; empty where it is not known."""
    inside = getattr(getattr(getattr(predictor, "vlm", None), "encoder", None), "codec", None)
    known = getattr(predictor, "codec", None) or inside
    return frozenset(kind for group in getattr(known, "groups", ()) for kind in group.kinds)


def ask(image: Image, point: Point, worded: bool, key: str) -> Sample:
    """The colour at a point, in the task's fixed wording; `worded`: the place in words."""
    if not worded:
        return Sample((image,), (question("reconstruction", region=point),), "reconstruction", key)
    width, height = image.size
    words = (f"Which colour has the pixel {100 * point.x / width:.1f} % from the left and "
             f"{100 * point.y / height:.1f} % from the top of the picture?")
    return Sample((image,), (Turn("user", (words,)),), "reconstruction", key)


def colour_of(answer: Answer) -> Colour | None:
    """The first colour of an answer: as its codec reads it, else three numbers to 255 in a row, or #rrggbb."""
    for part in answer.parts:
        if isinstance(part, Colour):
            return part
    text = answer.raw or answer.text
    found = _HEX.search(text)
    if found:
        return Colour(*bytes.fromhex(found[1]))
    rows = [*(m.groups() for m in _NAMED.finditer(text)), *(re.split(r"[,;/\s]+", m[0]) for m in _ROW.finditer(text))]
    for row in rows:
        if len(row) == 3 and all(n.isdecimal() and int(n) <= 255 for n in row):
            return Colour(*map(int, row))
    return None


def why(answer: Answer) -> str:
    return answer.problems[0].kind if answer.problems else "no colour"


def probed(pictures, split: str = "") -> tuple[list[Image], list[str]]:
    """(pictures, why some are left out) from files, or from a folder of them (its split)."""
    from pathlib import Path

    from loupe.readers.folder import Folder

    out, left = [], []
    for place in map(Path, pictures):
        found = [r.image for r in Folder(place, split)] if place.is_dir() else [Image(path=place)]
        for image in found:
            try:
                image.pillow()
                out.append(image)
            except LoupeError as error:
                left.append(str(error))
    return out, left
