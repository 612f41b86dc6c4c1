"""Visual Genome, versions 1.0, 1.2 and 1.4: six files joined by picture id and object id, never by position.

Only the files that are there are read; at least one must be. Decisions:
- An object id that a relation or attribute entry uses and objects.json lacks is taken as another id of an object with
  the same box and a name in common; where there is none, the entry's own name and box become an object. Version 1.0
  needs this (half its relations name such ids); version 1.4 lists further ids in merged_object_ids.
- Names, attributes and predicates are lower-cased and single-spaced ("ON " is "on"); texts are single-spaced.
- Boxes are clipped to the picture; those without area or wholly outside are left out with what hangs on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from loupe.errors import FileError
from loupe.readers.base import Note, Pictured, Reader, words
from loupe.readers.graph import Graph, key_of
from loupe.readers.index import Collector, Index, is_id
from loupe.readers.pictures import COCO_FOLDERS, usual_folders
from loupe.readers.stream import Stream
from loupe.record import Phrase, Question, Record
from loupe.regions import Box

FILES = ("image_data", "objects", "attributes", "relationships", "region_descriptions", "question_answers")
LISTS = {"objects": "objects", "attributes": "attributes", "relationships": "relationships",
         "region_descriptions": "regions", "question_answers": "qas"}


class VisualGenome(Reader):
    """`VisualGenome(root)`: the six files in root; pictures in VG_100K, VG_100K_2 or images/. There are no splits."""

    source = "visual-genome"
    licence = "annotations CC BY 4.0"

    def __init__(self, root, split: str = "", *, images=None, missing: str = "drop"):
        super().__init__(root, split, images=images, missing=missing)
        self._files = {name: self._index(self.root / f"{name}.json") for name in FILES
                       if (self.root / f"{name}.json").is_file()}
        if not self._files:
            there = sorted(p.name for p in self.root.iterdir())[:6]
            raise FileError("no Visual Genome file is there", got=", ".join(there) or "an empty folder",
                            expected="at least one of " + ", ".join(f"{n}.json" for n in FILES), where=self.root,
                            do="check --root; unpack the archives")
        every = np.unique(np.concatenate([index.ids for index in self._files.values()]))
        self._order = np.array([p for p in every.tolist() if self._has(self._names(p))], np.int64)
        self._ready(len(self._order))

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, ("VG_100K", "VG_100K_2", "VG_100K_images", *COCO_FOLDERS), ("visual_genome",))

    def _index(self, path: Path) -> Index:
        stream, found, inner = Stream(path), Collector(), LISTS.get(path.stem)
        for piece in stream:
            if stream.top == "object":
                break
            picture = _picture_id(piece.value, inner)
            if picture is None:
                wanted = f"an element with image_id (or id) and {inner!r}" if inner else "an element with image_id"
                self.note(f"{path.name}: not {wanted}", f"byte {piece.at}: {piece.raw[:60]}")
            else:
                found.add(picture, piece.at, piece.size)
        if stream.top == "object":
            raise FileError("annotation file is of another layout", got=f"an object of {', '.join(stream.keys)}",
                            expected="an array with one element a picture", where=path,
                            do="check that this is Visual Genome's file of that name")
        index = found.index(path)
        if not len(index):
            self._check_any(path, inner)
        self._digests[path.name] = stream.hash
        return index

    def _check_any(self, path: Path, inner: str | None) -> None:
        """No element of the file was usable: that is a bad file, not bad entries."""
        for reason, examples in self.examples.items():
            if reason.startswith(f"{path.name}: "):
                raise FileError("annotation file is of another layout", got=examples[0],
                                expected=reason.removeprefix(f"{path.name}: not "), where=path,
                                do="check that this is Visual Genome's file of that name")

    def _names(self, picture: int) -> tuple[str, ...]:
        """The name in the picture's web address, then its id. (Never COCO's digits: the ids mean other pictures.)"""
        entry = self._about(picture)
        url = entry.get("url") if isinstance(entry.get("url"), str) else ""
        path = PurePosixPath(url.split("?")[0])
        own = "/".join(path.parts[-2:]) if path.suffix else ""
        return (own, f"{picture}.jpg") if own else (f"{picture}.jpg",)

    def _about(self, picture: int) -> dict[str, Any]:
        entries = self._files["image_data"][picture] if "image_data" in self._files else []
        return entries[0] if entries else {}

    def _entries(self, name: str, picture: int, note: Note) -> list[dict[str, Any]]:
        """The inner elements of one file for one picture."""
        out = []
        for element in self._files[name][picture] if name in self._files else ():
            if _picture_id(element, LISTS[name]) != picture:
                continue
            for entry in element[LISTS[name]]:
                if isinstance(entry, dict):
                    out.append(entry)
                else:
                    note(f"{name}.json: entry is no object", f"picture {picture}: {str(entry)[:40]}")
        return out

    def pictured(self, i: int) -> Pictured:
        picture = int(self._order[i])
        coco = self._about(picture).get("coco_id")
        return Pictured(self._image(self._names(picture)),
                        {"vg_id": picture} | ({"coco_id": coco} if type(coco) is int else {}))

    def _record(self, i: int, note: Note) -> Record:
        picture = int(self._order[i])
        about = self._about(picture)
        image, extra = self.pictured(i)
        size = about.get("width"), about.get("height")
        width, height = size if all(type(v) is int and v > 0 for v in size) else image.size
        graph = Graph(picture, width, height, note)
        for entry in self._entries("objects", picture, note):
            graph.add_object(entry)
        for entry in self._entries("relationships", picture, note):
            graph.add_relation(entry)
        for entry in self._entries("attributes", picture, note):
            graph.add_attributes(entry)
        regions = self._entries("region_descriptions", picture, note)
        questions = self._entries("question_answers", picture, note)
        return Record(image, width, height, str(picture), self.source, self.split, self.licence,
                      objects=graph.objects(), relations=graph.relations(),
                      phrases=_phrases(regions, graph, note), questions=_questions(questions, picture, note),
                      extra=dict(extra))


def _picture_id(element, inner: str | None) -> int | None:
    """image_id (1.2 on), or id (1.0, and the region and question files), or the id its entries state."""
    if not isinstance(element, dict) or (inner and not isinstance(element.get(inner), list)):
        return None
    for key in ("image_id", "id", "image"):
        if is_id(element.get(key)):
            return element[key]
    for entry in element[inner][:1] if inner else ():
        if isinstance(entry, dict):
            for key in ("image_id", "image"):
                if is_id(entry.get(key)):
                    return entry[key]
    return None


def _phrases(entries: Sequence[dict], graph: Graph, note: Note) -> tuple[Phrase, ...]:
    out = []
    for entry in entries:
        key, text = key_of(entry, "region_id", "id"), words(entry.get("phrase"))
        if not text:
            note("region description without words", f"region {key} of picture {graph.picture}")
            continue
        box: Box | None = graph.box(entry, f"region {key}")
        if box is not None:
            out.append(Phrase(text, box, refers=False, id=key or ""))
    return tuple(out)


def _questions(entries: Sequence[dict], picture: int, note: Note) -> tuple[Question, ...]:
    out = []
    for entry in entries:
        key, text, answer = key_of(entry, "qa_id", "id"), words(entry.get("question")), words(entry.get("answer"))
        if text and answer:
            out.append(Question(text, (answer,), key or ""))
        else:
            note("question without words or answer", f"question {key} of picture {picture}")
    return tuple(out)
