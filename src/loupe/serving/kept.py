"""Values by key, bounded by their weight; the one not used for longest goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Safe between threads. What weighs more than `most` alone is not kept."""

    def __init__(self, most: int, weigh: Callable[[T], int]):
        self.most, self.weigh = most, weigh
        self.weight = self.hits = self.misses = 0
        self._known: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if key not in self._known:
                self.misses += 1
                return None
            self.hits += 1
            self._known.move_to_end(key)
            return self._known[key][0]

    def put(self, key: Hashable, value: T) -> None:
        weight = self.weigh(value)
        with self._lock:
            if key in self._known:
                self.weight -= self._known.pop(key)[1]
            if weight > self.most:
                return
            self._known[key] = value, weight
            self.weight += weight
            while self.weight > self.most:
                self.weight -= self._known.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._known
