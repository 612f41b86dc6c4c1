"""`--boxes`: a detector's boxes for benchmarks that ask about found boxes; the refiner can find them here."""

from __future__ import annotations

import hashlib
from pathlib import Path

REFINER = "refiner"


def found_boxes(given: str | None, what, roots, out: Path) -> Path | None:
    """A file in COCO's layout of results: the one given, or what the refiner ("refiner", "refiner:FOLDER") finds in the
    benchmark's pictures, kept in `out` under a name that says of which data. None: the one beside the data."""
    if what.boxes != "found" or given is None:
        return None
    name, _, folder = given.partition(":")
    if name != REFINER:
        return Path(given).expanduser()
    folder = folder or "loupe/refiner"
    path = out / f"{what.name}.{_made_of(what, roots, folder)}.boxes.json"
    if path.is_file():
        return path
    from loupe.predictors.found_boxes import find

    return find(what, roots, folder, path)


def _made_of(what, roots, folder: str) -> str:
    """Of the annotations, where they lie, and the refiner: boxes found in other pictures are not taken for these."""
    from loupe.data.draw import place
    from loupe.readers import reader

    where = place(roots, what.folder).resolve()
    records = reader(what.reader)(where, what.split, **what.options)
    return hashlib.sha256(f"{where} {what.split} {records.hash} {folder}".encode()).hexdigest()[:8]
