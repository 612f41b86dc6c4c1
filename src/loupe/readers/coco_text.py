"""COCO-Text: printed words on COCO's train2014 pictures, cocotext.v2.json or COCO_Text.json (version 1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loupe.errors import FileError, unknown_name
from loupe.readers.base import Note, Pictured, Reader, clipped_box, clipped_ring, words
from loupe.readers.entries import value_of
from loupe.readers.index import Collector, is_id
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Piece, Stream, missing_file
from loupe.readers.text_regions import UNREAD
from loupe.record import Record, Word

FILES = ("cocotext.v2.json", "COCO_Text.json")
SPLITS = ("train", "val", "test")
REGIONS = ("box", "outline")


class CocoText(Reader):
    """`CocoText(root, "val")`: pictures of that set ("" for all) with their legible words, each in its box.

    region="outline": in the outline, where the file has one. Every picture of the set is a record, also one without a
    legible word. `imgToAnns` is not read: annotations state their picture.
    """

    source = "coco-text"
    licence = "annotations CC BY 4.0"

    def __init__(self, root, split: str = "", *, region: str = "box", file=None, images=None, missing: str = "drop"):
        if split and split not in SPLITS:
            raise unknown_name("split of COCO-Text", split, SPLITS)
        if region not in REGIONS:
            raise unknown_name("region of COCO-Text's words", region, REGIONS)
        super().__init__(root, split, images=images, missing=missing)
        self.region = region
        self.path = self._file(file)
        stream = Stream(self.path, into=("imgs", "anns"))
        images_found, found, seen, order = Collector(join=False), Collector(join=False), set(), []
        for piece in stream:
            if piece.key == "imgs":
                picture = self._image_entry(piece, seen)
                if picture is not None:
                    order.append(picture)
                    images_found.add(picture, piece.at, piece.size)
            elif piece.key == "anns":
                picture = piece.value.get("image_id") if isinstance(piece.value, dict) else None
                if is_id(picture):
                    found.add(picture, piece.at, piece.size)
                else:
                    self.note("annotation without image_id", piece.raw[:80])
        self._check(stream)
        self._images, self._words_of = images_found.index(self.path), found.index(self.path)
        self._order = np.array(order, np.int64)
        for picture in np.setdiff1d(self._words_of.ids, np.fromiter(seen, np.int64, len(seen))).tolist():
            self.note("annotations of a picture the file does not list", picture)
        self._digests[self.path.name] = stream.hash
        self._ready(len(self._order))

    def _file(self, file) -> Path:
        wanted = [Path(file), self.root / file] if file else [
            self.root / place / name for name in FILES for place in ("", "annotations")]
        found = next((p for p in wanted if p.is_file()), None)
        if found is None:
            raise missing_file(wanted[0])
        return found

    def _check(self, stream: Stream) -> None:
        for key in ("imgs", "anns"):
            if stream.keys.get(key) != "object":
                raise FileError(f"annotation file lacks {key!r}", got=", ".join(stream.keys) or f"an {stream.top}",
                                expected='{"imgs": {id: {...}}, "anns": {id: {...}}, ...}', where=self.path,
                                do="check that this is COCO-Text's file")

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, ("train2014", *COCO_FOLDERS), ("coco", "coco2014", "mscoco"))

    def _image_entry(self, piece: Piece, seen: set[int]) -> int | None:
        entry = value_of(piece)
        if (not isinstance(entry, dict) or not is_id(entry.get("id")) or not words(entry.get("file_name"))
                or any(type(entry.get(side)) is not int or entry[side] <= 0 for side in ("width", "height"))):
            self.note("image entry without id, file_name, width or height", piece.raw[:80])
            return None
        if entry["id"] in seen:
            self.note("image id given twice", entry["id"])
            return None
        seen.add(entry["id"])
        if entry.get("set") not in SPLITS:
            self.note("image of no set", f"{entry['id']}: {str(entry.get('set'))[:20]}")
        if self.split and entry.get("set") != self.split:
            return None
        return entry["id"] if self._has(coco_names(entry["file_name"])) else None

    def pictured(self, i: int) -> Pictured:
        picture = int(self._order[i])
        return Pictured(self._image(coco_names(self._images[picture][0]["file_name"])), {"coco_id": picture})

    def _record(self, i: int, note: Note) -> Record:
        picture = int(self._order[i])
        entry = self._images[picture][0]
        width, height = entry["width"], entry["height"]
        made = (self._word(each, width, height, note) for each in self._words_of[picture] if isinstance(each, dict)
                and each.get("image_id") == picture)
        return Record(self._image(coco_names(entry["file_name"])), width, height, str(picture), self.source, self.split,
                      self.licence, words=tuple(word for word in made if word is not None),
                      extra={"coco_id": picture})

    def _word(self, entry: dict, width: int, height: int, note: Note) -> Word | None:
        example = f"annotation {entry.get('id')}"
        text = words(entry.get("utf8_string"))
        if not text or entry.get("legibility") == "illegible":
            note(UNREAD, example)
            return None
        bbox = entry.get("bbox")
        if not isinstance(bbox, list) or len(bbox) != 4:
            note("box is not four numbers", f"{example}: {str(bbox)[:60]}")
            return None
        box = clipped_box(*bbox, width, height, note, f"{example}: {bbox} in {width} x {height}")
        outline = entry.get("mask") or entry.get("polygon")
        if box is None or self.region == "box" or not outline:
            return None if box is None else Word(text, box)
        ring = clipped_ring(outline, width, height, note, example)
        return Word(text, ring or box)
