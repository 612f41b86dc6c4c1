"""What is made while a game is played: a recording to train on, an animated picture to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from loupe.errors import ConfigError
from loupe.games.arcade import Sight, versions
from loupe.games.game import Game
from loupe.games.players import Move
from loupe.games.rollout import Episode
from loupe.tasks import task
from loupe.writers.files import atomic
from loupe.writers.games import GameWriter

FORMATS = ("webp", "gif")
ENDS = {"over": "game over", "time": "time is up", "limit": "cut here"}
MOST = 600  # pictures of an animation; of longer games only every second, third, ... is kept
STRIP = 28  # pixels below the picture: what was said or done, then step and reward


class Recording:
    """Writes every frame and step of a game; the game is there when it is over."""

    def __init__(self, root: Path, game: Game, split: str, seed: int, player: dict):
        self.writer, self.game, self.player = GameWriter(root, game.name, split, seed), game, player

    def step(self, sight: Sight, move: Move, reward: float) -> None:
        number = len(self.writer.steps)
        self.writer.frame(number, sight.image.bytes())
        self.writer.step(number, move.action, reward)

    def end(self, sight: Sight, episode: Episode) -> None:
        height, width = sight.pixels.shape[:2]
        self.writer.finish({"stack": self.game.stack, "size": [width, height], "player": self.player,
                            "reward": episode.reward, "end": episode.end, "packages": versions()})


class Animation:
    """A game as an animated picture: `scale` times enlarged, below it what was said or done and the reward so far."""

    def __init__(self, path: Path, game: Game, scale: int = 2):
        if path.suffix[1:] not in FORMATS:
            raise ConfigError("this is no format of animated pictures", got=path.suffix, expected=", ".join(FORMATS))
        self.path, self.game, self.scale = path, game, scale
        self.pictures: list[tuple[np.ndarray, str]] = []
        self.every, self.count, self.reward = 1, 0, 0.0

    def step(self, sight: Sight, move: Move, reward: float) -> None:
        if self.count % self.every == 0:
            self.pictures.append((sight.pixels, f"{spoken(move, self.game)}\n{self._so_far()}"))
        self.count, self.reward = self.count + 1, self.reward + reward
        if len(self.pictures) > MOST:
            self.pictures, self.every = self.pictures[::2], 2 * self.every

    def end(self, sight: Sight, episode: Episode) -> None:
        self.pictures.append((sight.pixels, f"{ENDS[episode.end]}\n{self._so_far()}"))
        first, *rest = (self._drawn(pixels, text) for pixels, text in self.pictures)
        with atomic(self.path) as out:
            first.save(out, self.path.suffix[1:].upper(), save_all=True, append_images=rest, loop=0,
                       duration=max(20, round(1000 * self.every / self.game.rate)))

    def _so_far(self) -> str:
        return f"step {self.count}  reward {self.reward:.1f}"

    def _drawn(self, pixels: np.ndarray, text: str) -> Pillow.Image:
        height, width = (self.scale * side for side in pixels.shape[:2])
        picture = Pillow.new("RGB", (width, height + STRIP))
        picture.paste(Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.NEAREST))
        text = text.encode("latin-1", "replace").decode("latin-1")
        ImageDraw.Draw(picture).multiline_text((3, height + 1), text, fill="white", spacing=2)
        return picture


def spoken(move: Move, game: Game) -> str:
    """What was said in a few letters, else what was done."""
    said = " ".join(move.text.split())[:24] or task(game.name).told(move.action)
    return f"{said} ({move.problem})" if move.problem else said
