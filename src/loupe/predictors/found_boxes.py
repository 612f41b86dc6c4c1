"""Boxes the refiner finds in a benchmark's pictures, in COCO's layout of results."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tqdm import tqdm

from loupe.data.draw import place
from loupe.errors import ImageError
from loupe.evals.asking import order
from loupe.evals.spec import Benchmark
from loupe.plain import Roots
from loupe.readers import reader

BATCH = 32


def find(what: Benchmark, roots: Roots, folder: str, path: Path) -> Path:
    """Writes `path` whole or not at all. folder: of the refiner's weights."""
    from loupe.models.refined import refine
    from loupe.models.refiner import load_refiner

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
