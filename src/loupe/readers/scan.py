"""What one pass over an instances file finds: where each picture and annotation stands. Of a large file it is kept in
the cache folder, so that of several processes one passes over it, and none the next time.

    ~/.cache/loupe/scans/<file>-<key>.npz    LOUPE_CACHE names another folder in place of ~/.cache/loupe; "" keeps none
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loupe.readers.index import Collector, Index

try:
    import fcntl
except ImportError:  # Windows: two processes may both pass over the file
    fcntl = None

LARGE = 256 << 20  # bytes from which a file's scan is kept
FORMAT = 1
EXAMPLES = 5  # of each oddity


@dataclass
class Scan:
    """names: file names of the pictures, in the order of `images`."""

    hash: str
    images: Index
    order: np.ndarray  # ids of the pictures, in file order
    names: list[str]
    annotations: Index
    categories: dict[int, str] = field(default_factory=dict)
    licences: dict[int, str] = field(default_factory=dict)
    twice: list[int] = field(default_factory=list)  # ids of pictures listed again, once for each time
    oddities: dict[str, tuple[int, list[str]]] = field(default_factory=dict)  # reason -> how often, the first examples

    def odd(self, reason: str, example: object) -> None:
        count, shown = self.oddities.get(reason, (0, []))
        self.oddities[reason] = count + 1, shown if len(shown) == EXAMPLES else [*shown, str(example)]


def scanned(path: Path, scan: Callable[[Path], Scan], kind: str = "") -> Scan:
    """`scan(path)`, or what it was when it was kept. kind: what else the scan depends on."""
    place = _place(path, kind)
    if place is None:
        return scan(path)
    with _alone(place):
        known = _kept(place, path)
        if known is None:
            known = scan(path)
            with contextlib.suppress(OSError):  # a cache that cannot be written is none
                _keep(known, place)
        return known


def _place(path: Path, kind: str) -> Path | None:
    """Of this very file: its path, size and time of writing."""
    base = os.environ.get("LOUPE_CACHE", "~/.cache/loupe")
    try:
        found = path.stat()
    except OSError:  # the scan says it
        return None
    if not base or found.st_size < LARGE:
        return None
    facts = [FORMAT, str(path.resolve()), found.st_size, found.st_mtime_ns, kind]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return Path(base).expanduser() / "scans" / f"{path.stem}-{key}.npz"


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One process after the other; without a lock where the file system has none."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(place.with_suffix(".lock"), "w"))
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _keep(scan: Scan, place: Path) -> None:
    """Whole or not at all."""
    facts = {"hash": scan.hash, "categories": list(scan.categories.items()), "licences": list(scan.licences.items()),
             "twice": scan.twice, "oddities": scan.oddities}
    texts = {name: np.frombuffer(json.dumps(value).encode(), np.uint8)
             for name, value in (("facts", facts), ("names", scan.names))}
    handle, temporary = tempfile.mkstemp(dir=place.parent, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, order=scan.order, **texts, **_arrays("images", scan.images),
                     **_arrays("annotations", scan.annotations))
        os.replace(temporary, place)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _kept(place: Path, path: Path) -> Scan | None:
    try:
        with np.load(place) as data:
            facts, names = (json.loads(data[name].tobytes()) for name in ("facts", "names"))
            images, annotations = (Index.of(path, *(data[f"{which}.{part}"] for part in Index.PARTS))
                                   for which in ("images", "annotations"))
            return Scan(facts["hash"], images, data["order"], names, annotations, dict(facts["categories"]),
                        dict(facts["licences"]), facts["twice"],
                        {reason: (count, shown) for reason, (count, shown) in facts["oddities"].items()})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged: made anew
        return None


def _arrays(which: str, index: Index) -> dict[str, np.ndarray]:
    return {f"{which}.{part}": array for part, array in zip(Index.PARTS, index.parts)}


class Scanning:
    """A Scan in the making."""

    def __init__(self):
        self.images, self.annotations = Collector(), Collector()
        self.order: list[int] = []
        self.names: list[str] = []
        self.seen: set[int] = set()
        self.rest = Scan("", None, None, [], None)

    def done(self, path: Path, digest: str) -> Scan:
        rest = self.rest
        return Scan(digest, self.images.index(path), np.asarray(self.order, np.int64), self.names,
                    self.annotations.index(path), rest.categories, rest.licences, rest.twice, rest.oddities)
