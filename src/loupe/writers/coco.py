"""COCO's instances and captions, and Objects365, which has COCO's form with its own names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from loupe import contour
from loupe.errors import LoupeError
from loupe.record import Object, Record
from loupe.regions import Mask
from loupe.writers.files import ARRAY, Document, Entry, write
from loupe.writers.numbers import number, whole
from loupe.writers.oddities import NONE, Oddities

LICENSES = [{"url": "http://creativecommons.org/publicdomain/zero/1.0/", "id": 1, "name": "Public Domain Dedication"}]


class Category(NamedTuple):
    id: int
    name: str
    group: str


def categories_of(names: Sequence[str], groups: dict[str, str] | None = None) -> tuple[Category, ...]:
    """Ids from 1 with COCO's habit of leaving some out: every sixth is missing."""
    ids = (k for k in range(1, 2 * len(names) + 7) if k % 6)
    return tuple(Category(k, name, (groups or {}).get(name, "thing")) for k, name in zip(ids, names))


def info(description: str) -> dict:
    return {"description": description, "url": "https://loupe.invalid", "version": "1.0", "year": 2017,
            "contributor": "loupe", "date_created": "2017/09/01"}


def file_name(record: Record) -> str:
    return record.image.path.name if record.image.path is not None else f"{number(record.id):012d}.jpg"


def image_entry(record: Record, name: str, folder: str) -> dict:
    return {"license": 1, "file_name": name, "coco_url": f"https://loupe.invalid/{folder}/{name}",
            "height": record.height, "width": record.width, "date_captured": "2017-01-01 00:00:00",
            "flickr_url": f"https://loupe.invalid/{folder}/{name}", "id": number(record.id)}


@lru_cache(maxsize=64)  # several layouts write the same objects one after the other
def segmentation(o: Object) -> list | dict:
    """Polygons; run lengths for crowds and for what has holes; the box where no outline is known."""
    if isinstance(o.shape, Mask):
        outer, holes = ([], []) if o.crowd else contour.rings(o.shape.array())
        if holes or not outer:
            rle = o.shape.rle(compressed=False)
            return {"counts": rle["counts"], "size": rle["size"]}
        return [[v for point in ring for v in point] for ring in outer]
    if o.shape:
        return [[whole(v) for point in ring.points for v in point] for ring in o.shape]
    x1, y1, x2, y2 = (whole(v) for v in o.box.xyxy)
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def _area(o: Object) -> float:
    if isinstance(o.shape, Mask):
        return whole(o.shape.area)
    return whole(sum(ring.area for ring in o.shape)) if o.shape else whole(o.box.area)


class Coco:
    """annotations/instances_SPLIT.json; objects of no category (parts) are left out."""

    def __init__(self, split: str, categories: Sequence[Category], oddities: Oddities = NONE, under: str = "",
                 path: str = "", naming=file_name):
        self.split, self.under, self.oddities, self.naming = split, under, oddities, naming
        self.ids = {category.name: category.id for category in categories}
        listed = [{"supercategory": c.group, "id": c.id, "name": c.name} for c in categories]
        self.path = under + (path or f"annotations/instances_{split}.json")
        self.documents = (Document(self.path, (
            ("info", info("Miniature in COCO's layout")), ("licenses", LICENSES), ("images", ARRAY),
            ("annotations", ARRAY), ("categories", listed))),)

    def pictures(self, record: Record) -> Iterator[str]:
        yield f"{self.under}{self.split}/{file_name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        yield self.path, "images", image_entry(record, self.naming(record), self.split)
        for entry in self.annotations(record):
            yield self.path, "annotations", entry

    def annotations(self, record: Record) -> Iterator[dict]:
        flaws = self.oddities.draw(record, 2)
        for o in record.objects:
            if o.name in self.ids:
                box = flaws.box(o.box.x1, o.box.y1, o.box.width, o.box.height, record.width, record.height)
                yield {"segmentation": segmentation(o), "area": _area(o), "iscrowd": int(o.crowd),
                       "image_id": number(record.id), "bbox": [whole(v) for v in box],
                       "category_id": self.ids[o.name], "id": number(o.id)}


class CocoCaptions:
    """annotations/captions_SPLIT.json."""

    def __init__(self, split: str, under: str = ""):
        self.split, self.under = split, under
        self.path = f"{under}annotations/captions_{split}.json"
        self.documents = (Document(self.path, (
            ("info", info("Miniature in COCO's layout")), ("images", ARRAY), ("licenses", LICENSES),
            ("annotations", ARRAY))),)

    def pictures(self, record: Record) -> Iterator[str]:
        yield f"{self.under}{self.split}/{file_name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        yield self.path, "images", image_entry(record, file_name(record), self.split)
        for k, caption in enumerate(record.captions):
            yield self.path, "annotations", {"image_id": number(record.id), "id": number(record.id) * 10 + k,
                                             "caption": caption}


class Objects365:
    """zhiyuan_objv2_SPLIT.json: boxes only, pictures named by their patch, float boxes."""

    def __init__(self, split: str, categories: Sequence[Category], oddities: Oddities = NONE, under: str = ""):
        self.split, self.under, self.oddities = split, under, oddities
        self.ids = {category.name: k + 1 for k, category in enumerate(categories)}
        listed = [{"name": name.title(), "id": k} for name, k in self.ids.items()]
        self.path = f"{under}zhiyuan_objv2_{split}.json"
        self.documents = (Document(self.path, (
            ("images", ARRAY), ("annotations", ARRAY), ("categories", listed), ("licenses", LICENSES))),)

    @staticmethod
    def name(record: Record) -> str:
        return f"images/v1/patch0/objects365_v1_{number(record.id):08d}.jpg"

    def pictures(self, record: Record) -> Iterator[str]:
        yield self.under + self.name(record)

    def entries(self, record: Record) -> Iterator[Entry]:
        name = self.name(record)
        yield self.path, "images", {"height": record.height, "id": number(record.id), "license": 1,
                                    "width": record.width, "file_name": name, "url": f"https://loupe.invalid/{name}"}
        flaws = self.oddities.draw(record, 3)
        for o in record.objects:
            if o.name in self.ids:
                box = flaws.box(o.box.x1, o.box.y1, o.box.width, o.box.height, record.width, record.height)
                yield self.path, "annotations", {
                    "id": number(o.id), "iscrowd": int(o.crowd), "isfake": 0, "area": float(box[2] * box[3]),
                    "isreflected": 0, "bbox": [float(v) for v in box], "image_id": number(record.id),
                    "category_id": self.ids[o.name]}


def with_categories(records: Iterable[Record], categories: Sequence[Category] | None):
    """(records, categories): the class list given, or the first record's vocabulary."""
    if categories is not None:
        return records, tuple(categories)
    records = iter(records)
    first = next(records, None)
    if first is None or not first.vocabulary:
        raise LoupeError("COCO's layout needs a list of classes", got="no records" if first is None else
                         f"record {first.id} without a vocabulary", expected="Record.vocabulary or categories=",
                         do="pass categories=categories_of([...names...])")
    return chain([first], records), categories_of(first.vocabulary)


def write_coco(records: Iterable[Record], root: Path | str, split: str = "train2017", *,
               categories: Sequence[Category] | None = None, oddities: float = 0.0, seed: int = 0,
               captions: bool = True, pictures: bool = True) -> int:
    """annotations/instances_SPLIT.json, captions beside it, pictures in SPLIT/; returns the number of images."""
    records, categories = with_categories(records, categories)
    layouts = [Coco(split, categories, Oddities(oddities, seed))] + ([CocoCaptions(split)] if captions else [])
    return write(layouts, records, root, pictures)


def write_coco_captions(records: Iterable[Record], root: Path | str, split: str = "train2017", *,
                        pictures: bool = True) -> int:
    return write([CocoCaptions(split)], records, root, pictures)


def write_objects365(records: Iterable[Record], root: Path | str, split: str = "train", *,
                     categories: Sequence[Category] | None = None, oddities: float = 0.0, seed: int = 0,
                     pictures: bool = True) -> int:
    records, categories = with_categories(records, categories)
    return write([Objects365(split, categories, Oddities(oddities, seed))], records, root, pictures)
