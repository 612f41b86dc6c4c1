"""Recorded games (writers/games.py): every step is a Record, its picture the newest frame."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from loupe.errors import ConfigError, FileError
from loupe.readers.base import Note, Reader
from loupe.record import Record, Step

HEAD = {"game": str, "seed": int, "stack": int, "size": list, "steps": int, "picture": str}
NUMBER = "%05d"  # in "picture": where the number of a frame stands


class Games(Reader):
    """`Games(root, "train", game="car-racing")`; without `game` all that lie there. `stack`: how many frames a step
    shows, if not as many as were recorded; before the first frame stands the first frame."""

    source = "games"

    def __init__(self, root, split: str = "train", *, game: str = "", stack: int | None = None, images=None,
                 missing: str = "drop"):
        if stack is not None and stack < 1:
            raise ConfigError("a step shows at least one frame", got=stack, expected="1 or more", where="stack")
        self.game, self.stack = game, stack
        super().__init__(root, split, images=images, missing=missing)
        paths = sorted(self.root.glob(f"{game or '*'}/{split or '*'}/*.jsonl"))
        if not paths:
            raise FileError("no recorded game", where=self.root / (game or "*") / (split or "*"), got="no .jsonl file",
                            do="record some: `loupe play scripted car-racing --record FOLDER --episodes 30`")
        self.heads: list[dict] = []
        places: list[np.ndarray] = []
        self.paths: list[Path] = []
        for path in tqdm(paths, desc="games", unit="game", delay=2, disable=None, leave=False):
            head, found = self._open(path, len(paths))
            if head is not None:
                places.append(np.column_stack([np.full(len(found), len(self.heads)), found]))
                self.heads.append(head)
                self.paths.append(path)
        self._places = np.concatenate(places) if places else np.zeros((0, 4), np.int64)
        self._ready(len(self._places))

    def _folders(self) -> list[Path]:
        return sorted(p for p in self.root.glob(f"{self.game or '*'}/{self.split or '*'}/*") if p.is_dir())

    def _open(self, path: Path, games: int) -> tuple[dict | None, np.ndarray]:
        """(head, [steps, 3] number of the step, first byte and length of its line) of a game; None of an empty one."""
        data = path.read_bytes()
        self._digests[path.name if games == 1 else str(path.relative_to(self.root))] = hashlib.sha256(data).hexdigest()
        lines = data.splitlines(keepends=True)
        if not data or not data.endswith(b"\n"):
            raise FileError("a recorded game was cut short", got=f"{len(data)} bytes", where=path,
                            expected="whole lines", do="delete it and record it again")
        if not data.strip():
            return None, np.zeros((0, 3), np.int64)
        head = self._head(lines[0], path)
        if len(lines) - 1 < head["steps"] or b"".join(lines[head["steps"] + 1:]).strip():
            raise FileError("a recorded game is not whole", got=f"{len(lines) - 1} steps", expected=head["steps"],
                            where=path, do="delete it and record it again")
        starts = np.cumsum([0, *map(len, lines)])
        known: dict[int, bool] = {}
        found = []
        for k in range(head["steps"]):
            start = int(starts[k + 1])
            newest = self._step(lines[k + 1], path, start)["frame"]
            for frame in self._frames(head, newest):
                if frame not in known:
                    known[frame] = self._has((_name(head, frame),))
            if all(known[frame] for frame in self._frames(head, newest)):
                found.append((k, start, len(lines[k + 1])))
        return head, np.array(found, np.int64).reshape(-1, 3)

    def _head(self, line: bytes, path: Path) -> dict:
        head = _json(line, path, 0)
        wrong = [k for k, kind in HEAD.items() if type(head.get(k)) is not kind]
        if not wrong and (head["stack"] < 1 or head["steps"] < 0 or head["seed"] < 0):
            wrong = ["stack", "steps", "seed"]
        if not wrong and NUMBER not in head["picture"]:
            wrong = ["picture"]
        if not wrong and (len(head["size"]) != 2 or not all(type(v) is int and v > 0 for v in head["size"])):
            wrong = ["size"]
        if wrong:
            raise FileError("the first line tells no game", got=repr(line[:80]), expected=", ".join(HEAD),
                            where=f"{path}:1", do=f"mend {', '.join(wrong)}")
        return head

    def _step(self, line: bytes, path: Path, at: int) -> dict:
        step = _json(line, path, at)
        action = step.get("action")
        good = isinstance(action, list) and action and all(type(v) in (int, float) for v in action)
        if not good or type(step.get("frame")) is not int or step["frame"] < 0:
            raise FileError("a line is no step", got=repr(line[:80]), expected='{"frame": number, "action": [numbers]}',
                            where=f"{path}: byte {at}")
        return step

    def _frames(self, head: dict, newest: int) -> list[int]:
        """Numbers of the frames a step shows, oldest first."""
        stack = self.stack or head["stack"]
        return [max(k, 0) for k in range(newest - stack + 1, newest + 1)]

    def _record(self, i: int, note: Note) -> Record:
        game, k, at, size = (int(v) for v in self._places[i])
        head, path = self.heads[game], self.paths[game]
        with open(path, "rb") as file:
            file.seek(at)
            step = self._step(file.read(size), path, at)
        names = [_name(head, frame) for frame in self._frames(head, step["frame"])]
        *before, image = [self._image((name,)) for name in names]
        done = Step(head["game"], tuple(float(v) for v in step["action"]), tuple(before))
        split = path.parent.name
        return Record(image, *head["size"], f"{head['game']}/{'' if self.split else split + '/'}{head['seed']}/{k}",
                      self.source, self.split, steps=(done,),
                      extra={"seed": head["seed"], "reward": step.get("reward")})


def seeds(root: str | Path, split: str = "train", game: str = "") -> dict[str, list[int]]:
    """Of the games recorded below root, by game; of each file its first line is read alone."""
    found: dict[str, set[int]] = {}
    for path in Path(root).glob(f"{game or '*'}/{split or '*'}/*.jsonl"):
        with open(path, "rb") as file:
            line = file.readline()
        if line.strip():
            head = _json(line, path, 0)
            found.setdefault(head.get("game", path.parent.parent.name), set()).add(head.get("seed"))
    return {name: sorted(seen - {None}) for name, seen in sorted(found.items())}


def _name(head: dict, frame: int) -> str:
    return head["picture"].replace(NUMBER, f"{frame:05d}")


def _json(line: bytes, path: Path, at: int) -> dict:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FileError("a line is no JSON", got=error, where=f"{path}: byte {at}") from None
    if not isinstance(data, dict):
        raise FileError("a line is no JSON object", got=repr(line[:60]), where=f"{path}: byte {at}")
    return data
