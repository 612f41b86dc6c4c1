"""loupe's own layout: root/<split>.jsonl, one whole Record a line (writers/records.py)."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
from tqdm import tqdm

from loupe.errors import FileError
from loupe.image import Image
from loupe.readers.base import Note, Pictured, Reader
from loupe.readers.stream import missing_file
from loupe.record import Record
from loupe.regions import Mask, Point, Region
from loupe.stored import from_stored

MARK = b'"picture": "'
EDGE = 1.0  # pixels: less is rounding
WRITTEN = "docs/own-data.md says how a record is written"
ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")  # a character beyond the first 65,536, or half of one


class Records(Reader):
    """`Records(root, "train")`; lines are found by their place in the file and parsed when they are asked for. Empty
    lines are passed over; a line that is no record, or was cut short, is a FileError."""

    source = "records"

    def __init__(self, root, split: str = "train", *, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        self.path = self.root / f"{split or 'train'}.jsonl"
        self._starts = self._scan()
        self._ready(len(self._starts))

    def _folders(self) -> list[Path]:
        return [self.root]

    def _scan(self) -> np.ndarray:
        """[records, 2] first byte and length of every line whose picture is there."""
        if not self.path.is_file():
            raise missing_file(self.path)
        digest, at, found = hashlib.sha256(), 0, []
        with open(self.path, "rb") as file, tqdm(total=self.path.stat().st_size, unit="B", unit_scale=True, delay=2,
                                                 desc=self.path.name, disable=None, leave=False) as bar:
            for line in file:
                digest.update(line)
                if line.strip() and self._has(self._names(line, at)):
                    found.append((at, len(line)))
                at += len(line)
                bar.update(len(line))
        if not at:
            raise FileError("file is empty", got="0 bytes", expected="a record a line", where=self.path)
        self._digests[self.path.name] = digest.hexdigest()
        return np.array(found, np.int64).reshape(-1, 2)

    def _names(self, line: bytes, at: int) -> tuple[str, ...]:
        """The picture's path; it stands first in what loupe writes, anywhere in what others write."""
        if not line.endswith(b"\n"):
            self._parse(line, at)
        if line.startswith(b"{" + MARK):
            return (json.loads(line[len(MARK):line.index(b'"', len(MARK) + 1) + 1]),)
        return (self._parse(line, at)["picture"],)

    def _has(self, names) -> bool:
        if self.missing == "keep" or (self.root / names[0]).is_file():
            return True
        return super()._has(names)

    def _parse(self, line: bytes, at: int) -> dict:
        try:
            data = json.loads(line)
            if ESCAPED.search(line):  # perhaps half a character, which JSON may spell and nothing can hold
                json.dumps(data, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise FileError("a line is no JSON", got=str(error), expected="a whole record on every line",
                            where=self._place(at), do=WRITTEN) from None
        if not isinstance(data, dict) or not isinstance(data.get("picture"), str):
            raise FileError("a line is no record", got=repr(data)[:80], expected='{"picture": ..., "id": ...} a line',
                            where=self._place(at), do=WRITTEN)
        return data

    def things(self, i: int) -> int:
        return sum(not o.get("crowd") and o.get("part_of") is None for o in self._data(i)[0].get("objects", ()))

    def _data(self, i: int) -> tuple[dict, int]:
        """(the line, its first byte)"""
        at, size = (int(v) for v in self._starts[i])
        with open(self.path, "rb") as file:
            file.seek(at)
            line = file.read(size)
        return self._parse(line, at), at

    def pictured(self, i: int) -> Pictured:
        data, _ = self._data(i)
        extra = data.get("extra")
        return Pictured(Image(path=self.root / data["picture"]), extra if isinstance(extra, dict) else {})

    def _record(self, i: int, note: Note) -> Record:
        data, at = self._data(i)
        try:
            record = from_stored(data, self.root)
        except FileError as error:  # its place within the line is known, that of the line is counted now
            raise FileError(error.what, got=error.got, where=f"{self._place(at)}{error.where}", do=error.do) from None
        told = (region for s in record.sentences for _, regions in s.pieces for region in regions)
        for region in (*(o.box for o in record.objects), *(p.region for p in record.phrases), *told):
            reason = odd(region, record.width, record.height)
            if reason:
                note(reason, f"record {record.id}: {region}")
        for strange in sorted(named(record) - {o.id for o in record.objects}):
            note("id of no object", f"record {record.id}: {strange}")
        return record

    def _place(self, at: int) -> str:
        """Where the line stands that begins at this byte; lines count from 1."""
        with open(self.path, "rb") as file:
            number = file.read(at).count(b"\n") + 1
        return f"{self.path}: line {number}"


def named(record: Record) -> set[str]:
    """Ids by which phrases, relations, words and parts name objects."""
    ids = {each.object for each in (*record.phrases, *record.relations, *record.words)}
    return (ids | {r.subject for r in record.relations} | {o.part_of for o in record.objects}) - {None}


def odd(region: Region, width: int, height: int) -> str:
    """Why these can hardly be pixels of this picture; "" where they can. Nothing is left out for it."""
    if isinstance(region, Mask):
        return "" if (region.width, region.height) == (width, height) else "mask of another size than its picture"
    box = region.box
    if box.x2 > width + EDGE or box.y2 > height + EDGE or box.x1 < -EDGE or box.y1 < -EDGE:
        return "region reaches over its picture"
    if not isinstance(region, Point) and 0 < box.x2 <= 1 and 0 < box.y2 <= 1:
        return "region within one pixel: fractions of the picture?"
    return ""
