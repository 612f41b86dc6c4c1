"""A game that is being played: pictures out, actions in. Gymnasium's environments, drawn without a screen."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from loupe.errors import ConfigError
from loupe.games.game import Game
from loupe.image import Image

INSTALL = "pip install 'loupe[games]'"
NEEDED = {"car-racing": ("gymnasium", "pygame", "Box2D"), "space-invaders": ("gymnasium", "ale_py")}
PACKAGES = ("gymnasium", "ale-py", "Box2D")


@dataclass(frozen=True, eq=False)
class Sight:
    """One frame as a player sees it."""

    pixels: np.ndarray = field(repr=False)  # uint8 [height, width, 3]

    @cached_property
    def image(self) -> Image:
        return Image.of(self.pixels)


class Arcade:
    """One environment; any object with Gymnasium's reset and step will do."""

    def __init__(self, game: Game, environment=None):
        self.game = game
        self.environment = opened(game) if environment is None else environment

    def begin(self, seed: int) -> Sight:
        """A new game. The same seed gives the same game."""
        pixels, _ = self.environment.reset(seed=seed)
        for action in self.game.opening(seed):
            pixels, _, over, late, _ = self.environment.step(self._given(action))
            if over or late:
                raise ConfigError("the game ended before it began", where=f"{self.game.name}, seed {seed}")
        return Sight(np.array(pixels))

    def step(self, action: tuple[float, ...]) -> tuple[Sight, float, str]:
        """(what is seen then, reward, "" or why the game ended: "over" or "time")."""
        total, last = 0.0, []
        for _ in range(self.game.repeat):
            pixels, reward, over, late, _ = self.environment.step(self._given(action))
            total += float(reward)
            last = [*last[-1:], np.array(pixels)]
            if over or late:
                return Sight(_brightest(last)), total, "over" if over else "time"
        return Sight(_brightest(last)), total, ""

    def close(self) -> None:
        self.environment.close()

    def _given(self, action: tuple[float, ...]):
        return int(action[0]) if self.game.choices else np.array(action, np.float32)


def _brightest(frames: list[np.ndarray]) -> np.ndarray:
    """Sprites of an Atari are drawn in every other frame only."""
    return np.maximum(*frames) if len(frames) == 2 else frames[0]


def check(game: Game) -> None:
    """A ConfigError that says how to install what is missing."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    for package in NEEDED[game.name]:
        try:
            import_module(package)
        except ImportError as error:
            raise ConfigError(f"{game.name} needs a package that is not installed", got=error, expected=package,
                              do=INSTALL) from None


def opened(game: Game):
    """The Gymnasium environment, without a window."""
    check(game)
    import gymnasium

    if game.choices:
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        gymnasium.register_envs(ale_py)
    try:
        return gymnasium.make(game.environment, **game.options)
    except gymnasium.error.Error as error:
        raise ConfigError(f"{game.name} cannot be opened", got=error, expected=game.environment, do=INSTALL) from None


def versions() -> dict[str, str]:
    """Of the packages that play, as far as they are installed."""
    out = {}
    for package in PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out
