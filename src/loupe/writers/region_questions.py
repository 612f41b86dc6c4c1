"""Questions about a region as PointQA's LookTwice-QA and VizWiz-VQA-Grounding publish them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.record import Question, Record
from loupe.regions import Polygon
from loupe.writers.files import Document, Entry, write
from loupe.writers.numbers import number, whole

WORDINGS = {"object": "obj_question", "super": "super_question", "general": "general_question"}
ANNOTATORS = 10
SPLITS = ("train", "val", "test")


class LookTwice:
    """looktwiceqa_dataset.json and the list of each split's pictures; `split` says whose list the records join."""

    def __init__(self, split: str = "train", under: str = "", folder: str = "VG_100K"):
        self.split, self.under, self.folder = split, under, folder
        self.path, self.lists = f"{under}looktwiceqa_dataset.json", f"{under}looktwiceqa_{{}}_imgs.json"
        self.documents = (Document(self.path, members=True),
                          *(Document(self.lists.format(split)) for split in SPLITS))

    @staticmethod
    def asked(record: Record) -> list[dict[str, Question]]:
        """Questions about one place, by wording."""
        found: dict[tuple, dict[str, Question]] = {}
        for q in record.questions:
            if q.region is not None and q.kind in WORDINGS and q.answers:
                found.setdefault((q.region.box, q.point), {})[q.kind] = q
        return [each for each in found.values() if "object" in each]

    def pictures(self, record: Record) -> Iterator[str]:
        if self.asked(record):
            yield f"{self.under}{self.folder}/{number(record.id)}.jpg"

    def entries(self, record: Record) -> Iterator[Entry]:
        asked, picture = self.asked(record), number(record.id)
        if asked:
            yield self.path, "", (str(picture), [self._entry(picture, each) for each in asked])
            yield self.lists.format(self.split), "", str(picture)

    @staticmethod
    def _entry(picture: int, each: dict[str, Question]) -> dict:
        q = each["object"]
        box, point = q.region.box, q.point or q.region.box.centre
        return {"id": picture, "obj_type": "", **{key: each.get(kind, q).text for kind, key in WORDINGS.items()},
                "ans": q.answers[0], "point": {"x": whole(point.x), "y": whole(point.y)},
                "bbox": {side: whole(v) for side, v in zip("xywh", (box.x1, box.y1, box.width, box.height))}}


class VizWizGrounding:
    """val_grounding.json: one question a picture, the first that has an outline."""

    def __init__(self, split: str = "val", under: str = ""):
        self.split, self.under, self.path = split, under, f"{under}{split}_grounding.json"
        self.documents = (Document(self.path, members=True),)

    def name(self, record: Record) -> str:
        return f"VizWiz_{self.split}_{number(record.id):08d}.jpg"

    @staticmethod
    def asked(record: Record) -> Question | None:
        return next((q for q in record.questions if isinstance(q.region, Polygon) and q.answers), None)

    def pictures(self, record: Record) -> Iterator[str]:
        if self.asked(record) is not None:
            yield f"{self.under}{self.split}/{self.name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        q = self.asked(record)
        if q is not None:
            yield self.path, "", (self.name(record), {
                "question": q.text, "answers": [q.answers[0]] * ANNOTATORS, "most_common_answer": q.answers[0],
                "height": record.height, "width": record.width,
                "answer_grounding": [{"x": whole(x), "y": whole(y)} for x, y in q.region.points]})


def write_looktwice(records: Iterable[Record], root: Path | str, split: str = "train", *, pictures: bool = True) -> int:
    return write([LookTwice(split)], records, root, pictures)


def write_vizwiz_grounding(records: Iterable[Record], root: Path | str, split: str = "val", *,
                           pictures: bool = True) -> int:
    return write([VizWizGrounding(split)], records, root, pictures)
