"""Questions about every box of a picture: "what is this?", of annotated boxes or of boxes a detector found."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from loupe.errors import FileError, ImageError, RegionError
from loupe.evals.spec import Benchmark
from loupe.record import Object, Record
from loupe.regions import Box, Mask, Point, area, clip
from loupe.sample import Sample
from loupe.tasks import question
from loupe.tasks.base import identity
from loupe.tasks.drawn import fixed
from loupe.tasks.view import view

MOST = 100  # found boxes of a picture, the best ones
Found = dict[str, list[tuple[Box, float]]]  # record id -> boxes with their scores


def questions(what: Benchmark, records: Sequence[Record], positions: Sequence[int], found: Found | None = None
              ) -> list[Sample]:
    """Of the pictures at `positions`. A picture's annotated things go with its first question; those of a picture that
    has no question go with the next (or last) one, so that what was not found counts as missed.
    """
    chosen = []
    for position in tqdm(positions, desc=f"questions of {what.name}", unit="picture", delay=2, disable=None,
                         leave=False):
        try:
            chosen.append(records[position])
        except ImageError:  # the reader counts it where it looked for the picture
            continue
    names = {name: None for r in chosen for name in (*r.vocabulary, *(o.name for o in r.objects if o.name))}
    out: list[Sample] = []
    waiting: list[dict] = []
    for record in chosen:
        known = things(record)
        waiting.append({"picture": record.id, "things": [_plain(o) for o in known]})
        made = _given(what, record, known) if what.boxes == "given" else _found(what, record, found or {})
        if made:
            first = {**made[0].extra, "classes": tuple(sorted(names)), "truths": tuple(waiting)}
            out += [replace(made[0], extra=first), *made[1:]]
            waiting = []
    if waiting and out:
        last = max(k for k, s in enumerate(out) if "truths" in s.extra)
        extra = {**out[last].extra, "truths": (*out[last].extra["truths"], *waiting)}
        out[last] = replace(out[last], extra=extra)
    return out


def things(record: Record) -> list[Object]:
    """What is annotated, crowds too."""
    return [o for o in record.objects if o.name]


def outline_area(o: Object) -> float:
    """Square pixels inside the outline, of the box where there is none."""
    if isinstance(o.shape, Mask):
        return o.shape.area
    return sum(map(area, o.shape)) if o.shape else o.box.area


def read_boxes(path: str | Path) -> Found:
    """COCO's layout of results: [{"image_id", "bbox": [x, y, width, height], "score"}]; the best MOST of a picture."""
    path = Path(path)
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FileError("cannot read found boxes", got=error.strerror, where=path,
                        do="give a detector's results as --boxes FILE, or --boxes refiner") from None
    except (ValueError, RecursionError) as error:
        raise FileError("found boxes are not JSON", got=error, where=path) from None
    found: Found = {}
    for number, entry in enumerate(data if isinstance(data, list) else [None]):
        try:
            x, y, w, h = map(float, entry["bbox"])
            score = float(entry["score"])
            if not all(map(math.isfinite, (x, y, w, h, score))):
                raise ValueError("not finite")
            found.setdefault(str(entry["image_id"]), []).append((Box.from_xywh(x, y, w, h), score))
        except (KeyError, TypeError, ValueError, RegionError) as error:
            raise FileError("a found box cannot be read", got=f"{str(entry)[:80]} ({error})",
                            where=f"{path}: [{number}]",
                            expected='{"image_id": 1, "bbox": [x, y, width, height], "score": 0.9}') from None
    return {id: sorted(some, key=lambda pair: -pair[1])[:MOST] for id, some in found.items()}


def _given(what: Benchmark, record: Record, known: list[Object]) -> list[Sample]:
    out = []
    for own, o in enumerate(known):
        if o.crowd:
            continue
        region = o.box
        if what.region == "point":
            rng = fixed(record, what.task, o.id, "point")
            region = view(record).outlines.point(o, rng) or o.box.centre
        extra = {"truth": o.name, "references": o.names, "own": own, "object": o.id}
        out.append(_sample(what, record, f"{what.region or 'box'}:{o.id}", region, o.box, extra))
    return out


def _found(what: Benchmark, record: Record, found: Found) -> list[Sample]:
    out = []
    for k, (box, score) in enumerate(found.get(record.id, ())):
        try:
            inside = clip(box, record.width, record.height)
        except RegionError:  # wholly outside: nothing to point at
            continue
        if inside.area > 0:
            out.append(_sample(what, record, f"found:{k}", inside, inside, {"score": score}))
    return out


def _sample(what: Benchmark, record: Record, key: str, region: Box | Point, box: Box, extra: dict) -> Sample:
    turn = question("region", kind="name", region=region, templates=what.task_options.get("templates"))
    about = {"picture": record.id, "unit": record.id, "box": box, **extra}
    return Sample((record.image,), (turn,), "region", identity(record, "region", key), record.id, about)


def _plain(o: Object) -> dict:
    plain = {"name": o.name, "box": o.box, "area": round(outline_area(o), 3)}
    return plain | ({"crowd": True} if o.crowd else {})
