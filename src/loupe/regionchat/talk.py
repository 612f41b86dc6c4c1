"""Dialogues as a writer gives them: JSON in a reply, turns with handles."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

HANDLE = re.compile(r"<r\d+>")


@dataclass(frozen=True)
class Talk:
    """(question, answer) in turn; regions stand in them as handles."""

    turns: tuple[tuple[str, str], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(text for turn in self.turns for text in turn)

    @property
    def handles(self) -> tuple[str, ...]:
        """Each once, in the order in which they come up."""
        return tuple(dict.fromkeys(HANDLE.findall(" ".join(self.texts))))


class Unreadable(ValueError):
    """A reply that holds no dialogues; its words are the reason."""


def parse(text: str, finish: str = "stop") -> list[Talk]:
    """The dialogues in a reply, a fence around the JSON allowed. Unreadable("not JSON", "cut short", "another shape").
    """
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0:
        raise Unreadable("not JSON")
    try:
        data = json.loads(text[begin:end + 1])
    except (ValueError, RecursionError):
        raise Unreadable("cut short" if finish == "length" or _open(text[begin:]) else "not JSON") from None
    try:
        talks = [Talk(tuple((_words(turn["user"]), _words(turn["assistant"])) for turn in dialogue))
                 for dialogue in data["dialogues"]]
    except (KeyError, TypeError, UnicodeEncodeError):
        raise Unreadable("another shape") from None
    if not talks:
        raise Unreadable("another shape")
    return talks


def written(talk: Talk) -> str:
    """As a reply holds it."""
    return json.dumps({"dialogues": [[{"user": q, "assistant": a} for q, a in talk.turns]]}, ensure_ascii=False)


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a turn is no text")
    value.encode()  # an error of half a letter: it can be kept nowhere
    return " ".join(value.split())


def _open(text: str) -> bool:
    """Does the text end inside a string, or before its brackets are closed?"""
    depth, inside, escaped = 0, False, False
    for c in text:
        if inside:
            inside, escaped = escaped or c != '"', not escaped and c == "\\"
        elif c == '"':
            inside = True
        else:
            depth += (c in "{[") - (c in "}]")
    return inside or depth > 0
