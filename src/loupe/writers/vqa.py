"""Questions about pictures as VQAv2, GQA, DVQA, ChartQA and ScienceQA publish them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from loupe.record import Record
from loupe.writers.coco import file_name
from loupe.writers.files import ARRAY, Document, Entry, write
from loupe.writers.numbers import number
from loupe.writers.text_questions import whole

ANNOTATORS = 10  # answers VQAv2 has of a question


class Vqa:
    """v2_OpenEnded_mscoco_train2014_questions.json and its annotations; the pictures are COCO's, wherever they lie."""

    def __init__(self, split: str = "train", under: str = "", picture: str = ""):
        """picture: folder they are written to; "": they lie beside already."""
        year = f"{split}2014"
        self.split, self.under, self.folder = split, under, picture
        self.asked = f"{under}v2_OpenEnded_mscoco_{year}_questions.json"
        self.answered = f"{under}v2_mscoco_{year}_annotations.json"
        self.documents = (Document(self.asked, (("data_type", "mscoco"), ("questions", ARRAY))),
                          Document(self.answered, (("data_type", "mscoco"), ("annotations", ARRAY))))

    def pictures(self, record: Record) -> Iterator[str]:
        if self.folder and whole(record):
            yield f"{self.under}{self.folder}{file_name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        image = number(record.id)
        for k, q in enumerate(whole(record)):
            key = number(q.id or f"{record.id}/{k}")
            said = [{"answer": answer, "answer_confidence": "yes", "answer_id": n + 1}
                    for n, answer in enumerate(q.votes or q.answers[:1] * ANNOTATORS)]
            yield self.asked, "questions", {"image_id": image, "question": q.text, "question_id": key}
            yield self.answered, "annotations", {
                "question_type": " ".join(q.text.lower().split()[:2]), "multiple_choice_answer": q.answers[0],
                "answers": said, "image_id": image, "answer_type": "other", "question_id": key}


class Gqa:
    """train_balanced_questions.json: a member a question."""

    def __init__(self, split: str = "train", under: str = ""):
        self.under, self.path = under, f"{under}{split}_balanced_questions.json"
        self.documents = (Document(self.path, members=True),)

    def pictures(self, record: Record) -> Iterator[str]:
        if whole(record):
            yield f"{self.under}images/{number(record.id)}.jpg"

    def entries(self, record: Record) -> Iterator[Entry]:
        for k, q in enumerate(whole(record)):
            key = f"{number(q.id or f'{record.id}/{k}'):08d}"
            yield self.path, "", (key, {"imageId": str(number(record.id)), "question": q.text, "answer": q.answers[0],
                                        "fullAnswer": f"It is {q.answers[0]}.", "isBalanced": True})


class Dvqa:
    """train_qa.json."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.under, self.path = split, under, f"{under}{split}_qa.json"
        self.documents = (Document(self.path),)

    def name(self, record: Record) -> str:
        return f"bar_{self.split}_{number(record.id):08d}.png"

    def pictures(self, record: Record) -> Iterator[str]:
        if whole(record):
            yield f"{self.under}images/{self.name(record)}"

    def entries(self, record: Record) -> Iterator[Entry]:
        for k, q in enumerate(whole(record)):
            yield self.path, "", {"question": q.text, "question_id": number(q.id or f"{record.id}/{k}"),
                                  "template_id": "data", "answer": q.answers[0], "answer_bbox": [],
                                  "image": self.name(record)}


class ChartQa:
    """train/train_human.json."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.under, self.path = split, f"{under}{split}/", f"{under}{split}/{split}_human.json"
        self.documents = (Document(self.path),)

    def pictures(self, record: Record) -> Iterator[str]:
        if whole(record):
            yield f"{self.under}png/{number(record.id)}.png"

    def entries(self, record: Record) -> Iterator[Entry]:
        for q in whole(record):
            yield self.path, "", {"imgname": f"{number(record.id)}.png", "query": q.text, "label": q.answers[0]}


class ScienceQa:
    """problems.json: a question with answers to choose from a member. Of a record the first is written: its pictures
    go by the question's number."""

    def __init__(self, split: str = "train", under: str = ""):
        self.split, self.under, self.path = split, under, f"{under}problems.json"
        self.documents = (Document(self.path, members=True),)

    def pictures(self, record: Record) -> Iterator[str]:
        if self.chosen(record):
            yield f"{self.under}images/{self.split}/{number(record.id)}/image.png"

    @staticmethod
    def chosen(record: Record):
        return next((q for q in whole(record) if q.answers[0] in q.options), None)

    def entries(self, record: Record) -> Iterator[Entry]:
        q = self.chosen(record)
        if q is not None:
            yield self.path, "", (str(number(record.id)), {
                "question": q.text, "choices": list(q.options), "answer": q.options.index(q.answers[0]), "hint": "",
                "image": "image.png", "task": "closed choice", "grade": "grade2", "subject": (*q.topics, "")[0],
                "topic": (*q.topics[1:], "")[0], "category": "", "skill": "", "lecture": "", "solution": "",
                "split": self.split})


LAYOUTS = {"vqa": Vqa, "gqa": Gqa, "dvqa": Dvqa, "chartqa": ChartQa, "scienceqa": ScienceQa}


def write_vqa(records: Iterable[Record], root: Path | str, layout: str, split: str = "train", *,
              pictures: bool = True) -> int:
    """Write in one of LAYOUTS; returns the number of records read."""
    made = Vqa(split, picture=f"{split}2014/") if layout == "vqa" else LAYOUTS[layout](split)
    return write([made], records, root, pictures)
