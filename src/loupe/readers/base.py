"""What every reader is: a sequence of Records over (root, split) that counts what it leaves out."""

from __future__ import annotations

import hashlib
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from loupe.errors import ConfigError, FileError, ImageError
from loupe.image import Image
from loupe.readers.pictures import Pictures, given_folders
from loupe.record import Record, whole_things
from loupe.regions import Box, Polygon, clip


class Pictured(NamedTuple):
    """What tells which picture a record is about."""

    image: Image | None
    extra: Mapping[str, object] = {}


Note = Callable[[str, object], None]  # (reason, example): count an oddity
EXAMPLES = 5
MOST_PIXELS = 1e7  # a coordinate beyond is no coordinate


class Reader(Sequence[Record]):
    """`reader[i]` parses only what belongs to picture i.

    problems: how many entries were left out or mended, by reason; entries inside a picture count when that picture
    is read first. examples: the first five of each reason. hash: sha256 over the annotation files' digests.
    missing: what to do with pictures that are not there: "drop" (count them), "raise", or "keep" (annotations only).
    A picture whose size stands in no file and which does not decode is skipped and counted by iteration;
    `reader[i]` raises its ImageError.
    """

    source = ""
    licence = ""
    sized = True  # the annotations state the sizes of their pictures, so that missing="keep" needs none
    shows = True  # its records have pictures
    evaluation_only = False  # refused as a source to train on

    def __init__(self, root: str | Path, split: str = "", *, images=None, missing: str = "drop"):
        self.root, self.split = Path(root).expanduser(), split
        if missing not in ("drop", "raise", "keep"):
            raise ConfigError("missing= is no choice", got=repr(missing), expected="'drop', 'raise' or 'keep'")
        if not self.root.is_dir():
            raise FileError("folder of the dataset does not exist", got=self.root, expected=f"a folder ({self.source})",
                            do=near(self.root))
        self.missing = missing
        self.problems: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self._digests: dict[str, str] = {}
        folders = given_folders(self.root, images) if images is not None else self._folders()
        self.pictures = Pictures(folders)
        self._length = 0
        self._unfound = 0

    def _folders(self) -> list[Path]:
        """The usual places of the pictures."""
        raise NotImplementedError

    def _record(self, i: int, note: Note) -> Record:
        raise NotImplementedError

    def _ready(self, length: int) -> None:
        """Called at the end of opening, when the number of records is known."""
        self._length = length
        self._read = np.zeros(length, bool)
        if not length and self._unfound:
            raise self._none_found()
        if self.shows and self.missing != "keep":
            self._compare_sizes()

    @property
    def hash(self) -> str:
        lines = "".join(f"{name} {digest}\n" for name, digest in sorted(self._digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        i = operator.index(i)
        if not -len(self) <= i < len(self):
            raise IndexError(f"record {i} of {len(self)}")
        i %= len(self)
        record = self._seen(i, silent if self._read[i] else self.note)
        self._read[i] = True
        return record

    def _seen(self, i: int, note: Note) -> Record:
        """The record with its picture as its annotations saw it: turned by EXIF or not."""
        record = self._record(i, note)
        if not self.sized:
            return record
        return replace(record, image=replace(record.image, stated=(record.width, record.height)))

    def __iter__(self) -> Iterator[Record]:
        for i in range(len(self)):
            try:
                record = self[i]
            except ImageError as error:
                if not self._read[i]:
                    self.note("picture does not decode", error)
                    self._read[i] = True
                continue
            yield record

    def pictured(self, i: int) -> Pictured:
        """Picture i and the ids it is known by; readers that know them without parsing what is annotated say so."""
        record = self[i]
        return Pictured(record.image, record.extra)

    def things(self, i: int) -> int:
        """Number of whole things in picture i, crowds left out; readers that know it without parsing say so."""
        return whole_things(self[i])

    def note(self, reason: str, example: object) -> None:
        self.problems[reason] += 1
        shown = self.examples.setdefault(reason, [])
        if len(shown) < EXAMPLES:
            shown.append(str(example))

    def _has(self, names: Sequence[str]) -> bool:
        """Whether a record with this picture is kept; counts it if not."""
        if self.missing == "keep" or self.pictures.find(names):
            return True
        if self.missing == "raise":
            raise FileError("picture does not exist", got=names[0], where=_places(self.pictures.folders),
                            do='give --root or images= the folder that holds it, or missing="drop"')
        self._unfound += 1
        self.note("picture not found", names[0])
        return False

    def _image(self, names: Sequence[str]) -> Image:
        found = self.pictures.find(names)
        if found is None and self.missing != "keep":
            raise ImageError("picture does not exist any more", where=names[0])
        return Image(path=found or (self.pictures.folders or (self.root,))[0] / names[0])

    def _none_found(self) -> FileError:
        names = ", ".join(self.examples.get("picture not found", []))
        return FileError(f"none of the {self._unfound} pictures was found", got=f"no {names}",
                         where=_places(self.pictures.folders),
                         do='give --root or images= the folder that holds them (missing="keep" reads annotations only)')

    def _compare_sizes(self) -> None:
        """A few pictures against their annotated size: boxes on resized pictures would be silently wrong."""
        picks = sorted({round(i) for i in np.linspace(0, len(self) - 1, min(EXAMPLES, len(self)))})
        wrong, seen = [], 0
        for i in picks:
            try:
                record = self._seen(i, silent)
                width, height = record.image.size
            except ImageError:
                continue
            seen += 1
            if (width, height) != (record.width, record.height):
                wrong.append(f"{record.image.name}: {width} x {height}, annotated {record.width} x {record.height}")
        if wrong and len(wrong) == seen:
            raise FileError("pictures are of another size than their annotations say", got=wrong[0],
                            expected="the original pictures", where=_places(self.pictures.folders),
                            do="give --root or images= the pictures the boxes were drawn on")
        for example in wrong:
            self.note("picture of another size than annotated (of those compared)", example)


def near(root: Path) -> str:
    """What to do about a data set that is not there: what lies beside it."""
    if not root.parent.is_dir():
        return "check --root"
    beside = sorted(p.name for p in root.parent.iterdir() if p.is_dir())[:6]
    return f"check the path; {root.parent} holds {', '.join(beside) or 'no folder'}"


def silent(reason: str, example: object) -> None:
    """A Note that counts nothing."""


def _places(folders: Sequence[Path]) -> str:
    if not folders:
        return "no folder at all (none of the usual ones exists)"
    return ", ".join(map(str, folders[:6])) + (f" and {len(folders) - 6} more" if len(folders) > 6 else "")


def clipped_box(x, y, w, h, width: int, height: int, note: Note, example: object) -> Box | None:
    """x, y, width, height as a Box inside the picture; None, with its reason counted, where nothing is left."""
    if not all(map(is_number, (x, y, w, h))):
        note("box is not four numbers", example)
        return None
    if w <= 0 or h <= 0:
        note("box without area", example)
        return None
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if x2 <= x1 or y2 <= y1:
        note("box outside its picture", example)
        return None
    if (x1, y1, x2, y2) != (x, y, x + w, y + h):
        note("box clipped to its picture", example)
    return Box(float(x1), float(y1), float(x2), float(y2))


def is_number(value: object) -> bool:
    """A finite number that pixels can be counted in."""
    return type(value) in (int, float) and -MOST_PIXELS < value < MOST_PIXELS


def clipped_ring(points, width: int, height: int, note: Note, example: object) -> Polygon | None:
    """[[x, y], ...] or [x, y, x, y, ...] inside the picture; None, with its reason counted, where nothing is left."""
    pairs = points if isinstance(points, list) else []
    if pairs and not isinstance(pairs[0], (list, tuple)):
        pairs = list(zip(pairs[::2], pairs[1::2])) if len(pairs) % 2 == 0 else []
    good = len(pairs) >= 3 and all(isinstance(p, (list, tuple)) and len(p) == 2 and all(map(is_number, p))
                                   for p in pairs)
    if not good:
        note("outline is not three or more points", example)
        return None
    ring = Polygon(tuple((float(x), float(y)) for x, y in pairs))
    box = ring.box
    if not box.area > 0:
        note("outline without area", example)
        return None
    if box.x1 >= width or box.y1 >= height or box.x2 <= 0 or box.y2 <= 0:
        note("outline outside its picture", example)
        return None
    if box.x1 < 0 or box.y1 < 0 or box.x2 > width or box.y2 > height:
        note("outline clipped to its picture", example)
        ring = clip(ring, float(width), float(height))
    return ring


def words(text: object) -> str:
    """Text with single spaces; "" for what is no text. Halves of characters become question marks."""
    return " ".join(text.encode("utf-8", "replace").decode().split()) if isinstance(text, str) else ""
