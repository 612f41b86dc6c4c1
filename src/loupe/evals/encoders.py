"""How alike are an answer and the names of classes? By words here; a text encoder (CLIP's) may stand in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from loupe.evals.metrics.exact import tidy
from loupe.tasks.grammar import PLURALS

SAID, PART = 0.9, 0.6  # a name that stands in the answer; at most this for one that only resembles it
SINGULAR = {several: one for one, several in PLURALS.items()}
OTHERS = {  # what people say for COCO's classes
    "person": ("man", "woman", "boy", "girl", "child", "kid", "baby", "lady", "guy", "player", "people"),
    "bicycle": ("bike",), "motorcycle": ("motorbike",), "airplane": ("plane", "aeroplane", "jet"), "tv": ("television",
    "screen", "monitor"), "couch": ("sofa",), "cell phone": ("phone", "mobile phone", "smartphone"), "potted plant":
    ("plant", "houseplant"), "dining table": ("table", "desk"), "sports ball": ("ball",), "cow": ("cattle", "bull"),
    "refrigerator": ("fridge",), "donut": ("doughnut",), "hair drier": ("hair dryer",), "wine glass": ("glass",),
    "handbag": ("purse", "bag"), "mouse": ("computer mouse",), "remote": ("remote control",), "teddy bear": ("teddy",)}


class Encoder(Protocol):
    """`name` goes into reports; `similarity` gives [texts, classes], larger for more alike."""

    name: str

    def similarity(self, texts: Sequence[str], classes: Sequence[str]) -> np.ndarray: ...


class Lexical:
    """1 for the name itself; SAID and a little for a name (or another word for it) inside the answer, less the later it
    comes; else how many letter triples are shared."""

    name = "lexical"

    def similarity(self, texts: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        return np.array([[alike(text, name) for name in classes] for text in texts]).reshape(len(texts), len(classes))


@lru_cache(maxsize=200_000)
def alike(text: str, name: str) -> float:
    said, wanted = single_words(text), single_words(name)
    if not said or not wanted:
        return 0.0
    if said == wanted:
        return 1.0
    for form, most in ((wanted, SAID + 0.08), *((single_words(o), SAID + 0.04) for o in OTHERS.get(name, ()))):
        at = _place(said, form)
        if at is not None:  # a longer name is more exact, an earlier one is what the sentence is about
            return most - 0.03 * at / len(said) + 0.002 * len(form)
    return PART * _shared("".join(said), "".join(wanted))


@lru_cache(maxsize=100_000)
def single_words(text: str) -> tuple[str, ...]:
    """Words in lower case, plurals as one, articles left out."""
    return tuple(_one(w) for w in re.findall(r"[a-z0-9]+", tidy(text)) if w not in ("a", "an", "the"))


def _one(word: str) -> str:
    if word in SINGULAR:
        return SINGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")) else word


def _place(said: tuple[str, ...], name: tuple[str, ...]) -> int | None:
    spots = (k for k in range(len(said) - len(name) + 1) if said[k:k + len(name)] == name)
    return next(spots, None) if name else None


def _shared(a: str, b: str) -> float:
    """Dice of letter triples."""
    first, second = ({f" {w} "[k:k + 3] for k in range(len(w))} for w in (a, b))
    return 2 * len(first & second) / (len(first) + len(second)) if first and second else 0.0
