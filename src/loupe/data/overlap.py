"""The same picture in two data sets: by COCO id, by file name, by bytes. Keeps evaluation pictures out of training.

Visual Genome holds 51,208 pictures of COCO and RefCOCO's val and test lie on COCO's train2014, so splits alone do not
keep them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tqdm import tqdm

from loupe.errors import ImageError
from loupe.record import Record

LONG = 8  # characters of a file name's stem that make it telling; "12.jpg" is the name of many pictures
_COCO = re.compile(r"COCO_(?:train|val|test)\d{4}_(\d{12})")

Key = tuple[str, object]


def keys(record: Record, by_content: bool = False) -> frozenset[Key]:
    """What tells this picture: ("coco", id) and ("vg", id), else ("file", name); ("bytes", hash) if asked for."""
    found: set[Key] = set()
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


def all_keys(records: Iterable[Record], by_content: bool = False) -> frozenset[Key]:
    """Keys of all pictures of an evaluation split."""
    return frozenset().union(*(keys(record, by_content) for record in _shown(records, "held out")))


def overlap(records: Sequence[Record], held: frozenset[Key], by_content: bool = False) -> dict[int, Key]:
    """Position of a record -> the key by which its picture is among `held`."""
    found = {}
    for k in _shown(range(len(records)), "overlap"):
        try:
            same = keys(records[k], by_content) & held
        except ImageError:  # nothing is asked about it either; drawing it counts the drop
            continue
        if same:
            found[k] = min(same, key=str)
    return found


def _shown(records, what: str):
    return tqdm(records, desc=f"reading for {what}", unit="picture", delay=2, disable=None, leave=False)
