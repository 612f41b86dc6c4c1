"""Who plays: anything that answers questions, or a function of what is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loupe.errors import ConfigError
from loupe.games.arcade import Sight
from loupe.games.game import Game
from loupe.predictor import Predictor
from loupe.sample import Answer, Sample, Turn
from loupe.tasks import question, task

Sights = Sequence[Sight]  # oldest first
Act = Callable[[Sights], tuple[float, ...]]
SILENT = 20  # answers in a row without a word, after which playing on is pointless


@dataclass(frozen=True)
class Move:
    action: tuple[float, ...]
    text: str = ""  # what was said, where somebody said it
    problem: str = ""  # why nothing could be read; then nothing is done


class Player(Protocol):
    """Plays several games side by side, each at a seat of its own. `identity` tells players apart."""

    name: str
    identity: dict

    def begin(self, seat: int, seed: int) -> None: ...

    def moves(self, seen: Mapping[int, Sights]) -> dict[int, Move]: ...


class Each:
    """A function of what is seen, made anew for every game from its seed."""

    def __init__(self, name: str, make: Callable[[int], Act], identity: dict | None = None):
        self.name, self.make, self.identity = name, make, {"name": name, **(identity or {})}
        self._seats: dict[int, Act] = {}

    def begin(self, seat: int, seed: int) -> None:
        self._seats[seat] = self.make(seed)

    def moves(self, seen: Mapping[int, Sights]) -> dict[int, Move]:
        return {seat: Move(self._seats[seat](sights)) for seat, sights in seen.items()}


class Asked:
    """A predictor, asked at every step in the game's fixed wording. What it has seen it is not shown again, where it
    can remember pictures (`remembering`); answers of several games are asked for together."""

    def __init__(self, predictor: Predictor, game: Game, identity: dict | None = None, pictures: int = 64):
        remembering = getattr(predictor, "remembering", None)
        self.predictor = predictor if remembering is None else remembering(pictures)
        self.name, self.game = predictor.name, game
        self.identity = {"name": predictor.name, **(identity or {})}
        self.task, self.question = task(game.name), question(game.name)
        self._silent = 0

    def begin(self, seat: int, seed: int) -> None:
        pass

    def sample(self, sights: Sights, seat: int = 0) -> Sample:
        return Sample(tuple(s.image for s in sights), (Turn("user", self.question.parts),), self.game.name, str(seat))

    def moves(self, seen: Mapping[int, Sights]) -> dict[int, Move]:
        samples = [self.sample(sights, seat) for seat, sights in seen.items()]
        return {seat: self._read(said) for seat, said in zip(seen, self.predictor.answer(samples), strict=True)}

    def _read(self, said: Answer) -> Move:
        why = next((p for p in said.problems if p.kind in ("question", "picture")), None)
        if why is not None:
            raise ConfigError(f"{self.name} cannot be asked what to do in {self.game.name}", got=why.text)
        self._silent = 0 if said.raw.strip() else self._silent + 1
        if self._silent >= SILENT:
            why = said.problems[0].text if said.problems else "no word"
            raise ConfigError(f"{self.name} does not answer", got=why, where=f"{SILENT} steps in a row")
        action = self.task.read(said.raw)
        if action is not None:
            return Move(action, said.raw)
        silent = said.problems[0].kind if said.problems else "nothing said"
        return Move(self.game.still, said.raw, "unreadable" if said.raw.strip() else silent)


def chance(game: Game) -> Each:
    """Every action as likely, whatever is seen."""
    def make(seed: int) -> Act:
        rng = np.random.default_rng([seed, 1])
        if game.choices:
            return lambda sights: (float(rng.integers(game.choices)),)
        return lambda sights: (float(rng.uniform(-1, 1)), float(rng.uniform()), float(rng.uniform()))
    return Each("random", make)


def still(game: Game) -> Each:
    """Does nothing."""
    return Each("still", lambda seed: lambda sights: game.still)
