"""Recorded games: root/<game>/<split>/<seed>.jsonl, and its frames as PNGs in the folder <seed> beside it.

The first line says what was played: {"game", "seed", "player", "stack", "size", "picture", "steps", "reward", ...};
each other line is a step: {"frame": number of the newest frame, "action": [...], "reward": ...}. The lines appear when
the game is over, so what was cut short is no game.
"""

from __future__ import annotations

import json
from pathlib import Path

from loupe.writers.files import atomic, writing


def lines_of(root: Path | str, game: str, split: str, seed: int) -> Path:
    return Path(root) / game / split / f"{seed:06d}.jsonl"


class GameWriter:
    """One game: its frames as they come, its lines at the end."""

    def __init__(self, root: Path | str, game: str, split: str, seed: int):
        self.path, self.game, self.seed = lines_of(root, game, split, seed), game, seed
        self.picture = f"{game}-{seed:06d}-%05d.png"  # unique in a split, so that frames may be moved anywhere
        self.steps: list[dict] = []

    def frame(self, number: int, png: bytes) -> None:
        path = self.path.with_suffix("") / (self.picture % number)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png)

    def step(self, frame: int, action: tuple[float, ...], reward: float) -> None:
        self.steps.append({"frame": frame, "action": [float(v) for v in action], "reward": float(reward)})

    def finish(self, about: dict) -> Path:
        head = {"game": self.game, "seed": self.seed, "picture": self.picture, **about, "steps": len(self.steps)}
        with atomic(self.path) as out:
            for line in (head, *self.steps):
                out.write(json.dumps(line).encode() + b"\n")
        return self.path
