"""Questions about printed text as OCR-VQA, ST-VQA, DocVQA and TextVQA publish them: the record's questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.record import Question, Record
from loupe.writers.files import ARRAY, Document, Entry, write
from loupe.writers.numbers import number

SETS = {"train": 1, "val": 2, "test": 3}  # OCR-VQA's
ANNOTATORS = 10  # answers TextVQA has of a question


def whole(record: Record) -> list[Question]:
    """The questions about the whole picture that have an answer."""
    return [q for q in record.questions if q.region is None and q.answers]


class OcrVqa:
    """dataset.json: a book a picture, questions and answers side by side."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.under, self.path = split, under, f"{under}dataset.json"
        self.documents = (Document(self.path, members=True),)

    def pictures(self, record: Record) -> Iterator[str]:
        if whole(record):
            yield f"{self.under}images/{self.book(record)}.jpg"

    @staticmethod
    def book(record: Record) -> str:
        return f"{number(record.id):010d}"

    def entries(self, record: Record) -> Iterator[Entry]:
        asked, book = whole(record), self.book(record)
        if asked:
            yield self.path, "", (book, {
                "imageURL": f"https://loupe.invalid/I/{book}.jpg", "questions": [q.text for q in asked],
                "answers": [q.answers[0] for q in asked], "title": "", "authorName": "", "genre": "",
                "split": SETS.get(self.split, 1)})


class _Listed:
    """One entry a question, below "data"."""

    def __init__(self, path: str, split: str, under: str, head: tuple[tuple[str, object], ...]):
        self.split, self.under, self.path = split, under, under + path
        self.documents = (Document(self.path, (*head, ("data", ARRAY))),)

    def entries(self, record: Record) -> Iterator[Entry]:
        for k, q in enumerate(whole(record)):
            yield self.path, "data", self.entry(record, q, number(q.id or f"{record.id}/{k}"))

    def pictures(self, record: Record) -> Iterator[str]:
        if whole(record):
            yield self.under + self.picture(record)


class StVqa(_Listed):
    """train_task_3.json; the pictures are said to be COCO-Text's."""

    def __init__(self, split: str = "train", under: str = ""):
        super().__init__(f"{split}_task_3.json", split, under, (("task_name", "task 3"),))

    @staticmethod
    def name(record: Record) -> str:
        return f"COCO_train2014_{number(record.id):012d}.jpg"

    def picture(self, record: Record) -> str:
        return f"{self.split}/coco-text/{self.name(record)}"

    def entry(self, record: Record, q: Question, key: int) -> dict:
        return {"question": q.text, "question_id": key, "file_path": f"coco-text/{self.name(record)}",
                "file_name": self.name(record), "dataset": "coco-text", "answers": list(q.answers),
                "set_name": self.split}


class DocVqa(_Listed):
    """train_v1.0_withQT.json."""

    def __init__(self, split: str = "train", under: str = ""):
        super().__init__(f"{split}_v1.0_withQT.json", split, under,
                         (("dataset_name", "docvqa"), ("dataset_version", "1.0"), ("dataset_split", split)))

    @staticmethod
    def name(record: Record) -> str:
        return f"documents/loup{number(record.id):04d}_1.jpg"

    def picture(self, record: Record) -> str:
        return f"{self.split}/{self.name(record)}"

    def entry(self, record: Record, q: Question, key: int) -> dict:
        return {"questionId": key, "question": q.text, "question_types": ["others"], "image": self.name(record),
                "docId": number(record.id), "ucsf_document_id": f"loup{number(record.id):04d}",
                "ucsf_document_page_no": "1", "answers": list(q.answers), "data_split": self.split}


class TextVqa(_Listed):
    """TextVQA_0.5.1_train.json; of ten annotators all say the first answer, unless it is known what each said."""

    def __init__(self, split: str = "train", under: str = ""):
        super().__init__(f"TextVQA_0.5.1_{split}.json", split, under,
                         (("dataset_type", split), ("dataset_name", "textvqa"), ("dataset_version", "0.5.1")))

    @staticmethod
    def name(record: Record) -> str:
        return f"{number(record.id):016x}"

    def picture(self, record: Record) -> str:
        return f"{'test' if self.split == 'test' else 'train'}_images/{self.name(record)}.jpg"

    def entry(self, record: Record, q: Question, key: int) -> dict:
        return {"question": q.text, "image_id": self.name(record), "image_classes": [],
                "image_width": record.width, "image_height": record.height,
                "answers": list(q.votes or q.answers[:1] * ANNOTATORS),
                "question_tokens": q.text.lower().rstrip("?").split(), "question_id": key, "set_name": self.split}


LAYOUTS = {"ocr-vqa": OcrVqa, "st-vqa": StVqa, "docvqa": DocVqa, "textvqa": TextVqa}


def write_text_questions(records: Iterable[Record], root: Path | str, layout: str, split: str = "train", *,
                         pictures: bool = True) -> int:
    """Write in one of LAYOUTS; returns the number of records read."""
    return write([LAYOUTS[layout](split)], records, root, pictures)
