"""Settings of a request that some models refuse by name, and what is sent in their place."""

from __future__ import annotations

import re
import sys

from tqdm import tqdm

INSTEAD = {"max_tokens": "max_completion_tokens"}
LEFT_OUT = ("temperature", "seed", "skip_special_tokens")
UNKNOWN = re.compile(r"unsupported|(not|n't) support|not (allowed|permitted|available)|only the default|deprecated"
                     r"|unrecogni[sz]ed|unknown|unexpected", re.I)
MEANS = {
    "max_tokens": "sent as max_completion_tokens, which also counts what a model thinks before it answers: where "
                  "nothing is said (finish_reason length), give --max-tokens more",
    "temperature": "left out: answers are drawn as the endpoint draws them, and differ from time to time",
    "seed": "left out: drawn answers differ from time to time",
    "skip_special_tokens": "left out: where it drops special tokens from answers, places arrive without their marks, "
                           "and the server has to be told to keep them",
}


class Refused:
    """What an endpoint has refused so far; told on stderr once each."""

    def __init__(self, endpoint: str):
        self.endpoint, self.names = endpoint, set()

    def spelt(self, request: dict) -> dict:
        """The request as this endpoint takes it."""
        named = {INSTEAD.get(name, name) if name in self.names else name: value for name, value in request.items()}
        return {name: value for name, value in named.items() if name not in LEFT_OUT or name not in self.names}

    def learns(self, sent: dict, status: int, said: str) -> bool:
        """Whether a refusal names a setting of what was sent that another request can do without."""
        name = refused(sent, said) if status in (400, 422) else None
        if name is not None and name not in self.names:
            self.names.add(name)
            tqdm.write(f"{self.endpoint} refuses {name}; {MEANS[name]}", file=sys.stderr)
        return name is not None


def refused(sent: dict, said: str) -> str | None:
    """The setting that a refusal is about. One of a wrong value is none: that is to be mended where it was given."""
    if not UNKNOWN.search(said):
        return None
    for name, other in INSTEAD.items():
        if name in sent and re.search(rf"\b{other}\b", said):
            return name
    return next((name for name in LEFT_OUT if name in sent and re.search(rf"\b{name}\b", said)), None)
