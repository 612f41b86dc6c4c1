"""Dialogues somebody wrote about the picture (LLaVA's instruction data), turn for turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loupe.record import Record, Turns
from loupe.sample import Sample, Turn
from loupe.tasks.base import Task, identity, pick


@dataclass(frozen=True, kw_only=True)
class WrittenDialogue(Task):
    name = "dialogue"
    needs = frozenset({"dialogues"})

    def __call__(self, record: Record, rng: np.random.Generator) -> Sample | None:
        chosen = pick(whole(record), rng)
        return self.sample(record, *chosen, ends=len(chosen[1])) if chosen else None

    def every(self, record: Record) -> list[Sample]:
        """Each dialogue up to its last question; the truth is the last answer."""
        return [self.sample(record, key, texts, ends=len(texts) - 1) for key, texts in whole(record)]

    def sample(self, record: Record, key: str, texts: tuple[str, ...], ends: int) -> Sample:
        turns = tuple(Turn("assistant" if k % 2 else "user", (text,)) for k, text in enumerate(texts[:ends]))
        return Sample((record.image,), turns, self.name, identity(record, self.name, key), record.id,
                      {"truth": texts[-1]})


def whole(record: Record) -> list[tuple[str, tuple[str, ...]]]:
    """(key, texts) of the dialogues with an answer to every question; a question left open at the end is cut off."""
    return [(turns.id or str(k), texts) for k, turns in enumerate(record.dialogues) if (texts := _answered(turns))]


def _answered(turns: Turns) -> tuple[str, ...]:
    texts = tuple(text.strip() for text in turns.texts[:len(turns.texts) // 2 * 2])
    return texts if all(texts) else ()
