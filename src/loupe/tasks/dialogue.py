"""Dialogues somebody wrote about the picture (LLaVA's instruction data, region dialogues), or without one (Alpaca),
turn for turn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loupe.record import Record, Turns
from loupe.regions import Region
from loupe.sample import Part, Regions, Sample, Turn
from loupe.tasks.base import Task, identity, pick
from loupe.tasks.drawn import check_some, fixed
from loupe.tasks.forms import check_forms, drawn, given

ABOUT = ("any", "regions", "picture")


@dataclass(frozen=True, kw_only=True)
class WrittenDialogue(Task):
    """Handles in the texts become the regions they mean, as `Turns.regions` says.

    Regions a user names are given as one of `forms`, drawn anew for every human turn; those of answers as annotated.
    """

    name = "dialogue"
    needs = frozenset({"dialogues"})
    forms: tuple[str, ...] = ()  # of FORMS; none: as annotated
    about: str = "any"  # "regions": only dialogues that name some; "picture": only those that name none

    def __post_init__(self):
        check_forms(self.forms)
        check_some("sort of dialogue", (self.about,), ABOUT)

    def __call__(self, record: Record, rng: np.random.Generator) -> Sample | None:
        chosen = pick(self._known(record), rng)
        return self.sample(record, *chosen, rng) if chosen else None

    def pose(self, record: Record, rng: np.random.Generator) -> Sample | None:
        chosen = pick(self._known(record), rng)
        return self.sample(record, *chosen, None) if chosen else None

    def every(self, record: Record) -> list[Sample]:
        """Each dialogue up to its last question; the truth is the words of the last answer."""
        return [self.sample(record, key, talk, None) for key, talk in self._known(record)]

    def _known(self, record: Record) -> list[tuple[str, Turns]]:
        return [(key, talk) for key, talk in whole(record)
                if self.about == "any" or (self.about == "regions") == bool(talk.regions)]

    def sample(self, record: Record, key: str, talk: Turns, rng: np.random.Generator | None) -> Sample:
        """The whole dialogue; without `rng` in fixed wordings and up to its last question."""
        known, turns = dict(talk.regions), []
        for k, text in enumerate(talk.texts if rng is not None else talk.texts[:-1]):
            if k % 2:
                turns.append(Turn("assistant", said(text, known, talk.tied)))
            else:
                shown = self._shown(record, known, rng or fixed(record, self.name, key, str(k)))
                turns.append(Turn("user", self.styled(said(text, shown, talk.tied), rng)))
        last = " ".join("".join(p for p in said(talk.texts[-1], known) if isinstance(p, str)).split())
        extra = {"truth": last if known else talk.texts[-1], **({"style": self.style} if self.style else {})}
        return Sample(record.images, tuple(turns), self.name, identity(record, self.name, key), record.id, extra)

    def _shown(self, record: Record, known: Mapping[str, Region], rng: np.random.Generator) -> Mapping[str, Region]:
        """The regions as one human turn gives them; where one has not the turn's form, another or as annotated."""
        if not self.forms or not known:
            return known
        form = pick(list(self.forms), rng)
        boxes = {o.box: o.id for o in record.objects if not o.crowd}
        out = {}
        for handle, region in known.items():
            thing = boxes.get(region, "")
            shown = given(record, region, form, rng, thing)
            other = drawn(record, region, self.forms, rng, thing) if shown is None else None
            out[handle] = shown or (other[1] if other else region)
        return out


def said(text: str, regions: Mapping[str, Region], tied: Sequence[tuple[str, str]] = ()) -> tuple[Part, ...]:
    """A text as parts: each handle the region it means; handles side by side, or joined by commas, mean one part.

    tied: (handle, name) of names that belong to their region where they stand right before it.
    """
    if not regions:
        return (text,)
    handle = "|".join(re.escape(name) for name in sorted(regions, key=len, reverse=True))
    parts: list[Part] = []
    for piece in re.split(rf"((?:{handle})(?:[ ,]*(?:{handle}))*)", text):
        found = re.findall(handle, piece)
        if found and re.fullmatch(rf"(?:{handle}|[ ,])+", piece):
            before = parts[-1].rstrip() if parts and isinstance(parts[-1], str) else ""
            names = [name for handle, name in tied if handle == found[0] and before.endswith(name)]
            parts.append(Regions(tuple(regions[name] for name in found), max(names, key=len, default="")))
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
