"""Dialogues somebody wrote about the picture (LLaVA's instruction data, region dialogues), turn for turn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from loupe.record import Record, Turns
from loupe.regions import Region
from loupe.sample import Part, Regions, Sample, Turn
from loupe.tasks.base import Task, identity, pick


@dataclass(frozen=True, kw_only=True)
class WrittenDialogue(Task):
    """Handles in the texts become the regions they mean, as `Turns.regions` says."""

    name = "dialogue"
    needs = frozenset({"dialogues"})

    def __call__(self, record: Record, rng: np.random.Generator) -> Sample | None:
        chosen = pick(whole(record), rng)
        return self.sample(record, *chosen, ends=len(chosen[1].texts)) if chosen else None

    def every(self, record: Record) -> list[Sample]:
        """Each dialogue up to its last question; the truth is the words of the last answer."""
        return [self.sample(record, key, talk, ends=len(talk.texts) - 1) for key, talk in whole(record)]

    def sample(self, record: Record, key: str, talk: Turns, ends: int) -> Sample:
        known = dict(talk.regions)
        turns = tuple(Turn("assistant" if k % 2 else "user", said(text, known))
                      for k, text in enumerate(talk.texts[:ends]))
        last = " ".join("".join(p for p in said(talk.texts[-1], known) if isinstance(p, str)).split())
        truth = last if known else talk.texts[-1]
        return Sample((record.image,), turns, self.name, identity(record, self.name, key), record.id, {"truth": truth})


def said(text: str, regions: Mapping[str, Region]) -> tuple[Part, ...]:
    """A text as parts: each handle the region it means; handles side by side, or joined by commas, mean one part."""
    if not regions:
        return (text,)
    handle = "|".join(re.escape(name) for name in sorted(regions, key=len, reverse=True))
    parts: list[Part] = []
    for piece in re.split(rf"((?:{handle})(?:[ ,]*(?:{handle}))*)", text):
        found = re.findall(handle, piece)
        if found and re.fullmatch(rf"(?:{handle}|[ ,])+", piece):
            parts.append(Regions(tuple(regions[name] for name in found)))
        elif piece:
            parts.append(piece)
    return tuple(parts)


def whole(record: Record) -> list[tuple[str, Turns]]:
    """(key, dialogue) of those with an answer to every question; a question left open at the end is cut off."""
    return [(turns.id or str(k), replace(turns, texts=texts)) for k, turns in enumerate(record.dialogues)
            if (texts := _answered(turns))]


def _answered(turns: Turns) -> tuple[str, ...]:
    texts = tuple(text.strip() for text in turns.texts[:len(turns.texts) // 2 * 2])
    return texts if all(texts) else ()
