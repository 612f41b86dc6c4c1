"""A folder of pictures without annotations: what pixel questions need.

Splits are drawn from the pictures' own bytes, so that a picture stays on its side whatever it is called, wherever it
lies and however many others come and go, and two copies of one never part.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tqdm import tqdm

from loupe.errors import ConfigError, FileError
from loupe.image import Image
from loupe.readers.base import Note, Reader
from loupe.readers.pictures import ENDINGS
from loupe.record import Record

SPLITS = ("", "train", "val")


class Folder(Reader):
    """`Folder(root, "train", val=0.2)`: every picture below root, in order of their paths; "" is all of them.

    val: share of pictures that are "val". by: "content" reads every file once when it is opened; "name" is quick, for
    large collections whose file names are theirs for ever.
    """

    source = "pictures"
    sized = False

    def __init__(self, root, split: str = "", *, val: float = 0.2, by: str = "content", images=None,
                 missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        if split not in SPLITS:
            raise ConfigError("a folder of pictures has no such split", got=repr(split),
                              expected=", ".join(map(repr, SPLITS)))
        if by not in ("content", "name") or not 0 <= val <= 1:
            raise ConfigError("pictures cannot be split so", got=f"by {by!r}, val {val}",
                              expected="by 'content' or 'name', val from 0 to 1")
        found = sorted(path for folder in self.pictures.folders for path in below(folder))
        self._paths: list[Path] = []
        seen: dict[str, Path] = {}
        for path in tqdm(found, desc=f"pictures of {self.root.name}", unit="picture", delay=2, disable=None,
                         leave=False):
            key = self._key(path, by)
            if key in seen:
                self.note("the same picture twice", f"{path.name} and {seen[key].name}")
                continue
            seen[key] = path
            if not split or (int(key[:8], 16) < val * 2**32) == (split == "val"):
                self._paths.append(path)
                self._digests[str(path.relative_to(self._base(path)))] = key
        if not found:
            raise FileError("no picture in this folder", got="none", where=self.root,
                            expected=f"files ending in {', '.join(ENDINGS)}")
        self._ready(len(self._paths))

    def _key(self, path: Path, by: str) -> str:
        if by == "name":
            return hashlib.sha256(path.stem.encode()).hexdigest()
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise FileError("cannot read picture", got=error.strerror, where=path) from None

    def _folders(self) -> list[Path]:
        return [self.root]

    def _base(self, path: Path) -> Path:
        return next(folder for folder in self.pictures.folders if path.is_relative_to(folder))

    def _compare_sizes(self) -> None:
        """Nothing is annotated."""

    def things(self, i: int) -> int:
        return 0

    def _record(self, i: int, note: Note) -> Record:
        image = Image(path=self._paths[i])
        width, height = image.size
        name = self._paths[i].relative_to(self._base(self._paths[i]))
        return Record(image, width, height, name.as_posix(), self.source, self.split)


def below(folder: Path):
    """Every file below a folder that is named like a picture; hidden folders are left out."""
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(base) / name for name in names
                    if os.path.splitext(name)[1].lower() in ENDINGS and not name.startswith("."))
