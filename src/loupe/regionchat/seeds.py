"""Curated examples and instructions a writer is guided by: files that a user may edit, checked when they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loupe.errors import ConfigError, FileError
from loupe.regionchat.checks import Bounds, faults
from loupe.regionchat.listing import Listing, from_plain
from loupe.regionchat.talk import Talk, written

BUILT_IN = Path(__file__).parent / "seeds"
INSTRUCTIONS = "instructions.txt"


@dataclass(frozen=True)
class Seed:
    """A made-up picture's listing and a dialogue about it."""

    name: str
    listing: Listing
    talk: Talk


@dataclass(frozen=True)
class Seeds:
    instructions: str
    examples: tuple[Seed, ...]

    @property
    def hash(self) -> str:
        text = self.instructions + "".join(s.listing.text() + written(s.talk) for s in self.examples)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def chosen(self, count: int, rng: np.random.Generator) -> Sequence[Seed]:
        """`count` different ones."""
        return [self.examples[int(k)] for k in rng.permutation(len(self.examples))[:count]]

    def system(self, count: int, bounds: Bounds) -> str:
        """The instructions with their {count}, {least} and {most}; other braces mean nothing."""
        fields = {"{count}": count, "{least}": bounds.least, "{most}": bounds.most}
        text = self.instructions
        for name, value in fields.items():
            text = text.replace(name, str(value))
        return text


def read(folder: str | Path | None = None) -> Seeds:
    """All *.json of a folder and its instructions.txt (the built-in one where there is none).

    An example must pass the checks that what is written after it must pass.
    """
    place = BUILT_IN if folder is None else Path(folder).expanduser()
    if not place.is_dir():
        raise FileError("folder of seed examples does not exist", where=place, do="check --seeds")
    own = place / INSTRUCTIONS
    instructions = _text(own if own.is_file() else BUILT_IN / INSTRUCTIONS)
    examples = tuple(_seed(path) for path in sorted(place.glob("*.json")))
    if not examples:
        raise FileError("no seed example", got="no *.json", where=place, expected="one or more")
    return Seeds(instructions, examples)


def _seed(path: Path) -> Seed:
    try:
        data = json.loads(_text(path))
        picture = data["picture"]
        talk = Talk(tuple((str(turn["user"]), str(turn["assistant"])) for turn in data["dialogue"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError("a seed example cannot be read", got=repr(error), where=path,
                        expected='{"picture": {...}, "dialogue": [{"user": ..., "assistant": ...}]}') from None
    listing = from_plain(picture, path)
    wrong = faults(talk, listing, Bounds(things=False))
    if wrong:
        raise ConfigError("a seed example breaks the rules it should teach", where=path,
                          got="; ".join(f"{reason} ({what})" for reason, what in wrong))
    return Seed(path.stem, listing, talk)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FileError("a seed file is not UTF-8 text", got=error.reason, where=path) from None
    except OSError as error:
        raise FileError("cannot read a seed file", got=error.strerror, where=path) from None
