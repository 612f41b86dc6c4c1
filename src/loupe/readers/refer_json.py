"""Expressions flattened to one JSON list, as MiniGPT-v2 publishes its evaluation sets: <dataset>_<split>.json.

Each entry is {"img_id": "COCO_train2014_000000580957_4", "sents", "bbox": [x, y, w, h], "width", "height"}; the number
behind the picture's name tells references of one picture apart. Records hold the boxes as objects without names.
"""

from __future__ import annotations

import re
from pathlib import Path

from loupe.errors import FileError
from loupe.readers.base import Note, Reader, clipped_box, words
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import missing_file, read_json
from loupe.record import Object, Phrase, Record

_name = re.compile(r"^(?P<picture>.*?(?P<digits>\d{12}))_(?P<ref>\d+)$")


class ReferJson(Reader):
    """`ReferJson(root, "val", dataset="refcoco+")` reads root/refcoco+_val.json, whole (2 MB a split)."""

    source = "refer-json"

    def __init__(self, root, split: str = "val", *, dataset: str = "refcoco", file=None, images=None,
                 missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        self.dataset = dataset
        names = [f"{dataset}_{self.split}.json"] if not file else [str(file)]
        path = next((p for n in names for p in (self.root / n, self.root / dataset / n, Path(n)) if p.is_file()), None)
        if path is None:
            raise missing_file(self.root / names[0])
        entries, self._digests[path.name] = read_json(path)
        if not isinstance(entries, list):
            raise FileError("annotation file is of another layout", got="a JSON object", where=path,
                            expected='a list of {"img_id", "sents", "bbox", "width", "height"}')
        self._pictures: dict[str, list[tuple[int, dict]]] = {}
        for k, entry in enumerate(entries):
            match = _name.match(entry["img_id"]) if self._fits(entry, k) else None
            if match:
                self._pictures.setdefault(match["picture"], []).append((k, entry))
        self._order = [name for name in self._pictures if self._has(coco_names(name))]
        self._ready(len(self._order))

    def _fits(self, entry, k: int) -> bool:
        good = (isinstance(entry, dict) and isinstance(entry.get("img_id"), str) and _name.match(entry["img_id"])
                and words(entry.get("sents")) and isinstance(entry.get("bbox"), list) and len(entry["bbox"]) == 4
                and all(type(entry.get(s)) is int and entry[s] > 0 for s in ("width", "height")))
        if not good:
            self.note("entry without img_id, sents, bbox, width or height", f"entry {k}")
        return bool(good)

    def _folders(self):
        return usual_folders(self.root, ("train2014", *COCO_FOLDERS), ("coco", "coco2014", "mscoco"))

    def _record(self, i: int, note: Note) -> Record:
        name = self._order[i]
        entries = self._pictures[name]
        width, height = entries[0][1]["width"], entries[0][1]["height"]
        objects: dict[str, Object] = {}
        phrases = []
        for k, entry in entries:
            key = entry["img_id"]
            box = clipped_box(*entry["bbox"], width, height, note, f"entry {k} ({key})")
            if box is None:
                continue
            thing = objects.setdefault(key, Object(key, box))
            phrases.append(Phrase(words(entry["sents"]), box, refers=True, object=thing.id, id=f"{key}:{k}"))
        digits = _name.match(entries[0][1]["img_id"])["digits"]
        return Record(self._image(coco_names(name)), width, height, name, self.source, self.split,
                      objects=tuple(objects.values()), phrases=tuple(phrases), extra={"coco_id": int(digits)})
