"""What a refiner found, a file per picture and view: named by the picture's content, the view and the refiner.

    CACHE/ab/abcdef....npz     meta (JSON: tags, things, RLE masks), scores (float32), queries and outlines (float16)

A file is whole or not there, so any number of processes may write one folder, and a kill loses nothing that was done.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from loupe.errors import ConfigError, RegionError
from loupe.models.refined import Refined, Tag, Thing
from loupe.plain import from_plain, to_plain
from loupe.regions import Mask
from loupe.writers.files import atomic

VERSION = 1
ARRAYS = ("scores", "queries", "outlines")
KEPT_ROWS = ("all", "found", "none")
HIGHEST = float(np.finfo(np.float16).max)
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, RegionError)


class Cache:
    """identity: of the refiner, thresholds included. rows: which rows of features are kept: "all", "found" (queries of
    at least the threshold; the others are masked anyway, and this takes a fraction of the room) or "none"."""

    def __init__(self, folder: str | Path, identity: Mapping, rows: str = "all", threshold: float = 0.0):
        if rows not in KEPT_ROWS:
            raise ConfigError("no such choice of rows", got=repr(rows), expected=", ".join(KEPT_ROWS))
        self.folder, self.rows, self.threshold = Path(folder), rows, threshold
        self._plan = json.dumps([VERSION, dict(identity), rows], sort_keys=True)

    def path(self, content: str, view: list) -> Path:
        name = hashlib.sha256(json.dumps([self._plan, content, view]).encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}.npz"

    def holds(self, content: str, view: list) -> bool:
        return self.path(content, view).is_file()

    def get(self, content: str, view: list, features: bool = True) -> Refined | None:
        """What was put, or None; a damaged file counts as none and is written again."""
        path = self.path(content, view)
        try:
            with np.load(path, allow_pickle=False) as file:
                meta = json.loads(file["meta"].tobytes())
                arrays = [file[name].astype(np.float32) for name in ARRAYS] if features else None
            return _restored(meta, arrays)
        except DAMAGE:
            return None

    def put(self, content: str, view: list, refined: Refined) -> None:
        keep = slice(None) if self.rows == "all" else slice(0)
        if self.rows == "found":
            keep = refined.scores >= self.threshold
        outlines = refined.outlines if self.rows != "none" else refined.outlines[:0]
        half = {name: np.clip(rows, -HIGHEST, HIGHEST).astype(np.float16)
                for name, rows in (("queries", refined.queries[keep]), ("outlines", outlines))}
        meta = np.frombuffer(json.dumps(_meta(refined), ensure_ascii=False).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, meta=meta, scores=refined.scores[keep].astype(np.float32), **half)
        with atomic(self.path(content, view)) as file:
            file.write(buffer.getvalue())


def _meta(refined: Refined) -> dict:
    things = [{"name": t.name, "attributes": list(t.attributes), "box": to_plain(t.box), "mask": t.mask.rle(),
               "score": round(t.score, 5)} for t in refined.things]
    return {"size": [refined.width, refined.height], "things": things,
            "tags": [[tag.word, round(tag.score, 5)] for tag in refined.tags]}


def _restored(meta: dict, arrays: list[np.ndarray] | None) -> Refined:
    things = tuple(Thing(t["name"], tuple(t["attributes"]), from_plain(t["box"]), Mask.from_rle(t["mask"]), t["score"])
                   for t in meta["things"])
    arrays = arrays or [np.zeros(0, np.float32), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)]
    return Refined(*meta["size"], tuple(Tag(word, score) for word, score in meta["tags"]), things, *arrays)
