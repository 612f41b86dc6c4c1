"""What is made of a picture once and kept in memory, while there is room: pixels, targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import TypeVar

ROOM = 2**32  # bytes, where the machine has four times as many
Value = TypeVar("Value")


class Kept:
    """room: bytes (None: ROOM, or a quarter of the machine's memory). From the first value on that does not fit,
    nothing more is kept: it is made anew each time."""

    def __init__(self, room: int | None = None):
        self.room = min(ROOM, memory() // 4) if room is None else room
        self._values: dict = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Of `make`: an array, arrays, or what says its own `nbytes`."""
        if key not in self._values:
            made = make()
            arrays = made if isinstance(made, tuple) else (made,)
            self.room -= sum(array.nbytes for array in arrays)
            if self.room < 0:
                return made
            self._values[key] = made
        return self._values[key]


def memory() -> int:
    """Bytes of memory the machine has; 4 GiB where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**32
