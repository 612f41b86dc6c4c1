"""What a player would do on seeing the last pictures of a game (PAE-LaMM §3.4), in numbers a text can hold."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from loupe.errors import ConfigError
from loupe.record import Record
from loupe.tasks.base import Case, Task

NOTHING = 10  # of 0..20: the wheel straight, no gas, no brake
SPREAD = 10  # steps of a number from 0 to 1
MOVES = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")  # the six of Space Invaders, in its order
_NUMBER = re.compile(r"(?<![\w.])-?[0-9]+(?:\.[0-9]+)?(?![\w.]*\w)")
_MOVE = re.compile(rf"\b({'|'.join(MOVES)})\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Play(Task):
    """A step of a recorded game; the pictures before the record's own stand before it."""

    needs = frozenset({"steps"})
    placeholders = {"": ()}

    def said(self, action: tuple[float, ...]) -> str:
        """An action as text."""
        raise NotImplementedError

    def read(self, text: str) -> tuple[float, ...] | None:
        """The action a text says; None where it says none, or several."""
        raise NotImplementedError

    def told(self, action: tuple[float, ...]) -> str:
        """An action for a person to read."""
        raise NotImplementedError

    def cases(self, record: Record):
        for k, step in enumerate(record.steps):
            if step.game == self.name:
                text = self.said(step.action)
                yield Case(str(k), {}, (text,), text)

    def _sample(self, record: Record, case: Case, turns):
        step = record.steps[int(case.key)]
        return replace(super()._sample(record, case, turns), images=(*step.before, record.image))


@dataclass(frozen=True, kw_only=True)
class CarRacing(Play):
    """Steering in -1..1, gas and brake in 0..1 as n = round(10 + 10 v), halves up: "[8,10,10]" is a slight left."""

    name = "car-racing"

    def said(self, action: tuple[float, ...]) -> str:
        if len(action) != 3 or not all(map(math.isfinite, action)):
            raise ConfigError("this is no action of car-racing", got=action, expected="steering, gas, brake")
        low = (-1.0, 0.0, 0.0)
        bounded = (min(max(v, least), 1.0) for v, least in zip(action, low))
        return "[" + ",".join(str(math.floor(NOTHING + SPREAD * v + 0.5)) for v in bounded) + "]"

    def read(self, text: str) -> tuple[float, ...] | None:
        """Three numbers in 0..20; gas and brake below 10 are none."""
        numbers = [float(n) for n in _NUMBER.findall(text)]
        if len(numbers) != 3 or not all(0 <= n <= NOTHING + SPREAD for n in numbers):
            return None
        steering, gas, brake = ((n - NOTHING) / SPREAD for n in numbers)
        return steering, max(gas, 0.0), max(brake, 0.0)

    def told(self, action: tuple[float, ...]) -> str:
        return "steer {:+.1f}  gas {:.1f}  brake {:.1f}".format(*action)


@dataclass(frozen=True, kw_only=True)
class SpaceInvaders(Play):
    """One of six moves, said as its number; its name is read, too."""

    name = "space-invaders"

    def said(self, action: tuple[float, ...]) -> str:
        if len(action) != 1 or action[0] not in range(len(MOVES)):
            raise ConfigError("this is no action of space-invaders", got=action, expected=f"0..{len(MOVES) - 1}")
        return str(int(action[0]))

    def read(self, text: str) -> tuple[float, ...] | None:
        named = {float(MOVES.index(name.upper())) for name in _MOVE.findall(text)}
        named |= {float(n) for n in _NUMBER.findall(text)}
        return tuple(named) if len(named) == 1 and named <= set(range(len(MOVES))) else None

    def told(self, action: tuple[float, ...]) -> str:
        return MOVES[int(action[0])]
