"""What is drawn from which source for which task, as values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """One annotated folder and the tasks drawn from its pictures.

    Each picture comes `weight` times in an epoch (0.5: half of the pictures, others in the next epoch).
    """

    name: str  # of this source in manifests and counts
    reader: str  # name in READERS
    folder: str  # name of the folder below the root
    split: str = ""
    tasks: tuple[tuple[str, float], ...] = ()  # (name in TASKS, weight)
    weight: float = 1.0
    limit: int | None = None  # only so many records, chosen by the seed
    options: dict = field(default_factory=dict, hash=False)  # of the reader
    task_options: dict = field(default_factory=dict, hash=False)  # {task name: {option: value}}


@dataclass(frozen=True)
class Curriculum:
    """Pictures of few objects first: the number allowed grows evenly from `start` to `end` over the first `share`."""

    start: int = 1
    end: int = 6
    share: float = 0.35


@dataclass(frozen=True)
class HeldOut:
    """Pictures that may not be trained on: those of an evaluation split (see overlap.py)."""

    reader: str
    folder: str
    split: str = ""
    options: dict = field(default_factory=dict, hash=False)
    by_content: bool = False  # compare the bytes of the pictures too; reads every picture once


@dataclass(frozen=True)
class Refused:
    """A data set no source of the mixture may read, by the name of its reader or what its records call their source."""

    reader: str
    splits: tuple[str, ...] = ()  # only these, and reading all splits at once; none: the whole data set
    why: str = ""


@dataclass(frozen=True)
class Mixture:
    sources: tuple[Source, ...] = ()
    pairs_per_image: int = 1  # questions packed behind one look at a picture
    curriculum: Curriculum | None = None
    held_out: tuple[HeldOut, ...] = ()
    refused: tuple[Refused, ...] = ()
    follow: float = 0.0  # share of the questions that follow another one in its dialogue, whatever both ask about
