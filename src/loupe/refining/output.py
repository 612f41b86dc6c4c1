"""What a finished run leaves: COCO JSON, spatial text, records, a gallery and the manifest, all from the cache."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from loupe.codec import codec
from loupe.frame import squash
from loupe.image import Image
from loupe.models.refined import Refined
from loupe.record import Object, Record
from loupe.refining.cached import MANIFEST, Cached
from loupe.refining.page import gallery
from loupe.refining.spatial import spatial
from loupe.writers import files
from loupe.writers.coco import info
from loupe.writers.files import ARRAY, Document, Entry, atomic
from loupe.writers.numbers import whole
from loupe.writers.records import Records

COCO, SPATIAL, GALLERY = "annotations/instances.json", "spatial.txt", "gallery.html"
MANY = 64  # pictures whose findings are read together


@dataclass(frozen=True)
class Outputs:
    codec: str = "lyrics"  # of the spatial text
    shown: int = 48  # pictures of the gallery


def finish(out: Path, images: Sequence[Image], cached: Cached, missed: Sequence[Sequence[str]],
           outputs: Outputs) -> dict:
    """Write everything; the manifest comes last and is returned."""
    names, counts = Counter(), Counter()
    for refined in _found(images, cached, "counted"):
        names.update(thing.name for thing in refined.things)
        counts.update({"pictures": 1, "with nothing found": not refined.things, "tags": len(refined.tags),
                       "things": len(refined.things)})
    records = (record(image, refined, out) for image, refined in zip(images, _found(images, cached, "written")))
    split = Records("train", "records/", picture=lambda r: _place(r.image, out / "records"))
    files.write([Coco(sorted(names)), split], records, out, pictures=False)
    writer = codec(outputs.codec)
    with atomic(out / SPATIAL) as file:
        for image, refined in zip(images, _found(images, cached, "spatial text")):
            size = refined.width, refined.height
            said = spatial(refined.things, writer, squash(*size, size))
            file.write(f"{_place(image, out)}\t{said}\n".encode())
    step = max(1, len(images) // max(1, outputs.shown))
    shown = list(images)[::step][:outputs.shown]
    pairs = zip(shown, cached.refine(shown, features=False))
    gallery(out / GALLERY, pairs, counts, names, missed, cached.pipeline.names, writer)
    manifest = {"loupe": "refining", "version": 1, "parts": cached.pipeline.names, "refiner": cached.pipeline.identity,
                "widths": list(cached.widths), "views": cached.views.count, "rows": cached.cache.rows,
                "cache": Path(os.path.relpath(cached.cache.folder, out)).as_posix(),
                "counts": {key: int(value) for key, value in counts.items()} | {"unreadable": len(missed)},
                "names": dict(names.most_common()), "codec": outputs.codec, "unreadable": [list(m) for m in missed]}
    with atomic(out / MANIFEST) as file:
        file.write((json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return manifest


def _found(images: Sequence[Image], cached: Cached, what: str) -> Iterator[Refined]:
    """What was found in each whole picture, without features, a few at a time."""
    with tqdm(total=len(images), desc=what, unit="picture", delay=2, disable=None, leave=False) as bar:
        for first in range(0, len(images), MANY):
            some = images[first:first + MANY]
            yield from cached.refine(some, features=False)
            bar.update(len(some))


def _place(image: Image, out: Path) -> str:
    return Path(os.path.relpath(image.path, out)).as_posix()


def record(image: Image, refined: Refined, out: Path) -> Record:
    """What was found as a Record; scores and tags in `extra`."""
    id = _place(image, out)
    objects = tuple(Object(f"{image.content_hash}-{k}", t.box, (t.name,), t.attributes, t.mask)
                    for k, t in enumerate(refined.things))
    extra = {"scores": [round(t.score, 4) for t in refined.things],
             "tags": [[tag.word, round(tag.score, 4)] for tag in refined.tags]}
    return Record(image, refined.width, refined.height, id, "refined", "train", objects=objects, extra=extra)


class Coco:
    """COCO's instances with a score for each, masks as compressed run lengths; file names as seen from the folder."""

    path = COCO

    def __init__(self, names: Sequence[str]):
        self.ids = {name: k for k, name in enumerate(names, 1)}
        self.images = self.things = 0
        listed = [{"id": k, "name": name, "supercategory": "thing"} for name, k in self.ids.items()]
        self.documents = (Document(COCO, (("info", info("Found by a visual refiner")), ("images", ARRAY),
                                          ("annotations", ARRAY), ("categories", listed))),)

    def pictures(self, record: Record) -> Iterator[str]:
        return iter(())

    def entries(self, record: Record) -> Iterator[Entry]:
        self.images += 1
        yield COCO, "images", {"id": self.images, "file_name": record.id, "width": record.width,
                               "height": record.height,
                               "tags": [{"tag": tag, "score": score} for tag, score in record.extra["tags"]]}
        for o, score in zip(record.objects, record.extra["scores"]):
            self.things += 1
            box = (o.box.x1, o.box.y1, o.box.width, o.box.height)
            yield COCO, "annotations", {
                "id": self.things, "image_id": self.images, "category_id": self.ids[o.name], "iscrowd": 0,
                "bbox": [round(v, 2) for v in box], "area": whole(o.shape.area), "segmentation": o.shape.rle(),
                "score": score, "attributes": list(o.attributes)}
