"""`--boxes`: a detector's boxes for benchmarks that ask about found boxes; the refiner can find them here."""

from __future__ import annotations

from pathlib import Path

REFINER = "refiner"


def found_boxes(given: str | None, what, roots, out: Path) -> Path | None:
    """A file in COCO's layout of results: the one given, or what the refiner ("refiner", "refiner:FOLDER") finds in the
    benchmark's pictures, kept in `out`. None: the one beside the data."""
    if what.boxes != "found" or given is None:
        return None
    name, _, folder = given.partition(":")
    if name != REFINER:
        return Path(given).expanduser()
    path = out / f"{what.name}.boxes.json"
    if path.is_file():
        return path
    from loupe.predictors.found_boxes import find

    return find(what, roots, folder or "loupe/refiner", path)
