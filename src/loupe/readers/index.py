"""Which bytes of an annotation file belong to which picture: id -> (offset, length), in numpy arrays."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from loupe.errors import FileError

RUN = 1 << 30  # bytes one run may span
LARGEST = 1 << 62  # id of a picture


def is_id(value: object) -> bool:
    """A whole number that can be a picture's id here."""
    return type(value) is int and -LARGEST < value < LARGEST


class Collector:
    """Gathers (picture id, offset, length) while a file streams by.

    Neighbours of one picture become one run. Memory: 20 bytes a run here, 12 a run and 16 a picture in the Index.
    """

    def __init__(self, join: bool = True):
        self.join = join  # neighbours stand in one array: what lies between them is a comma
        self._ids, self._at, self._size = array("q"), array("q"), array("i")

    def add(self, picture: int, at: int, size: int) -> None:
        if self.join and self._ids and self._ids[-1] == picture and at + size - self._at[-1] < RUN:
            self._size[-1] = at + size - self._at[-1]
            return
        self._ids.append(picture)
        self._at.append(at)
        self._size.append(size)

    def index(self, path: Path) -> Index:
        return Index(path, np.frombuffer(self._ids, np.int64) if self._ids else np.zeros(0, np.int64),
                     np.frombuffer(self._at, np.int64) if self._at else np.zeros(0, np.int64),
                     np.frombuffer(self._size, np.int32) if self._size else np.zeros(0, np.int32))


class Index:
    """`index[picture id]` parses that picture's elements from the file, in file order; unknown ids give []."""

    PARTS = ("ids", "bounds", "at", "size")

    def __init__(self, path: Path, ids: np.ndarray, at: np.ndarray, size: np.ndarray):
        order = np.argsort(ids, kind="stable")
        self.path = path
        self.ids, first = np.unique(ids[order], return_index=True)  # sorted, unique
        self._bounds = np.append(first, len(ids))
        self._at, self._size = at[order], size[order]

    @classmethod
    def of(cls, path: Path, *parts: np.ndarray) -> Index:
        """The Index whose `parts` these are, of that file."""
        made = cls.__new__(cls)
        made.path = path
        made.ids, made._bounds, made._at, made._size = parts
        return made

    @property
    def parts(self) -> tuple[np.ndarray, ...]:
        """What PARTS names."""
        return self.ids, self._bounds, self._at, self._size

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, picture: int) -> bool:
        place = np.searchsorted(self.ids, picture)
        return place < len(self.ids) and self.ids[place] == picture

    def __getitem__(self, picture: int) -> list[Any]:
        place = np.searchsorted(self.ids, picture)
        if place >= len(self.ids) or self.ids[place] != picture:
            return []
        runs = range(self._bounds[place], self._bounds[place + 1])
        return read_runs(self.path, ((int(self._at[r]), int(self._size[r])) for r in runs))


def read_runs(path: Path, runs: Iterable[tuple[int, int]]) -> list[Any]:
    """Parse the array elements that lie at these (offset, length)."""
    out: list[Any] = []
    try:
        with open(path, "rb") as file:
            for at, size in runs:
                file.seek(at)
                out.extend(json.loads(b"[" + file.read(size) + b"]"))
    except (OSError, ValueError) as error:
        raise FileError("annotation file changed while it was in use", got=error, where=path,
                        do="open the reader again") from None
    return out
