"""What an endpoint said as an Answer: regions with the probability of the tokens that spell them. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from loupe.codec import Codec
from loupe.frame import Frame
from loupe.sample import Answer, Found

Logs = Sequence[tuple[str, float]]  # (token, log-probability)


def heard(text: str, logs: Logs, codec: Codec, frames: Sequence[Frame]) -> Answer:
    """Regions lie on the first picture; without pictures everything is words."""
    ends = _ends(text, logs)
    score = _mean([log for _, log in ends])
    if not frames:
        return Answer((text,), (), text, score)
    parsed = codec.parse(text, frames[0], 0)
    parts, spans = [], iter(parsed.spans)
    for part in parsed.parts:
        if not isinstance(part, str):
            span = next(spans)
            if isinstance(part, Found):
                part = replace(part, score=_between(ends, *span))
        parts.append(part)
    return Answer(tuple(parts), parsed.problems, text, score)


def _ends(text: str, logs: Logs) -> list[tuple[int, float]]:
    """(character behind each token, its log-probability); empty where the tokens do not spell the text."""
    spelled = "".join(token for token, _ in logs)
    start = spelled.find(text)
    if not logs or start < 0:
        return []
    out, at = [], -start
    for token, log in logs:
        at += len(token)
        out.append((at, log))
    return out


def _between(ends: list[tuple[int, float]], start: int, end: int) -> float | None:
    """Of the tokens that write any character of start..end."""
    starts = [0, *(at for at, _ in ends)]
    return _mean([log for before, (at, log) in zip(starts, ends) if before < end and at > start])


def _mean(logs: list[float]) -> float | None:
    """Log-probabilities -> their geometric mean probability."""
    return math.exp(min(0.0, sum(logs) / len(logs))) if logs else None
