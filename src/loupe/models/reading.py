"""Generated tokens as an Answer, each region with the probability of the tokens that spell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from loupe.models.decoding import Generated
from loupe.models.guide import Guide, Pieces
from loupe.models.vlm import VLM
from loupe.models.weighing import Dice
from loupe.sample import Answer, Found, Sample


def read(model: VLM, sample: Sample, written: Generated, guide: Guide | Dice | None = None) -> Answer:
    """What was generated as an Answer, each region with the geometric mean probability of its tokens."""
    encoder = model.encoder
    if guide is not None and not written.stopped and guide.whole:
        written = Generated(written.ids[:guide.whole], written.logs[:guide.whole])
    whole = encoder.decode(written.ids)
    text = encoder.dialogue.answer(whole)
    score = _mean(written.logs)
    places, heard = encoder.places(sample), encoder.dialogue.heard(text, sample.task)
    if not places or heard != text:
        return Answer((heard,) if heard else (), (), text, score)
    parsed = encoder.codec.parse(text, places[0], 0)
    parts, spans = [], iter(parsed.spans)
    ends = _token_ends(encoder, written.ids) if parsed.spans else []
    offset = max(0, whole.find(text))
    for part in parsed.parts:
        if not isinstance(part, str):
            start, end = next(spans)
            if isinstance(part, Found):
                part = replace(part, score=_mean(_logs_between(written.logs, ends, start + offset, end + offset)))
        parts.append(part)
    return Answer(tuple(parts), parsed.problems, text, score)


def _token_ends(encoder, ids: Sequence[int]) -> list[int]:
    """Character behind each token in the decoded text."""
    return [len(encoder.decode(ids[:k])) for k in range(1, len(ids) + 1)]


def _logs_between(logs: Sequence[float], ends: Sequence[int], start: int, end: int) -> list[float]:
    """Of the tokens that write any character of start..end."""
    return [log for log, a, b in zip(logs, [0, *ends], ends) if a < end and b > start]


def _mean(logs: Sequence[float | None]) -> float | None:
    """Log-probabilities -> their geometric mean probability, of those tokens that were a choice."""
    known = [log for log in logs if log is not None]
    return math.exp(sum(known) / len(known)) if known else None


def pieces(model: VLM) -> Pieces:
    """The text of the model's tokens, found out once."""
    encoder = model.encoder
    if not hasattr(encoder, "pieces"):
        encoder.pieces = Pieces(encoder.tokenizer)
    return encoder.pieces
