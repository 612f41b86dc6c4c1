"""Pictures that may be asked about, whoever answers: a model that has seen them, or a predictor. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from loupe.evals.shown import Shown, shown
from loupe.image import Image
from loupe.regions import Region
from loupe.sample import PLACED, Answer, Found, Part, Sample, Turn, turn
from loupe.tasks import question

DENIED = 0.5  # from here a no is believed: where it is likelier than a yes


class Askable:
    """The questions everybody may be asked; a subclass has the pictures, and gives the answers."""

    images: tuple[Image, ...]

    def answers(self, questions: Iterable, *, constrain: str | None = None,
                max_tokens: int | None = None) -> list[Answer]:
        """Several questions at once, each text, a Turn, parts, or a Sample on these pictures (with earlier turns)."""
        raise NotImplementedError

    def ask(self, *parts: Part | Region, constrain: str | None = None, max_tokens: int | None = None) -> Answer:
        """One question of text and regions: ask("What is in", Box(40, 60, 210, 300), "?").

        constrain: None, or what the answer must be and cannot help being: "box", "boxes", "point", "points", "polygon",
        "colour", "text" (no region), "free" (every region in it well formed).
        """
        return self.answers([parts], constrain=constrain, max_tokens=max_tokens)[0]

    def locate(self, phrase: str, *, constrain: str | None = None) -> tuple[Found, ...]:
        """Where `phrase` is, with scores; empty when the model says it is not there, or says nothing readable."""
        return self.locate_each([phrase], constrain=constrain)[0]

    def locate_each(self, phrases: Sequence[str], *, constrain: str | None = None) -> list[tuple[Found, ...]]:
        """As `locate`, of several phrases at once."""
        asked = [self._task("grounding", phrase=phrase) for phrase in phrases]
        return [tuple(replace(f, phrase=f.phrase or phrase) for f in a.found)
                for phrase, a in zip(phrases, self.answers(asked, constrain=constrain))]

    def there(self, phrase: str, sure: float = DENIED) -> bool:
        """Does the picture show it at all? Asked where a thing is, a model may point somewhere though it is nowhere.
        Asked this it denies it, with a probability of `sure` or more."""
        return self.denial(phrase) < sure

    def denial(self, phrase: str) -> float:
        """How likely the model says that the picture does not show it; 1 or 0 of one that is heard in words alone."""
        return float(denied(self.answers([self._task("presence", thing=phrase)])[0]))

    def describe(self, region: Region) -> Answer:
        """Words about a region."""
        return self.answers([self._task("description", region=region)])[0]

    def show(self, *what) -> Shown:
        """The pictures with answers or regions on them, for Jupyter or to be saved; see `loupe.evals.shown.shown`."""
        return shown(self.images, *what)

    def _repr_html_(self) -> str:
        return self.show()._repr_html_()

    def _task(self, name: str, **fields) -> Sample:
        return Sample(self.images, (question(name, **fields),), task=name, extra=fields)

    def _sample(self, asked) -> Sample:
        if isinstance(asked, Sample):
            return asked
        if isinstance(asked, (str, *PLACED)):
            asked = (asked,)
        return Sample(self.images, (asked if isinstance(asked, Turn) else turn(*asked),))


def denied(said: Answer) -> bool:
    """Is it a no, in free words?"""
    return re.match(r"(no|not|none|nothing)\b", said.text.strip(), re.IGNORECASE) is not None
