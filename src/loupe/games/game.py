"""The games, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loupe.errors import unknown_name

STARTS = 120  # frames at most between a game's first and the one a player begins with
DEAF = 128  # frames for which Space Invaders heeds no action (counted with ale-py 0.12.1)
STROLL = (0.0, 2.0, 3.0)  # nothing, right, left: no shot, so that no invader is gone before the game


@dataclass(frozen=True)
class Game:
    """name is also that of its task, whose text holds the actions."""

    name: str
    environment: str  # id in Gymnasium
    stack: int  # frames a player sees, the newest last (PAE-LaMM §3.4)
    still: tuple[float, ...]  # nothing is done
    options: dict = field(default_factory=dict, hash=False)  # of gymnasium.make
    repeat: int = 1  # frames an action lasts; a player sees the brightest of the last two of them
    idle: bool = False  # the environment knows no seed: each game begins with frames that are not the player's
    choices: int | None = None  # number of actions, where they are numbers
    rate: int = 50  # steps a second, of an animated picture

    def opening(self, seed: int) -> list[tuple[float, ...]]:
        """Actions, a frame each, before a player sees anything."""
        if not self.idle:
            return []
        rng = np.random.default_rng(seed)
        frames = int(rng.integers(1, STARTS + 1))
        moves = np.repeat(rng.choice(STROLL, -(-frames // self.repeat)), self.repeat)[:frames]
        return [self.still] * DEAF + [(float(move),) for move in moves]


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
