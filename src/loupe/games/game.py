"""The games, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loupe.errors import unknown_name

STARTS = 120  # frames at most in which nothing is done before a game that begins the same every time


@dataclass(frozen=True)
class Game:
    """name is also that of its task, whose text holds the actions."""

    name: str
    environment: str  # id in Gymnasium
    stack: int  # frames a player sees, the newest last (PAE-LaMM §3.4)
    still: tuple[float, ...]  # nothing is done
    options: dict = field(default_factory=dict, hash=False)  # of gymnasium.make
    repeat: int = 1  # frames an action lasts; a player sees the brightest of the last two of them
    idle: bool = False  # the environment knows no seed: nothing is done for a number of frames that the seed says
    choices: int | None = None  # number of actions, where they are numbers
    rate: int = 50  # steps a second, of an animated picture

    def start(self, seed: int) -> int:
        """Frames in which nothing is done at first: 1..120, other ones for seeds less than 120 apart."""
        return int(np.random.default_rng(0).permutation(STARTS)[seed % STARTS]) + 1 if self.idle else 0


GAMES = {
    # differs from paper: v3, because v0 is in no Gymnasium; two frames without skipping fit its 953 steps a game
    "car-racing": Game("car-racing", "CarRacing-v3", 2, (0.0, 0.0, 0.0), {"continuous": True}),
    # the whole game of three lives, rewards as they are; 4 frames an action fit the paper's 821 steps a game
    "space-invaders": Game("space-invaders", "SpaceInvadersNoFrameskip-v4", 4, (0.0,), repeat=4, idle=True, choices=6,
                           rate=15),
}


def game(name: str) -> Game:
    if name not in GAMES:
        raise unknown_name("game", name, GAMES)
    return GAMES[name]
