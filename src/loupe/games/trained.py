"""Experts that somebody trained: checkpoints of stable-baselines3 and sb3-contrib.

Loading one runs code that is stored in it, as that library has it: take only files whose maker you trust.
"""

from __future__ import annotations

import json
import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from loupe.errors import ConfigError, FileError, unknown_name
from loupe.games.game import Game
from loupe.games.players import Each, Sights

ALGORITHMS = {"ppo": ("stable_baselines3", "PPO"), "a2c": ("stable_baselines3", "A2C"),
              "dqn": ("stable_baselines3", "DQN"), "sac": ("stable_baselines3", "SAC"),
              "qrdqn": ("sb3_contrib", "QRDQN"), "recurrent-ppo": ("sb3_contrib", "RecurrentPPO"),
              "tqc": ("sb3_contrib", "TQC"), "trpo": ("sb3_contrib", "TRPO")}
INSTALL = "pip install stable-baselines3 sb3-contrib"


def expert(path: Path, game: Game, algorithm: str = "") -> Each:
    """The checkpoint as a player. algorithm: a name of ALGORITHMS; without it, told from the file."""
    import hashlib

    if not path.is_file():
        raise FileError("checkpoint of an expert does not exist", got=path, expected="a .zip of stable-baselines3")
    algorithm = algorithm or algorithm_of(path)
    if algorithm not in ALGORITHMS:
        raise unknown_name("algorithm", algorithm, ALGORITHMS)
    package, name = ALGORITHMS[algorithm]
    try:
        kind = getattr(import_module(package), name)
    except ImportError as error:
        raise ConfigError("a trained expert needs a package that is not installed", got=error, expected=package,
                          do=INSTALL) from None
    model = kind.load(path, device="cpu")
    shape = model.observation_space.shape
    if len(shape) != 3:
        raise ConfigError("this expert does not see pictures", got=f"observations of shape {shape}", where=path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return Each(path.stem, lambda seed: Trained(model, game, shape), {"weights": digest, "algorithm": algorithm})


def algorithm_of(path: Path) -> str:
    """Told from what the checkpoint says of itself; nothing in it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            said = json.loads(archive.read("data"))
        policy = str(said["policy_class"].get("__module__", "")) if isinstance(said["policy_class"], dict) else ""
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise FileError("this is no checkpoint of stable-baselines3", got=error, where=path) from None
    for name in ("recurrent", "qrdqn", "tqc", "dqn", "sac"):
        if f".{name}." in f".{policy}.":
            return "recurrent-ppo" if name == "recurrent" else name
    if "clip_range" in said:
        return "ppo"
    if "cg_max_steps" in said:
        return "trpo"
    if "ent_coef" in said:
        return "a2c"
    raise ConfigError("cannot tell how this expert was trained", got=policy, where=path,
                      do=f"name it: FILE.zip#{'|'.join(ALGORITHMS)}")


class Trained:
    """One game of a checkpoint. Frames become what it was trained on: grey or colour, its size, its number of frames,
    channels first or last, as the shape of its observations says."""

    def __init__(self, model, game: Game, shape: tuple[int, ...]):
        self.model, self.game, self.shape = model, game, shape
        self.state, self.first = None, True
        self.seen: list[np.ndarray] = []

    def __call__(self, sights: Sights) -> tuple[float, ...]:
        action, self.state = self.model.predict(self.observation(sights[-1].pixels), state=self.state,
                                                episode_start=np.array([self.first]), deterministic=True)
        self.first = False
        return tuple(float(v) for v in np.asarray(action, float).reshape(-1))

    def observation(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 of the checkpoint's shape; before the first frame stand zeros, as its frame stack has them."""
        channels_first = self.shape[0] < self.shape[2]
        channels = self.shape[0] if channels_first else self.shape[2]
        height, width = self.shape[1:] if channels_first else self.shape[:2]
        colour = channels % 3 == 0
        picture = Pillow.fromarray(pixels).convert("RGB" if colour else "L").resize(
            (width, height), Pillow.Resampling.BOX)
        frame = np.asarray(picture).reshape(height, width, -1)  # [H, W, 1 or 3]
        count = channels // frame.shape[2]
        self.seen = [*self.seen, frame][-count:]
        stacked = np.concatenate([np.zeros_like(frame)] * (count - len(self.seen)) + self.seen, -1)
        return stacked.transpose(2, 0, 1) if channels_first else stacked
