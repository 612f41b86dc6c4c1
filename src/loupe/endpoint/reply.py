"""What a request is called, and what came back for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

CHARACTERS = 4  # of a token, where a server does not count
MOST = 10**9  # tokens; a server that says more has not counted


@dataclass(frozen=True)
class Reply:
    """finish: "stop", "length" (cut off by the limit of tokens), or what the server says.

    counted: the server said how many tokens were used; otherwise they are guessed from the characters.
    logs: (token, log-probability) of the answer, where they were asked for and given.
    """

    text: str
    prompt_tokens: int = 0
    answer_tokens: int = 0
    finish: str = "stop"
    counted: bool = True
    cached: bool = False
    logs: tuple[tuple[str, float], ...] = ()

    def stored(self) -> dict:
        return {name: value for name, value in asdict(self).items() if name != "cached"}


def key_of(request: dict) -> str:
    """The same messages to the same model with the same settings have the same key, wherever the server runs."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def guessed_tokens(request: dict) -> int:
    """Tokens of the messages; a picture inside them counts as 1,000."""
    characters = pictures = 0
    for message in request["messages"]:
        content = message["content"]
        for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            characters += len(part.get("text", ""))
            pictures += part.get("type") != "text"
    return characters // CHARACTERS + 1000 * pictures + 1


def guessed(request: dict, characters: int, text: str = "") -> Reply:
    """A reply of so many characters whose tokens nobody counted."""
    return Reply(text, guessed_tokens(request), characters // CHARACTERS + 1, counted=False)


def read(data: object, request: dict) -> Reply | None:
    """The first choice of a chat completion; None where there is none."""
    try:
        choice = data["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return None
    if text is None and choice.get("finish_reason") == "length":  # it thought until the limit: asking again is no help
        text = ""
    if not isinstance(text, str):
        return None
    usage = data.get("usage") or {}
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in ("prompt_tokens", "completion_tokens")]
    finish, logs = str(choice.get("finish_reason") or "stop"), _logs(choice)
    if all(isinstance(n, int) and 0 <= n < MOST for n in counts):
        return Reply(_sound(text), *counts, finish, logs=logs)
    return replace(guessed(request, len(text), _sound(text)), finish=finish, logs=logs)


def _sound(text: str) -> str:
    """Halves of characters, which JSON may spell and no file can hold, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _logs(choice: dict) -> tuple[tuple[str, float], ...]:
    try:
        return tuple((_sound(str(each["token"])), float(each["logprob"])) for each in choice["logprobs"]["content"])
    except (KeyError, TypeError, ValueError):
        return ()
