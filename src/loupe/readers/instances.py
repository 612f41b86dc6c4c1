"""The COCO instances layout (images, annotations, categories in one JSON object), as several readers share it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loupe.errors import FileError, RegionError
from loupe.readers.base import Note, clipped_box, words
from loupe.readers.index import Index, is_id
from loupe.readers.scan import Scan, Scanning, scanned
from loupe.readers.stream import Piece, Stream
from loupe.record import Object
from loupe.regions import Mask, Polygon

Naming = Callable[[Sequence[str]], list[tuple[str, ...]]]  # categories as written -> what to call them


@dataclass
class Instances:
    """An instances (or captions) file, indexed. Only `order` and two Indexes stay in memory."""

    path: Path
    hash: str
    order: np.ndarray  # ids of the pictures kept, in file order
    images: Index
    annotations: Index
    categories: dict[int, tuple[str, ...]]  # id -> names, the one to say first
    licences: dict[int, str]

    def image(self, picture: int) -> dict[str, Any]:
        return self.images[picture][0]

    def annotated(self, picture: int) -> list[dict[str, Any]]:
        """The annotations of one picture."""
        return [a for a in self.annotations[picture] if isinstance(a, dict) and a.get("image_id") == picture]

    def licence(self, entry: dict) -> str:
        key = entry.get("license")
        return self.licences.get(key, "") if type(key) is int else ""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names[0] for names in self.categories.values()))


def open_instances(path: Path, note: Note, has: Callable[[str], bool], *, categories: bool = True,
                   only: Collection[int] | None = None, naming: Naming = lambda names: [(n,) for n in names]
                   ) -> Instances:
    """Index the file in one pass. `has(file name)` decides which pictures are kept; `only` limits them to these ids."""
    found = scanned(path, lambda path: _scan(path, categories), f"categories {categories}")
    for reason, (count, shown) in found.oddities.items():
        for k in range(count):
            note(reason, shown[min(k, len(shown) - 1)])
    for picture in found.twice:
        if only is None or picture in only:
            note("image id given twice", picture)
    order = [picture for picture, name in zip(found.order.tolist(), found.names)
             if (only is None or picture in only) and has(name)]
    strays = int(np.setdiff1d(found.annotations.ids, found.order).size) if only is None else 0
    for _ in range(strays):
        note("annotations of a picture the file does not list", path.name)
    names = naming(list(found.categories.values()))
    return Instances(path, found.hash, np.asarray(order, np.int64), found.images, found.annotations,
                     dict(zip(found.categories, names)), found.licences)


def _scan(path: Path, categories: bool) -> Scan:
    stream, out = Stream(path), Scanning()
    for piece in stream:
        if stream.top == "array":
            raise FileError("annotation file is of another layout", got="a JSON array", where=path,
                            expected="a JSON object with 'images' and 'annotations'",
                            do="this may be a Visual Genome or LLaVA file: see the other readers")
        entry = piece.value
        if piece.key == "images":
            _image(piece, out)
        elif piece.key == "annotations":
            picture = entry.get("image_id") if isinstance(entry, dict) else None
            if is_id(picture):
                out.annotations.add(picture, piece.at, piece.size)
            else:
                out.rest.odd("annotation without image_id", piece.raw[:80])
        elif piece.key == "categories" and categories:
            _category(piece, out.rest.categories, path)
        elif piece.key == "licenses" and isinstance(entry, dict) and type(entry.get("id")) is int:
            out.rest.licences[entry["id"]] = words(piece.read().get("name"))
    _check_keys(stream, path, ("images", "annotations") + ("categories",) * categories)
    return out.done(path, stream.hash)


def objects_of(entries: Sequence[dict], categories: dict[int, tuple[str, ...]], width: int, height: int,
               note: Note) -> tuple[Object, ...]:
    """The annotations of one picture as Objects; what cannot be one is counted and left out."""
    out: dict[str, Object] = {}
    for entry in entries:
        key, bbox = entry.get("id"), entry.get("bbox")
        example = f"annotation {key}"
        kind = entry.get("category_id")
        if type(kind) is not int or kind not in categories:
            note("annotation of an unknown category", f"{example}: category {kind}")
            continue
        if not isinstance(bbox, list) or len(bbox) != 4:
            note("box is not four numbers", f"{example}: {bbox}")
            continue
        if type(key) is not int and not isinstance(key, str):
            note("annotation without id", example)
            continue
        if str(key) in out:
            note("annotation id given twice", example)
            continue
        box = clipped_box(*bbox, width, height, note, f"{example}: {bbox} in {width} x {height}")
        if box is None:
            continue
        shape = _shape(entry.get("segmentation"), width, height, note, example)
        out[str(key)] = Object(str(key), box, categories[kind], shape=shape,
                               crowd=bool(entry.get("iscrowd", 0)))
    return tuple(out.values())


def looked_for(vocabulary: tuple[str, ...], objects: Sequence[Object]) -> tuple[str, ...]:
    """The classes whose every instance is boxed: a crowd's class is there but was not boxed one by one."""
    crowds = {o.name for o in objects if o.crowd}
    return tuple(name for name in vocabulary if name not in crowds) if crowds else vocabulary


def _shape(segmentation, width: int, height: int, note: Note, example: str) -> tuple[Polygon, ...] | Mask | None:
    if not segmentation:
        return None
    try:
        if isinstance(segmentation, dict):
            mask = Mask.from_rle(segmentation)
            if (mask.width, mask.height) != (width, height):
                raise RegionError("mask of another size", got=f"{mask.width} x {mask.height}",
                                  expected=f"{width} x {height}")
            return mask
        return tuple(Polygon.from_flat(ring) for ring in segmentation)
    except (RegionError, TypeError, ValueError, KeyError) as error:
        note("outline left out: it cannot be read", f"{example}: {error}")
        return None


def _image(piece: Piece, out: Scanning) -> None:
    entry = piece.value
    if not isinstance(entry, dict) or not is_id(entry.get("id")) or not isinstance(entry.get("file_name"), str):
        out.rest.odd("image entry without id or file_name", piece.raw[:80])
    elif any(type(entry.get(side)) is not int or entry[side] <= 0 for side in ("width", "height")):
        out.rest.odd("image entry without width and height", piece.raw[:80])
    elif entry["id"] in out.seen:
        out.rest.twice.append(entry["id"])
    else:
        out.seen.add(entry["id"])
        out.order.append(entry["id"])
        out.names.append(piece.read()["file_name"])
        out.images.add(entry["id"], piece.at, piece.size)


def _category(piece: Piece, kinds: dict[int, str], path: Path) -> None:
    entry = piece.read()
    if not isinstance(entry, dict) or type(entry.get("id")) is not int or not words(entry.get("name")):
        raise FileError("category cannot be read", got=piece.raw[:60], expected='{"id": number, "name": text}',
                        where=f"{path}: categories")
    kinds[entry["id"]] = words(entry["name"])


def _check_keys(stream: Stream, path: Path, needed: Sequence[str]) -> None:
    for key in needed:
        if stream.keys.get(key) != "array":
            there = ", ".join(stream.keys) or "no keys"
            raise FileError(f"annotation file lacks {key!r}" if key not in stream.keys else f"{key!r} is no array",
                            got=there, expected=f"an array {key!r}", where=path,
                            do="check that this is an instances file (captions and test files have no categories)"
                            if key == "categories" else "check that this is the file meant")

