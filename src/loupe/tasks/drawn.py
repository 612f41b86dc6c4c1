"""Tasks with more questions than one would list: drawn while training, a fixed few of each kind in evaluation."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from loupe.errors import ConfigError, unknown_name
from loupe.record import Record
from loupe.tasks.base import Case, Task

TRIES = 4  # draws for each question wanted in evaluation


def fixed(record: Record, *what: str) -> np.random.Generator:
    """The same random numbers for the same picture and purpose, whatever else is asked."""
    name = "/".join((record.source, record.split, record.id))
    return np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32("/".join(what).encode())])


def shuffled(things, rng: np.random.Generator) -> list:
    things = list(things)
    return [things[int(k)] for k in rng.permutation(len(things))] if len(things) > 1 else things


def check_some(what: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    """At least one, all of them known."""
    if not given:
        raise ConfigError(f"no {what} is left", got="()", expected=f"some of {known}")
    for name in given:
        if name not in known:
            raise unknown_name(what, name, known)


@dataclass(frozen=True, kw_only=True)
class DrawnTask(Task):
    """`draw` makes one question of a kind; `each` of every kind are asked of a picture in evaluation."""

    KINDS: ClassVar[tuple[str, ...]] = ("",)
    each: int = 2

    def draw(self, record: Record, rng: np.random.Generator, kind: str) -> Case | None:
        """A question of this kind, None where the record has none."""
        raise NotImplementedError

    @property
    def asked(self) -> tuple[str, ...]:
        """The kinds that are asked."""
        return getattr(self, "kinds", self.KINDS)

    def choose(self, record: Record, rng: np.random.Generator) -> Case | None:
        for kind in shuffled(self.asked, rng):
            case = self.draw(record, rng, kind)
            if case is not None:
                return case
        return None

    def cases(self, record: Record):
        for kind in self.asked:
            rng, found = fixed(record, self.name, kind), {}
            for _ in range(TRIES * self.each):
                case = self.draw(record, rng, kind)
                if case is not None:
                    found.setdefault(case.key, case)
                if len(found) == self.each:
                    break
            yield from found.values()
