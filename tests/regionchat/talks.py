"""Replies for the tests: dialogues made of what a request lists."""

import json
import re

import numpy as np


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def listing_of(request: dict) -> str:
    """The last picture that was told."""
    return next(m["content"] for m in reversed(request["messages"]) if m["content"].startswith("Captions:"))


def reply(request: dict, handle: str = "", extra: str = "") -> str:
    """A dialogue about the first region that has a name, or about `handle`."""
    found = re.findall(r"^(<r\d+>): (\w+)", listing_of(request), re.M)
    first, name = found[0]
    turns = [{"user": f"What is {handle or first}?", "assistant": f"That is a {name}.{extra}"},
             {"user": f"And where is the {name}?", "assistant": f"The {name} is there: {first}."}]
    return json.dumps({"dialogues": [turns]})
