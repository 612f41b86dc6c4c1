"""The same picture in two data sets: by COCO id, by file name, by bytes. Keeps evaluation pictures out of training.

Visual Genome holds 51,208 pictures of COCO and RefCOCO's val and test lie on COCO's train2014, so splits alone do not
keep them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from loupe.errors import ImageError
from loupe.readers.base import Pictured
from loupe.record import Record

LONG = 8  # characters of a file name's stem that make it telling; "12.jpg" is the name of many pictures
_COCO = re.compile(r"COCO_(?:train|val|test)\d{4}_(\d{12})")

Key = tuple[str, object]


def keys(record: Record | Pictured, by_content: bool = False) -> frozenset[Key]:
    """What tells this picture: ("coco", id) and ("vg", id), else ("file", name); ("bytes", hash) if asked for. Nothing
    of words alone."""
    found: set[Key] = set()
    if record.image is None:
        return frozenset()
    path = record.image.path
    if type(record.extra.get("vg_id")) is int:
        found.add(("vg", record.extra["vg_id"]))
    named = _COCO.match(path.stem) if path is not None else None
    if record.extra.get("coco_id") is not None:
        found.add(("coco", int(record.extra["coco_id"])))
    elif named:
        found.add(("coco", int(named[1])))
    elif path is not None and len(path.stem) >= LONG:
        found.add(("file", path.name))
    if by_content:
        found.add(("bytes", record.image.content_hash))
    return frozenset(found)


def all_keys(records: Sequence[Record | Pictured], by_content: bool = False) -> frozenset[Key]:
    """Keys of all pictures of an evaluation split; those that do not decode have none, for nothing is asked of them."""
    return frozenset().union(*(found for _, found in _each(records, by_content, "held out")))


def overlap(records: Sequence[Record | Pictured], held: frozenset[Key], by_content: bool = False) -> dict[int, Key]:
    """Position of a record -> the key by which its picture is among `held`."""
    shared = ((k, found & held) for k, found in _each(records, by_content, "overlap"))
    return {k: min(same, key=str) for k, same in shared if same}


def _each(records: Sequence[Record | Pictured], by_content: bool, what: str) -> Iterator[tuple[int, frozenset[Key]]]:
    for k in tqdm(range(len(records)), desc=f"reading for {what}", unit="picture", delay=2, disable=None, leave=False):
        try:
            yield k, keys(records[k], by_content)
        except ImageError:  # drawing it counts the drop
            continue
