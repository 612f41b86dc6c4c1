"""What a run leaves on disk: shards that grow while it works, pairs.jsonl when it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loupe.bootstrapping.pair import Pair, from_line
from loupe.errors import FileError
from loupe.writers.files import atomic, writing
from loupe.writers.plan import PLAN

try:
    import fcntl
except ImportError:  # Windows: two runs on one folder are not kept apart
    fcntl = None

KIND, VERSION = "bootstrapping", 1
MANIFEST, PAIRS, SHARDS, RECORDS = "manifest.json", "pairs.jsonl", "shards", "records"


@dataclass(frozen=True)
class Stored:
    """A finished run: its manifest and every described box, in the order of the pictures."""

    path: Path
    manifest: dict
    pairs: tuple[Pair, ...]


def read(out: str | os.PathLike) -> Stored:
    out = Path(out)
    if not (out / MANIFEST).is_file():
        begun = (out / PLAN).is_file()
        raise FileError("bootstrapping is not finished" if begun else "no bootstrapping lies here", where=out,
                        expected=MANIFEST, do="run the same `loupe bootstrap` again to finish it" if begun
                        else "write one with `loupe bootstrap`")
    return Stored(out, loaded(out / MANIFEST), tuple(pairs_in(out / PAIRS)))


def pairs_in(path: Path) -> Iterator[Pair]:
    with open(path, encoding="utf-8", errors="replace") as file:
        header = _parsed(file.readline(), f"{path}:1")
        if header.get("loupe") != KIND or header.get("version") != VERSION:
            raise FileError("this is no file of pairs", got=repr(header)[:80], where=path,
                            expected=f'{{"loupe": "{KIND}", "version": {VERSION}}}')
        for number, line in enumerate(file, 2):
            yield from_line(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _parsed(line: str, where: str) -> dict:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise FileError("a line is no pair", got=repr(line)[:80], where=where,
                        do="delete the manifest beside it and run the same `loupe bootstrap` again")
    return value


def write_pairs(path: Path, lines: Iterable[Mapping]) -> None:
    """Stored pairs behind a header; the file appears when it is whole."""
    with atomic(path) as file:
        file.write(json.dumps({"loupe": KIND, "version": VERSION}).encode() + b"\n")
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def loaded(path: Path) -> dict:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError("cannot read", got=error, where=path) from None


def put(path: Path, value: Mapping) -> None:
    with atomic(path) as file:
        file.write((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def hold(file) -> None:
    """Keep an open file to this process until it is closed; FileError where another has it."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino == os.stat(file.name).st_ino:  # not replaced meanwhile
            return
    except BlockingIOError:
        pass
    raise FileError("another process is at work here", where=file.name,
                    do="wait for the other `loupe bootstrap`, or stop it")


class Shard:
    """A file of one line per picture. Pictures of one group are written together; what a kill left of a group is cut.

    groups: {number of a group: how many pictures it has}. done: the groups that are whole, after opening.
    """

    def __init__(self, path: Path, groups: Mapping[int, int]):
        self.path, self.groups = path, groups
        self.done: set[int] = set()

    @contextmanager
    def open(self):
        """Held by one process at a time."""
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b")  # noqa: SIM115 (closed below)
        try:
            hold(self._file)
            self._mend()
            yield self
        finally:
            self._file.close()

    def add(self, lines: Iterable[Mapping]) -> None:
        with writing(self.path):
            self._file.write(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines))
            self._file.flush()

    def _mend(self) -> None:
        """Cut what follows the last whole group."""
        end, at, seen = 0, 0, {}
        self._file.seek(0)
        for raw in self._file:
            line = whole(raw)
            if line is None:
                break
            at += len(raw)
            number = line["group"]
            seen[number] = seen.get(number, 0) + 1
            if seen[number] >= self.groups.get(number, 1):
                self.done.add(number)
                end = at
        self._file.truncate(end)
        self._file.seek(0, os.SEEK_END)

    def without(self, groups: set[int]) -> None:
        """Leave these groups out, so that they are asked about again."""
        with open(self.path, "r+b") as file:
            hold(file)
            kept = [raw for raw in file if (line := whole(raw)) is not None and line["group"] not in groups]
            with atomic(self.path) as out:
                out.writelines(kept)


def whole(raw: bytes) -> dict | None:
    """A line of a shard, or None where it is torn."""
    try:
        line = json.loads(raw) if raw.endswith(b"\n") else None
    except ValueError:
        return None
    return line if isinstance(line, dict) and {"picture", "group"} <= line.keys() else None


def lines_of(path: Path) -> Iterator[dict]:
    """The whole lines of a shard, up to the first torn one."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for raw in file:
            line = whole(raw)
            if line is None:
                return
            yield line
