"""Pictures to ask a predictor about that keeps no state between questions. No torch.

What needs the model's insides (masks, whole pictures) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loupe.errors import ConfigError
from loupe.image import Image
from loupe.models.askable import Askable
from loupe.predictor import Predictor
from loupe.regions import Region
from loupe.sample import Answer, Part, Sample, Turn, turn


class View(Askable):
    """predictor: what answers, with these pictures kept in sight where it keeps any.

    changed(constrain, max_tokens): the same predictor with other limits.
    """

    def __init__(self, predictor: Predictor, images: Sequence[Image], changed):
        self.predictor, self.images, self.changed = predictor, tuple(images), changed

    def answers(self, questions: Iterable, *, constrain: str | None = None,
                max_tokens: int | None = None) -> list[Answer]:
        samples = [self._sample(q) for q in questions]
        predictor = self.changed(constrain, max_tokens) if constrain or max_tokens else self.predictor
        return list(predictor.answer(samples))

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
