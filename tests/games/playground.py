"""A game of a dozen steps: a light stands left or right; facing it brings one point. Gymnasium's interface, no more."""

from __future__ import annotations

import numpy as np

LENGTH = 12


class Lights:
    """`space-invaders` actions: RIGHT 2 and LEFT 3. Where the light stands is drawn from the seed."""

    def __init__(self):
        self.closed = False

    def reset(self, seed=None):
        self.rng, self.count = np.random.default_rng(seed), 0
        return self._seen(), {}

    def step(self, action):
        reward = float(int(action) == (2 if self.right else 3))
        self.count += 1
        return self._seen(), reward, self.count >= LENGTH, False, {}

    def close(self):
        self.closed = True

    def _seen(self):
        self.right = bool(self.rng.integers(2))
        picture = np.zeros((24, 24, 3), np.uint8)
        picture[4:10, 14 if self.right else 4:20 if self.right else 10] = 255
        picture[20:, :min(2 * self.count, 24)] = (90, 60, 30)  # no two frames of a game are the same
        return picture


def facing(sights):
    """The perfect player."""
    light = sights[-1].pixels[4:10].mean((0, 2))
    return (2.0,) if light[12:].sum() > light[:12].sum() else (3.0,)
