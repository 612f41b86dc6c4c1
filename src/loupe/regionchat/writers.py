"""Who writes: a language model behind an endpoint, asked twice at most, or the rules of `grammar`."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from loupe.endpoint import Client
from loupe.regionchat.checks import Bounds, faults, likeness
from loupe.regionchat.grammar import write
from loupe.regionchat.listing import Listing
from loupe.regionchat.seeds import Seeds
from loupe.regionchat.talk import Talk, Unreadable, parse, written

SHOWN = 160  # characters of a fault that are kept


@dataclass
class Outcome:
    """What became of one picture. failed: (reason, what exactly, in which of the two tries); a dialogue that fails the
    second time is lost. skipped: why nothing was asked."""

    talks: list[Talk] = field(default_factory=list)
    failed: list[tuple[str, str, int]] = field(default_factory=list)
    lost: int = 0
    skipped: str = ""


@dataclass(frozen=True)
class Asking:
    """How a model is asked. count: dialogues of a picture; shots: seed examples shown."""

    model: str
    count: int = 1
    shots: int = 3
    temperature: float = 0.7
    answer: int = 1200  # tokens, for each dialogue
    seed: int = 0
    json: bool = False  # say response_format json_object, where the endpoint knows it


async def ask(client: Client, listing: Listing, id: str, asking: Asking, seeds: Seeds, bounds: Bounds,
              things: frozenset[str]) -> Outcome:
    """Dialogues of one picture; what fails is asked for once more, with the reasons."""
    out, missing = Outcome(), asking.count
    messages = _messages(listing, id, asking, seeds, bounds, missing)
    for attempt in (1, 2):
        reply = await client.ask(_request(messages, asking, missing, id))
        try:
            talks = parse(reply.text, reply.finish)[:missing]
        except Unreadable as error:
            talks, wrong = [], [(str(error), reply.text[-SHOWN:])]
        else:
            wrong = _kept(talks, out, listing, bounds, things)
        out.failed += [(reason, what[:SHOWN], attempt) for reason, what in wrong]
        missing = asking.count - len(out.talks)
        if not missing:
            break
        messages = [*messages, {"role": "assistant", "content": reply.text},
                    {"role": "user", "content": _again(wrong, missing)}]
    out.lost = missing
    return out


def by_rule(listing: Listing, id: str, count: int, seed: int, bounds: Bounds) -> Outcome:
    """Dialogues of one picture, by `grammar`; they pass the same checks."""
    rng = np.random.default_rng([seed, zlib.crc32(id.encode())])
    out = Outcome()
    for _ in range(count):
        for attempt in (1, 2):
            talk = write(listing, rng, max(bounds.least, min(2, bounds.most)), min(bounds.most, 5))
            if talk is None:
                out.skipped = "" if out.talks else "too little is annotated"
                return out
            wrong = _kept([talk], out, listing, bounds, frozenset())
            out.failed += [(reason, what[:SHOWN], attempt) for reason, what in wrong]
            if not wrong:
                break
        else:
            out.lost += 1
    return out


def _kept(talks: list[Talk], out: Outcome, listing: Listing, bounds: Bounds, things: frozenset[str]):
    """Puts the good ones into `out`; the faults of the others."""
    wrong = []
    for talk in talks:
        mine = faults(talk, listing, bounds, things)
        if not mine and likeness(talk, listing) in {likeness(t, listing) for t in out.talks}:
            mine = [("dialogue repeated", "of the same picture")]
        if mine:
            wrong.append(mine[0])
        else:
            out.talks.append(talk)
    return wrong


def _messages(listing: Listing, id: str, asking: Asking, seeds: Seeds, bounds: Bounds, count: int) -> list[dict]:
    rng = np.random.default_rng([asking.seed, zlib.crc32(id.encode())])
    messages = [{"role": "system", "content": seeds.system(count, bounds)}]
    for seed in seeds.chosen(asking.shots, rng):
        messages += [{"role": "user", "content": seed.listing.text()},
                     {"role": "assistant", "content": written(seed.talk)}]
    return [*messages, {"role": "user", "content": listing.text()}]


def _request(messages: list[dict], asking: Asking, count: int, id: str) -> dict:
    request = {"model": asking.model, "messages": messages, "temperature": asking.temperature,
               "max_tokens": asking.answer * count, "seed": zlib.crc32(f"{asking.seed} {id}".encode())}
    return request | ({"response_format": {"type": "json_object"}} if asking.json else {})


def _again(wrong: list[tuple[str, str]], missing: int) -> str:
    """The second request; told are the faults, never what would be right."""
    said = "; ".join(dict.fromkeys(f"{reason}: {what[:80]!r}" for reason, what in wrong)) or "too few conversations"
    return f"This cannot be used ({said}). Write {missing} conversation(s) that can, as JSON in the same form."
