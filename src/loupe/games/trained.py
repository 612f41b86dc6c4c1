"""Experts that somebody trained: checkpoints of stable-baselines3 and sb3-contrib.

Loading one runs code that is stored in it, as that library has it: take only files whose maker you trust.
"""

from __future__ import annotations

import json
import pickle
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
REMEMBERING = ("dqn", "qrdqn", "sac", "tqc")  # they learn from a memory of what they saw
# functions of the training's progress, stored as code of the Python that saved them; a player needs none
SCHEDULES = {"learning_rate": 0.0, "lr_schedule": 0.0, "clip_range": 0.0, "clip_range_vf": None,
             "exploration_schedule": 0.0}
INSTALL = "pip install stable-baselines3 sb3-contrib"
BROKEN = (ImportError, AttributeError, KeyError, TypeError, ValueError, AssertionError, RuntimeError, EOFError,
          pickle.UnpicklingError, zipfile.BadZipFile)


def expert(path: Path, game: Game, said: str = "") -> Each:
    """The checkpoint as a player. said: what stands behind its name, with commas between: a name of ALGORITHMS (else
    told from the file), skip=N where it was trained to act at every Nth frame, grey where its three channels (or six)
    are as many grey frames."""
    import hashlib

    if not path.is_file():
        raise FileError("checkpoint of an expert does not exist", got=path, expected="a .zip of stable-baselines3")
    algorithm, skip, grey = _behind(said)
    algorithm = algorithm or algorithm_of(path)
    if algorithm not in ALGORITHMS:
        raise unknown_name("algorithm", algorithm, ALGORITHMS)
    package, name = ALGORITHMS[algorithm]
    try:
        kind = getattr(import_module(package), name)
    except ImportError as error:
        raise ConfigError("a trained expert needs a package that is not installed", got=error, expected=package,
                          do=INSTALL) from None
    model = _opened(kind, path, algorithm)
    shape, actions = model.observation_space.shape, model.action_space
    if len(shape) != 3:
        raise ConfigError("this expert does not see pictures", got=f"observations of shape {shape}", where=path)
    if getattr(actions, "n", None) != game.choices or (game.choices is None and actions.shape != (len(game.still),)):
        raise ConfigError(f"this expert does not play {game.name}", got=f"actions {actions}", where=path,
                          expected=f"{game.choices} actions" if game.choices else f"{len(game.still)} numbers")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    colour = not grey and _channels(shape) % 3 == 0
    return Each(path.stem, lambda seed: Trained(model, game, shape, skip, colour),
                {"weights": digest, "algorithm": algorithm, **({"skip": skip} if skip > 1 else {}),
                 **({"grey": True} if grey else {})})


def _opened(kind, path: Path, algorithm: str):
    """The agent without what it needs to go on learning: its memory, which may be gigabytes, and its schedules."""
    memory = {"buffer_size": 1, "optimize_memory_usage": False} if algorithm in REMEMBERING else {}
    try:
        return kind.load(path, device="cpu", custom_objects={**SCHEDULES, **_spaces(path)}, **memory)
    except BROKEN as error:
        raise FileError("this checkpoint cannot be opened", got=f"{type(error).__name__}: {error}", where=path,
                        do="install the packages and versions it was saved with, or save it again with these") from None


def _spaces(path: Path) -> dict:
    """What a checkpoint of the years before Gymnasium sees and does, as Gymnasium has it: its own need OpenAI's gym."""
    said = _data(path)
    seen, done = (said.get(f"{name}_space") for name in ("observation", "action"))
    if not all(isinstance(each, dict) and str(each.get(":type:")).startswith("<class 'gym.") for each in (seen, done)):
        return {}
    from gymnasium.spaces import Box, Discrete

    return {"observation_space": Box(0, 255, _shape(seen), np.uint8),
            "action_space": Discrete(int(done["n"])) if "n" in done else Box(-1, 1, _shape(done), np.float32)}


def _shape(space: dict) -> tuple[int, ...]:
    sides = space.get("_shape", space.get("shape"))
    return tuple(sides) if isinstance(sides, list) else ()


def _data(path: Path) -> dict:
    """What a checkpoint says of itself; nothing in it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            said = json.loads(archive.read("data"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FileError("this is no checkpoint of stable-baselines3", got=error, where=path) from None
    if not isinstance(said, dict):
        raise FileError("this is no checkpoint of stable-baselines3", got=type(said).__name__, where=path)
    return said


def _behind(said: str) -> tuple[str, int, bool]:
    """(algorithm, frames from one action to the next, does it see grey?) of "recurrent-ppo,skip=2,grey"."""
    algorithm, skip, grey = "", 1, False
    for item in filter(None, said.split(",")):
        name, equals, value = item.partition("=")
        if item == "grey":
            grey = True
        elif not equals:
            algorithm = name
        elif name == "skip" and value.isdecimal() and int(value) > 0:
            skip = int(value)
        else:
            raise ConfigError("this says nothing about an expert", got=repr(item),
                              expected="an algorithm, skip=N, or grey", do="write FILE.zip#recurrent-ppo,skip=2")
    return algorithm, skip, grey


def algorithm_of(path: Path) -> str:
    """Told from what the checkpoint says of itself."""
    said = _data(path)
    if "policy_class" not in said:
        raise FileError("this is no checkpoint of stable-baselines3", got="no policy_class", where=path)
    policy = str(said["policy_class"].get("__module__", "")) if isinstance(said["policy_class"], dict) else ""
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


def _channels(shape: tuple[int, ...]) -> int:
    return min(shape[0], shape[2])


class Trained:
    """One game of a checkpoint. Frames become what it was trained on: in colour or grey, its size, its number of
    frames, channels first or last, as the shape of its observations says. Of `skip` steps it sees the first, and acts
    alike in all of them."""

    def __init__(self, model, game: Game, shape: tuple[int, ...], skip: int = 1, colour: bool = False):
        self.model, self.game, self.shape, self.skip, self.colour = model, game, shape, skip, colour
        self.state, self.count = None, 0
        self.seen: list[np.ndarray] = []
        self.action: tuple[float, ...] = game.still

    def __call__(self, sights: Sights) -> tuple[float, ...]:
        if self.count % self.skip == 0:
            action, self.state = self.model.predict(self.observation(sights[-1].pixels), state=self.state,
                                                    episode_start=np.array([not self.count]), deterministic=True)
            self.action = tuple(float(v) for v in np.asarray(action, float).reshape(-1))
        self.count += 1
        return self.action

    def observation(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 of the checkpoint's shape; before the first frame stand zeros, as its frame stack has them."""
        channels_first = self.shape[0] < self.shape[2]
        height, width = self.shape[1:] if channels_first else self.shape[:2]
        picture = Pillow.fromarray(pixels).convert("RGB" if self.colour else "L").resize(
            (width, height), Pillow.Resampling.BOX)
        frame = np.asarray(picture).reshape(height, width, -1)  # [H, W, 1 or 3]
        count = _channels(self.shape) // frame.shape[2]
        self.seen = [*self.seen, frame][-count:]
        stacked = np.concatenate([np.zeros_like(frame)] * (count - len(self.seen)) + self.seen, -1)
        return stacked.transpose(2, 0, 1) if channels_first else stacked
