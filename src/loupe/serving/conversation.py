"""Messages as a Sample, and an Answer as a message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from loupe.errors import LoupeError
from loupe.models.look import turn
from loupe.sample import Answer, Regions, Sample, Turn
from loupe.serving import places, schemas
from loupe.serving.faults import Refused
from loupe.serving.pictures import Picture
from loupe.serving.settings import Settings
from loupe.serving.unfolding import problems, told

_PLACE = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True)
class Heard:
    """What a request says: a sample, the ids of its pictures, and what could not be said to the model as it was."""

    sample: Sample
    pictures: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> list[dict]:
        return [{"kind": "changed", "message": note} for note in self.notes]


@dataclass(frozen=True)
class Ear:
    """How a model hears: kinds of regions it reads, and whether it has been told what a system message is."""

    kinds: frozenset[str]
    system: bool = False


def heard(messages: list, find: Callable[[str], Picture], ear: Ear, settings: Settings) -> Heard:
    """The conversation as a Sample that ends with the user's turn. All pictures stand in front, in their order."""
    _bounded(messages, settings)
    urls = [part.image_url.url for m in messages if m.role == "user" and not isinstance(m.content, str)
            for part in m.content if isinstance(part, schemas.ImagePart)]
    if len(urls) > settings.images:
        raise Refused(400, "too many pictures in one conversation", got=len(urls), param="messages",
                      expected=f"at most {settings.images}")
    pictures = [find(url) for url in urls]
    sizes = [(p.width, p.height) for p in pictures]
    notes: dict[str, None] = {}
    system, turns = [], []
    for k, message in enumerate(messages):
        where = f"messages[{k}]"
        if isinstance(message, schemas.SystemMessage):
            system.append(_words(message.content))
        elif isinstance(message, schemas.AssistantMessage):
            turns.append(Turn("assistant", _said(message, sizes, ear, notes, where)))
        else:
            turns.append(_asked(message, sizes, ear, notes, where))
    roles = [t.role for t in turns]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise Refused(400, "messages do not alternate", got=", ".join(roles)[:200] or "none", param="messages",
                      expected="user, assistant, ..., user")
    if any(text.strip() for text in system):
        if ear.system:
            turns[0] = Turn("user", ("\n\n".join(system) + "\n\n", *turns[0].parts))
        else:
            notes["this model has no place for a system message; it was left out"] = None
    sample = Sample(tuple(p.image for p in pictures), tuple(turns))
    return Heard(sample, tuple(p.id for p in pictures), tuple(notes))


def reply(answer: Answer, heard: Heard | None = None) -> dict:
    """The assistant's message."""
    content, regions = told(answer.parts)
    return {"role": "assistant", "content": content, "refusal": None, "regions": regions,
            "problems": (heard.problems if heard else []) + problems(answer)}


def _bounded(messages: list, settings: Settings) -> None:
    if len(messages) > settings.turns:
        raise Refused(400, "too many messages", got=len(messages), expected=f"at most {settings.turns}",
                      param="messages", do="begin a new conversation")
    words = regions = 0
    for message in messages:
        content = message.content or ""
        parts = [] if isinstance(content, str) else content
        words += len(content) if isinstance(content, str) else sum(
            len(p.text) for p in parts if isinstance(p, schemas.TextPart))
        words += sum(len(region.phrase or "") for region in getattr(message, "regions", None) or ())
        regions += sum(isinstance(p, schemas.Placed) for p in parts) + len(getattr(message, "regions", None) or ())
    if words > settings.text:
        raise Refused(413, "too many words", got=f"{words} characters", expected=f"at most {settings.text}",
                      param="messages", code="context_length_exceeded")
    if regions > settings.regions:
        raise Refused(400, "too many regions", got=regions, expected=f"at most {settings.regions}", param="messages")


def _words(content) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content or ())


def _region(given, sizes, ear: Ear, notes: dict, where: str):
    made, note = places.readable(places.region_of(given, sizes, where), ear.kinds)
    if note:
        notes[note] = None
    return made


def _asked(message, sizes, ear: Ear, notes: dict, where: str) -> Turn:
    if isinstance(message.content, str):
        parts = [message.content]
    else:
        parts = [part.text if isinstance(part, schemas.TextPart) else _region(part, sizes, ear, notes, where)
                 for part in message.content if not isinstance(part, schemas.ImagePart)]
    try:
        return turn(*parts)
    except LoupeError as error:
        raise Refused.of(error, where) from None


def _said(message, sizes, ear: Ear, notes: dict, where: str) -> tuple:
    """An earlier answer, "[1]" being its first region where the regions were sent along."""
    content = _words(message.content)
    regions = [_region(given, sizes, ear, notes, where) for given in message.regions or ()]
    phrases = [(given.phrase or "").strip() for given in message.regions or ()]
    parts, at = [], 0
    for match in _PLACE.finditer(content):
        index = int(match.group(1)) - 1
        if 0 <= index < len(regions):
            parts += [content[at:match.start()], Regions((regions[index],), phrases[index])]
            at = match.end()
    parts = tuple(part for part in (*parts, content[at:]) if part != "")
    if not any(not isinstance(part, str) or part.strip() for part in parts):
        raise Refused(400, "an assistant message is empty", param=where)
    return parts
