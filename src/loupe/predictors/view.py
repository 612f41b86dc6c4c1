"""Pictures to ask a predictor about that keeps no state between questions. No torch.

The same questions as `loupe.models.look.Look`; what needs the model's insides (masks, whole pictures) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from loupe.errors import ConfigError
from loupe.evals.shown import Shown, shown
from loupe.image import Image
from loupe.predictor import Predictor
from loupe.regions import Region
from loupe.sample import PLACED, Answer, Found, Part, Sample, Turn, turn
from loupe.tasks import question


class View:
    """predictor: what answers, with these pictures kept in sight where it keeps any.

    changed(constrain, max_tokens): the same predictor with other limits.
    """

    def __init__(self, predictor: Predictor, images: Sequence[Image], changed):
        self.predictor, self.images, self.changed = predictor, tuple(images), changed

    def ask(self, *parts: Part | Region, constrain: str | None = None, max_tokens: int | None = None) -> Answer:
        """One question of text and regions: ask("What is in", Box(40, 60, 210, 300), "?")."""
        return self.answers([parts], constrain=constrain, max_tokens=max_tokens)[0]

    def answers(self, questions: Iterable, *, constrain: str | None = None,
                max_tokens: int | None = None) -> list[Answer]:
        """Several questions, each text, a Turn, parts, or a Sample on these pictures (with earlier turns)."""
        samples = [self._sample(q) for q in questions]
        predictor = self.changed(constrain, max_tokens) if constrain or max_tokens else self.predictor
        return list(predictor.answer(samples))

    def locate(self, phrase: str, *, constrain: str | None = None) -> tuple[Found, ...]:
        """Where `phrase` is; empty when the model says it is not there, or says nothing readable."""
        return self.locate_each([phrase], constrain=constrain)[0]

    def locate_each(self, phrases: Sequence[str], *, constrain: str | None = None) -> list[tuple[Found, ...]]:
        asked = [self._task("grounding", phrase=phrase) for phrase in phrases]
        return [tuple(replace(f, phrase=f.phrase or phrase) for f in a.found)
                for phrase, a in zip(phrases, self.answers(asked, constrain=constrain))]

    def describe(self, region: Region) -> Answer:
        """Words about a region."""
        return self.answers([self._task("description", region=region)])[0]

    def show(self, *what) -> Shown:
        """The pictures with answers or regions on them, for Jupyter or to be saved; see `loupe.evals.shown.shown`."""
        return shown(self.images, *what)

    def _repr_html_(self) -> str:
        return self.show()._repr_html_()

    def talk(self) -> ViewTalk:
        """A conversation: each turn is answered knowing the earlier ones."""
        return ViewTalk(self)

    def pixels(self, n: int = 64, **options):
        raise self._cannot("be asked for whole pictures", "pixels")

    def segment(self, phrase: str, grid: int = 32, **options):
        raise self._cannot("be asked for masks", "segment")

    likely = segment

    def _cannot(self, what: str, name: str) -> ConfigError:
        return ConfigError(f"this model cannot {what}", got=self.predictor.name, where=name,
                           expected="a checkpoint of loupe", do="locate() gives boxes, with every model")

    def _task(self, name: str, **fields) -> Sample:
        return Sample(self.images, (question(name, **fields),), task=name)

    def _sample(self, asked) -> Sample:
        if isinstance(asked, Sample):
            return asked
        if isinstance(asked, (str, *PLACED)):
            asked = (asked,)
        return Sample(self.images, (asked if isinstance(asked, Turn) else turn(*asked),))


class ViewTalk:
    """`turns` is the conversation so far. An answer without a word is not kept, nor is its question."""

    def __init__(self, look: View):
        self.look, self.turns = look, ()

    def say(self, *parts: Part | Region, constrain: str | None = None, max_tokens: int | None = None) -> Answer:
        sample = Sample(self.look.images, (*self.turns, turn(*parts)))
        said, = self.look.answers([sample], constrain=constrain, max_tokens=max_tokens)
        if said.raw.strip():
            self.turns = (*sample.turns, Turn("assistant", (said.raw,)))
        return said
