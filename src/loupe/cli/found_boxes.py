"""`--boxes`: a detector's boxes for benchmarks that ask about found boxes; the refiner can find them here."""

from __future__ import annotations

import json
import os
from pathlib import Path

REFINER = "refiner"
BATCH = 32


def found_boxes(given: str | None, what, roots, out: Path) -> Path | None:
    """A file in COCO's layout of results: the one given, or what the refiner ("refiner", "refiner:FOLDER") finds in the
    benchmark's pictures, kept in `out`. None: the one beside the data."""
    if what.boxes != "found" or given is None:
        return None
    name, _, folder = given.partition(":")
    if name != REFINER:
        return Path(given).expanduser()
    path = out / f"{what.name}.boxes.json"
    return path if path.is_file() else _find(what, roots, folder or "loupe/refiner", path)


def _find(what, roots, folder: str, path: Path) -> Path:
    from tqdm import tqdm

    from loupe.data.draw import place
    from loupe.errors import ImageError
    from loupe.evals.asking import order
    from loupe.models.refined import refine
    from loupe.models.refiner import load_refiner
    from loupe.readers import reader

    model = load_refiner(folder)
    records = reader(what.reader)(place(roots, what.folder), what.split, **what.options)
    chosen, entries = order(len(records))[:what.pictures or None], []
    for first in tqdm(range(0, len(chosen), BATCH), desc="boxes by the refiner", unit="batch", disable=None, delay=2):
        some = []
        for position in chosen[first:first + BATCH]:
            try:
                record = records[position]
                record.image.array()
            except ImageError:  # the reader counts it
                continue
            some.append(record)
        for record, seen in zip(some, refine(model, [r.image for r in some])):
            entries += [{"image_id": record.id, "bbox": [round(v, 3) for v in (
                t.box.x1, t.box.y1, t.box.width, t.box.height)], "score": round(t.score, 6)} for t in seen.things]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(entries), "utf-8")
    os.replace(part, path)
    return path
