"""Where the picture of an annotation lies, under the several names datasets give one picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from loupe.errors import FileError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
COCO_FOLDERS = ("train2017", "val2017", "train2014", "val2014", "test2017", "test2015")
_coco = re.compile(r"^(?:COCO_(?:train|val|test)\d{4}_)?(\d{12})(?:_\d+)?$")


class Pictures:
    """Finds pictures by name in some folders. Listings are read once, when needed (150 bytes a picture)."""

    def __init__(self, folders: Iterable[Path]):
        self.folders = tuple(dict.fromkeys(_tidy(folder) for folder in folders if Path(folder).is_dir()))
        self._listings: dict[str, dict[str, tuple[str, ...]]] = {}

    def find(self, names: Sequence[str]) -> Path | None:
        """The first of these names (likeliest first, with or without folders and ending) that exists anywhere."""
        for name in names:
            path = PurePosixPath(name.replace("\\", "/"))
            parts = [part for part in path.parts if part not in ("..", "/", ".")]
            if not parts:
                continue
            for tail in range(len(parts)):
                for folder in self.folders:
                    found = self._in(folder.joinpath(*parts[tail:-1]), parts[-1])
                    if found:
                        return found
        return None

    def _in(self, folder: Path, name: str) -> Path | None:
        stem, ending = os.path.splitext(name)
        if ending.lower() not in ENDINGS:
            stem, ending = name, ""
        endings = self._listing(folder).get(stem)
        if not endings:
            return None
        return folder / (stem + (ending if ending in endings else endings[0]))

    def _listing(self, folder: Path) -> dict[str, tuple[str, ...]]:
        """stem -> endings there, .jpg first."""
        key = str(folder)
        if key not in self._listings:
            listing: dict[str, tuple[str, ...]] = {}
            try:
                names = os.listdir(folder)
            except OSError:
                names = []
            for name in names:
                stem, ending = os.path.splitext(name)
                if ending.lower() in ENDINGS:
                    listing[stem] = (*listing[stem], ending) if stem in listing else _alone(ending)
            for stem, endings in listing.items():
                if len(endings) > 1:
                    listing[stem] = tuple(sorted(endings, key=lambda e: ENDINGS.index(e.lower())))
            self._listings[key] = listing
        return self._listings[key]


def coco_names(name: str | int) -> tuple[str, ...]:
    """The names one COCO picture goes by: as given, 2017's digits, 2014's prefixes; REFER's annotation id taken off."""
    given = str(name)
    path = PurePosixPath(given)
    stem = f"{int(given):012d}" if given.isdigit() and len(given) < 12 else path.stem
    match = _coco.match(stem)
    if not match:
        return (given,)
    digits = match[1]
    return tuple(dict.fromkeys((given, re.sub(r"^(COCO_\w+?_\d{12})_\d+$", r"\1", path.stem), digits,
                                f"COCO_train2014_{digits}", f"COCO_val2014_{digits}", str(int(digits)))))


def usual_folders(root: Path, splits: Sequence[str], dataset: Sequence[str] = ()) -> list[Path]:
    """Where pictures of `root` usually lie: images/<split>, <split>, images, root itself; then beside the root.

    `dataset` names neighbours whose pictures this one shares (RefCOCO's lie in "coco").
    """
    root = root.absolute()
    bases = [root]
    for up in (root.parent, root.parent.parent):
        bases += [up / name for name in dataset] + [up]
    out: list[Path] = []
    for base in bases:
        for place in (base / "images", base):
            out += [place / split for split in splits if split]
            out.append(place)
    return [folder for folder in out if folder.is_dir()]


def given_folders(root: Path, images: str | os.PathLike | Sequence) -> list[Path]:
    """The folders named by the user (as they stand, or under the root), each with its direct subfolders."""
    out: list[Path] = []
    for name in [images] if isinstance(images, (str, os.PathLike)) else images:
        folder = next((f for f in (Path(name).expanduser(), root / name) if f.is_dir()), None)
        if folder is None:
            raise FileError("folder of pictures does not exist", got=name, expected=f"a folder, or one under {root}",
                            do="give images= the folder that holds them")
        out += [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    return out


def _tidy(folder: Path) -> Path:
    return Path(os.path.normpath(folder))


def _alone(ending: str, known: dict[str, tuple[str, ...]] = {}) -> tuple[str, ...]:  # noqa: B006 - one tuple an ending
    return known.setdefault(ending, (ending,))
