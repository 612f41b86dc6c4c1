"""Visual Genome's six files, with the keys of version 1.0, 1.2 or 1.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.errors import unknown_name
from loupe.record import Object, Record
from loupe.writers.files import Document, Entry, write
from loupe.writers.numbers import number
from loupe.writers.oddities import NONE, Flaws, Oddities

VERSIONS = ("1.0", "1.2", "1.4")
FOLDER = "VG_100K"
FILES = ("image_data", "objects", "attributes", "relationships", "region_descriptions", "question_answers")


class VisualGenome:
    """Record -> the entries of one image in each file."""

    def __init__(self, version: str = "1.2", oddities: Oddities = NONE, under: str = ""):
        if version not in VERSIONS:
            raise unknown_name("version of Visual Genome", version, VERSIONS)
        self.old, self.merged, self.oddities, self.under = version == "1.0", version == "1.4", oddities, under
        self.documents = tuple(Document(f"{under}{name}.json") for name in FILES)

    def pictures(self, record: Record) -> Iterator[str]:
        yield f"{self.under}{FOLDER}/{number(record.id)}.jpg"

    def entries(self, record: Record) -> Iterator[Entry]:
        image = number(record.id)
        key = "id" if self.old else "image_id"
        url = f"https://loupe.invalid/{FOLDER}/{image}.jpg"
        flaws = self.oddities.draw(record, 1)
        boxes = {o.id: self._xywh(o, record, flaws) for o in record.objects}
        yield self._path("image_data"), "", {
            "image_id": image, "url": url, "width": record.width, "height": record.height,
            "coco_id": record.extra.get("coco_id"), "flickr_id": None}
        objects = {key: image, "objects": [self._object(o, boxes[o.id]) for o in record.objects]}
        yield self._path("objects"), "", objects | ({"image_url": url} if self.merged else {})
        yield self._path("attributes"), "", {key: image, "attributes": [
            self._attributes(o, boxes[o.id]) for o in record.objects if o.attributes or not self.old]}
        yield self._path("relationships"), "", {key: image,
                                                "relationships": list(self._relationships(record, boxes, flaws))}
        yield self._path("region_descriptions"), "", {"id": image, "regions": list(self._regions(record, image, flaws))}
        yield self._path("question_answers"), "", {"id": image, "qas": [
            {"a_objects": [], "question": q.text, "image_id": image, "qa_id": number(q.id or f"{record.id}/{k}"),
             "answer": q.answers[0] if q.answers else "", "q_objects": []} for k, q in enumerate(record.questions)]}

    def _path(self, name: str) -> str:
        return f"{self.under}{name}.json"

    @staticmethod
    def _xywh(o: Object, record: Record, flaws: Flaws) -> dict:
        x1, y1, x2, y2 = (round(v) for v in o.box.xyxy)
        x, y, w, h = flaws.box(x1, y1, x2 - x1, y2 - y1, record.width, record.height)
        return {"x": x, "y": y, "w": w, "h": h}

    def _id(self, o: Object) -> dict:
        return {"id" if self.old else "object_id": number(o.id)}

    def _synsets(self, o: Object) -> dict:
        return {} if self.old else {"synsets": [f"{o.name.replace(' ', '_')}.n.01"] if o.name else []}

    def _object(self, o: Object, box: dict) -> dict:
        merged = {"merged_object_ids": []} if self.merged else {}
        return self._synsets(o) | self._id(o) | merged | {"names": list(o.names[:1])} | box

    def _attributes(self, o: Object, box: dict) -> dict:
        names = {"object_names" if self.old else "names": list(o.names[:1])}
        return self._synsets(o) | self._id(o) | names | {"attributes": list(o.attributes)} | box

    def _end(self, o: Object, box: dict, flaws: Flaws) -> dict:
        """Subject or object of a relationship: `name`, in some entries `names`."""
        name = {"names": list(o.names)} if flaws.here() else {"name": o.name}
        return name | self._id(o) | self._synsets(o) | box

    def _relationships(self, record: Record, boxes: dict[str, dict], flaws: Flaws) -> Iterator[dict]:
        objects, key = record.object_by_id(), "id" if self.old else "relationship_id"
        base = number(record.id) * 1000
        written = []
        for relation in record.relations:
            a, b = objects[relation.subject], objects[relation.object]
            written.append((relation.predicate, a, b))
            if flaws.here():
                written.append(written[-1])  # twice, under two ids
            if flaws.here():
                written.append((relation.predicate, a, a))  # of a thing with itself
        for k, (predicate, a, b) in enumerate(written):
            synsets = {} if self.old else {"synsets": []}
            yield {"predicate": flaws.predicate(predicate), "object": self._end(b, boxes[b.id], flaws),
                   key: base + k} | synsets | {"subject": self._end(a, boxes[a.id], flaws)}

    def _regions(self, record: Record, image: int, flaws: Flaws) -> Iterator[dict]:
        for k, phrase in enumerate(record.phrases):
            x1, y1, x2, y2 = (round(v) for v in phrase.region.box.xyxy)
            x, y, w, h = flaws.box(x1, y1, x2 - x1, y2 - y1, record.width, record.height)
            yield {"id" if self.old else "region_id": number(phrase.id or f"{record.id}/{k}"), "width": w, "height": h,
                   "image" if self.old else "image_id": image, "phrase": flaws.phrase(phrase.text), "y": y, "x": x}


def write_visual_genome(records: Iterable[Record], root: Path | str, version: str = "1.2", oddities: float = 0.0,
                        seed: int = 0, pictures: bool = True) -> int:
    """Write records as Visual Genome under `root`; returns the number of images."""
    return write([VisualGenome(version, Oddities(oddities, seed))], records, root, pictures)
