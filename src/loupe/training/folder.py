"""A run's folder: claimed by one recipe, its JSON files read and written whole, what the run was made with."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from loupe import config
from loupe.errors import ConfigError, FileError, LoupeError
from loupe.training import journal
from loupe.training.state import cannot_write

try:
    import fcntl
except ImportError:  # Windows: two runs in one folder are not kept apart
    fcntl = None

LOCK = ".lock"  # held by the process at work in the folder
BEFORE = {"recipe.json", "manifest.json", "metrics.jsonl", "precision.json", "mqformer-start.json", "tokenizer",
          "text-tokenizer", "former-tokenizer", LOCK}  # what a run writes before it learns


@dataclass(frozen=True)
class RunFolder:
    """What every run leaves behind; a kind of run adds its recipe and where its model lies."""

    folder: Path

    @property
    def manifest(self) -> dict:
        return read(self.folder / "manifest.json")

    @property
    def metrics(self) -> list[dict]:
        return journal.read(self.folder / "metrics.jsonl")

    def report(self) -> dict:
        """Per stage its last line: updates, pictures, pairs, seconds, losses, throughput; what was dropped; scores."""
        manifest = self.manifest
        return {"recipe": self.recipe.name, "stages": {line["stage"]: line for line in self.metrics},
                "drops": manifest.get("drops", {}), "scores": manifest.get("scores", {})}


def claim(folder: Path, recipe) -> bool:
    """Make the folder this recipe's (a frozen dataclass with `notes`), or refuse. Was it nobody's before?"""
    path = folder / "recipe.json"
    if path.exists():
        old = config.from_json(type(recipe), read(path))
        changed = config.differences(replace(old, notes=()), replace(recipe, notes=()))
        if changed:
            shown = "; ".join(changed[:6]) + (f"; and {len(changed) - 6} more" if len(changed) > 6 else "")
            raise ConfigError("this folder holds a run of another recipe", got=shown, where=path,
                              do="give another --out, or the old values to go on with it"
                              if any(p.is_dir() for p in folder.iterdir())
                              else "nothing is trained there yet: remove it, or give another --out")
        return False
    if folder.exists() and not folder.is_dir():
        raise FileError("a run needs a folder", got="a file", where=folder, do="give another --out")
    if folder.is_dir() and any(p.name not in ("metrics.jsonl", LOCK) for p in folder.iterdir()):
        raise FileError("the run's folder holds other files", got=sorted(p.name for p in folder.iterdir())[:4],
                        expected="an empty or new folder, or a run", where=folder, do="give another --out")
    write(path, config.to_json(recipe))
    return True


@contextmanager
def held(folder: Path, main: bool = True) -> Iterator[None]:
    """The folder is this process's until the block ends, or the process does however it ends; FileError where another
    trains in it. main: of several processes of one run only the main one holds it."""
    if fcntl is None or not main:
        yield
        return
    try:
        file = open(folder / LOCK, "ab")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise cannot_write(error, folder / LOCK) from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of a process: those that prepare data do not inherit it
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise FileError("another process trains in this folder", where=folder,
                                do="wait for it or stop it; to train beside it, give another --out") from None
            # a file system without locks
        yield


@contextmanager
def given_back(folder: Path, new: bool) -> Iterator[None]:
    """A `new` run that ends in wrong input before it has learnt leaves nothing behind that the next command would be
    refused for, or would go on with."""
    try:
        yield
    except LoupeError:
        left = set(folder.iterdir()) if new and folder.is_dir() else set()
        learnt = any(path.name == "metrics.jsonl" and path.stat().st_size for path in left)
        if left and not learnt and {path.name for path in left} <= BEFORE:
            for path in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            with suppress(OSError):  # a volume, or the folder one stands in
                folder.rmdir()
        raise


def same_data(before: Mapping[str, str], now: Mapping[str, str], where: str) -> None:
    """ConfigError where a run would go on with other annotations (hashes by source) than it began with."""
    changed = sorted(name for name in before if now.get(name) and before[name] and now[name] != before[name])
    if changed:
        raise ConfigError("this run began with other annotations", got=f"changed: {', '.join(changed)}", where=where,
                          do="give the --root it began with, or another --out")


def read(path: Path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise FileError("no run in this folder", expected=path.name, where=path.parent) from None
    except ValueError as error:
        raise FileError("file is no valid JSON", got=str(error), where=path) from error


def write(path: Path, data) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(json.dumps(data, indent=1))
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(error, path) from error
