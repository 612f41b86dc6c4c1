"""Experts written by hand, one a game; they see the pictures and nothing else."""

from __future__ import annotations

import math

import numpy as np

from loupe.games.game import Game
from loupe.games.players import Each, Sights


class RoadFollower:
    """CarRacing: steer to the middle of the grey road some way ahead, the slower the more it bends.

    Works on frames of 96 x 96: the car stands at column 48, row 70; below row 84 lie the instruments.
    """

    START = 63  # row right before the car
    CAR = (48.0, 70.0)  # x, y

    def __init__(self, seed: int = 0):
        self.steering = 0.0

    def __call__(self, sights: Sights) -> tuple[float, float, float]:
        pixels = sights[-1].pixels.astype(int)
        path, speed = self.path(pixels[:84]), self.speed(pixels)
        if len(path) < 4:  # lost: slowly on, the way it was turning
            return float(np.sign(self.steering)) * 0.6, 0.15 if speed < 12 else 0.0, 0.3 if speed > 25 else 0.0
        near, far = (self.angle(path, ahead) for ahead in (12 + speed / 6, 40))
        self.steering = float(np.clip(1.5 * near, -1, 1))
        wanted = float(np.clip(62 - 55 * max(abs(far), abs(near)), 22, 58)) if len(path) > 24 else 24.0
        gas = float(np.clip(0.04 * (wanted - speed), 0, 0.6)) * (0.4 if abs(self.steering) > 0.4 else 1.0)
        brake = float(np.clip(0.03 * (speed - wanted - 4), 0, 0.6))
        return self.steering, gas, brake

    def path(self, pixels: np.ndarray) -> list[tuple[float, int]]:
        """(column, row) of the road's middle, from the car upwards, row by row while it goes on."""
        low, high = pixels.min(-1), pixels.max(-1)
        road = (high - low < 14) & (low > 75) & (high < 135)
        out: list[tuple[float, int]] = []
        middle, missed = self.CAR[0], 0
        for row in range(self.START, -1, -1):
            runs = _runs(road[row])
            runs = [(a, b) for a, b in runs if b - a >= 3]
            run = min(runs, key=lambda r: _gap(r, middle), default=None)
            if run is None or _gap(run, middle) > (30 if not out else 6):
                missed += 1
                if missed > 3 and out:
                    break
                continue
            missed, middle = 0, (run[0] + run[1]) / 2
            out.append((middle, row))
        return out

    def angle(self, path: list[tuple[float, int]], ahead: float) -> float:
        """Radians to the right of straight on, of the path's point so many rows ahead (or its last)."""
        x, y = next(((x, y) for x, y in path if self.CAR[1] - y >= ahead), path[-1])
        return math.atan2(x - self.CAR[0], self.CAR[1] - y)

    @staticmethod
    def speed(pixels: np.ndarray) -> float:
        """As the white bar of the instruments shows it, in the game's units."""
        return float(pixels[84:, 12].mean(-1).sum() / 255 * 20.8)


class Gunner:
    """Space Invaders: stand under an invader and shoot; step aside for what falls.

    Works on frames of 210 x 160, by colour: the cannon, the invaders, what flies.
    """

    CANNON, INVADER, SHOT = (50, 132, 50), (134, 134, 29), (142, 142, 142)
    NOTHING, FIRE, RIGHT, LEFT, RIGHT_FIRE, LEFT_FIRE = map(float, range(6))
    NEAR, HEIGHT = 7, 42  # columns and rows around the cannon in which something that falls is dangerous

    def __init__(self, seed: int = 0):
        pass

    def __call__(self, sights: Sights) -> tuple[float]:
        now, before = sights[-1].pixels, sights[-2].pixels if len(sights) > 1 else sights[-1].pixels
        cannon = np.argwhere(_colour(now, self.CANNON)[182:195])
        if not len(cannon):
            return (self.FIRE,)
        x = float(cannon[:, 1].mean())
        away = self.danger(now, before, x)
        if away:
            return (self.RIGHT_FIRE if away > 0 else self.LEFT_FIRE,)
        aim = self.aim(now, before, x)
        if aim is None or abs(aim) <= 2:
            return (self.FIRE,)
        return (self.RIGHT_FIRE if aim > 0 else self.LEFT_FIRE,)

    def danger(self, now: np.ndarray, before: np.ndarray, x: float) -> int:
        """-1 or 1: which way to step, 0 where nothing falls on the cannon."""
        flying, was = _colour(now, self.SHOT)[:195], _colour(before, self.SHOT)[:195]
        threat = 0.0
        for column in range(max(int(x) - self.NEAR, 0), min(int(x) + self.NEAR + 1, flying.shape[1])):
            rows = np.flatnonzero(flying[195 - 12 - self.HEIGHT:, column])
            if not len(rows):
                continue
            earlier = np.flatnonzero(was[:, max(column - 1, 0):column + 2].any(1))
            lowest = rows.max() + 195 - 12 - self.HEIGHT
            if len(earlier) and earlier.max() < lowest:  # it came down; our own shot goes up
                threat += 1.0 if column >= x else -1.0
                threat += 0.01
        if not threat:
            return 0
        away = -1 if threat > 0 else 1
        return 1 if x < 44 else -1 if x > 112 else away

    def aim(self, now: np.ndarray, before: np.ndarray, x: float) -> float | None:
        """Columns to go to stand under the nearest invader when the shot gets there."""
        mask = _colour(now, self.INVADER)[25:180]
        columns = mask.any(0)
        if not columns.any():
            return None
        was = np.flatnonzero(_colour(before, self.INVADER)[25:180].any(0))
        drift = float(np.flatnonzero(columns).mean() - was.mean()) if len(was) else 0.0
        best = None
        for a, b in _runs(columns):
            lowest = int(np.flatnonzero(mask[:, a:b].any(1)).max()) + 25
            target = (a + b) / 2 + float(np.clip(drift, -2, 2)) * (185 - lowest) / 24
            gap = target - x
            if best is None or abs(gap) < abs(best):
                best = gap
        return best


def _colour(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (pixels == np.array(colour, np.uint8)).all(-1)


def _runs(line: np.ndarray) -> list[tuple[int, int]]:
    """[first, behind last) of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _gap(run: tuple[int, int], x: float) -> float:
    """How far x lies outside the run, and a little for its distance to the middle."""
    return max(run[0] - x, x - run[1], 0.0) + 0.01 * abs((run[0] + run[1]) / 2 - x)


EXPERTS = {"car-racing": RoadFollower, "space-invaders": Gunner}


def scripted(game: Game) -> Each:
    """The hand-written expert of a game."""
    return Each("scripted", EXPERTS[game.name], {"version": 1})
