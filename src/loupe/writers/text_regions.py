"""Printed words with their places as COCO-Text, HierText and ArT publish them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.record import Record, Word
from loupe.regions import Polygon
from loupe.writers.files import ARRAY, MEMBERS, Document, Entry, write
from loupe.writers.numbers import number, whole

IDS = 100  # a word's id is its picture's id times this plus its place


def corners(word: Word) -> list[list[float]]:
    """The outline, for a box its four corners, clockwise from the upper left."""
    if isinstance(word.region, Polygon):
        return [[whole(x), whole(y)] for x, y in word.region.points]
    x1, y1, x2, y2 = (whole(v) for v in word.region.box.xyxy)
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]


class CocoText:
    """cocotext.v2.json; pictures lie where COCO's do."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.path = split, f"{under}cocotext.v2.json"
        self.documents = (Document(self.path, (("cats", {}), ("anns", MEMBERS), ("imgs", MEMBERS),
                                               ("imgToAnns", MEMBERS), ("info", {"version": "2"}))),)

    def pictures(self, record: Record) -> Iterator[str]:
        return iter(())

    def entries(self, record: Record) -> Iterator[Entry]:
        picture = number(record.id)
        yield self.path, "imgs", (str(picture), {
            "width": record.width, "height": record.height, "id": picture, "set": self.split,
            "file_name": f"COCO_train2014_{picture:012d}.jpg"})
        ids = [picture * IDS + k for k in range(len(record.words))]
        yield self.path, "imgToAnns", (str(picture), ids)
        for key, word in zip(ids, record.words):
            box = word.region.box
            yield self.path, "anns", (str(key), {
                "mask": [v for point in corners(word) for v in point], "class": "machine printed",
                "bbox": [whole(v) for v in (box.x1, box.y1, box.width, box.height)], "image_id": picture, "id": key,
                "language": "english", "area": whole(box.area), "utf8_string": word.text, "legibility": "legible"})


class HierText:
    """gt/train.jsonl: one JSON object, each word a line and a paragraph of its own."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.under, self.path = split, under, f"{under}gt/{split}.jsonl"
        self.documents = (Document(self.path, (("info", {"version": "v1.0"}), ("annotations", ARRAY))),)

    @staticmethod
    def name(record: Record) -> str:
        return f"{number(record.id):016x}"

    def pictures(self, record: Record) -> Iterator[str]:
        yield f"{self.under}{self.split}/{self.name(record)}.jpg"

    def entries(self, record: Record) -> Iterator[Entry]:
        kinds = {"legible": True, "handwritten": False, "vertical": False}
        paragraphs = []
        for word in record.words:
            about = {"vertices": corners(word), "text": word.text, **kinds}
            paragraphs.append({"vertices": about["vertices"], "legible": True, "lines": [{**about, "words": [about]}]})
        yield self.path, "annotations", {"image_id": self.name(record), "image_width": record.width,
                                         "image_height": record.height, "paragraphs": paragraphs}


class Art:
    """train_labels.json: a list of words a picture, by the picture's name."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.under, self.path = split, under, f"{under}{split}_labels.json"
        self.documents = (Document(self.path, members=True),)

    @staticmethod
    def name(record: Record) -> str:
        return f"gt_{number(record.id)}"

    def pictures(self, record: Record) -> Iterator[str]:
        if record.words:
            yield f"{self.under}{self.split}_images/{self.name(record)}.jpg"

    def entries(self, record: Record) -> Iterator[Entry]:
        if record.words:
            yield self.path, "", (self.name(record), [
                {"transcription": word.text, "points": corners(word), "language": "Latin", "illegibility": False}
                for word in record.words])


LAYOUTS = {"coco-text": CocoText, "hiertext": HierText, "art": Art}


def write_text_regions(records: Iterable[Record], root: Path | str, layout: str, split: str = "train", *,
                       pictures: bool = True) -> int:
    """Write in one of LAYOUTS; returns the number of records read. COCO-Text's pictures are COCO's: not written."""
    return write([LAYOUTS[layout](split)], records, root, pictures)
