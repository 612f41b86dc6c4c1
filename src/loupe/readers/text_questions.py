"""Questions about printed text: OCR-VQA, ST-VQA, DocVQA, TextVQA. One record a picture, sizes from the pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from loupe.errors import unknown_name
from loupe.readers.base import Note, words
from loupe.readers.entries import Entries, distinct, key_text, question_of, ranked, said_by_each, value_of
from loupe.readers.stream import Piece
from loupe.record import Question, Record

# what files prepared for one model ask behind every question; the task says it in its own words
ASKED = re.compile(r"\s*\n\s*(?:When the provided information is insufficient[^\n]*\n\s*)?"
                   r"Answer the question using a single word or phrase\.?\s*$")
COCO = re.compile(r"^COCO_(?:train|val)2014_(\d{12})$")
GENOME = re.compile(r"^visual[ _-]?genome/(\d+)$", re.IGNORECASE)


class Questions(Entries):
    """Entries of one question each: {question, answers, a picture, an id}, below `data` or in a list."""

    layout = '{"data": [{"question", "answers", ...}, ...]}'
    arrays = ("data",)
    picture_key = "image"
    id_keys = ("question_id",)
    sized = False
    voted = False  # `answers` are those of several people, each of whom counts

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not key_text(entry.get(self.picture_key)):
            self._odd(piece)
            return None
        if not words(entry.get("question")) or not ranked(self._answers(entry)):
            self.note("question without words or answer", f"byte {piece.at}: {piece.raw[:60]}")
            return None
        return key_text(entry[self.picture_key])

    def _ids(self, picture: str) -> dict[str, int]:
        return same_picture(picture)

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        width, height = image.size
        return Record(image, width, height, picture, self.source, self.split, self.licence,
                      questions=distinct(self._questions(number, note)),
                      extra=self._ids(picture))

    def _questions(self, number: int, note: Note) -> Iterator[Question]:
        for k, entry in enumerate(self.entries(number)):
            if not isinstance(entry, dict) or key_text(entry.get(self.picture_key)) != self._pictures[number]:
                continue
            key = next((key_text(entry.get(k)) for k in self.id_keys if key_text(entry.get(k))), "")
            text = entry.get("question")
            text = ASKED.sub("", text) if isinstance(text, str) else text
            answers = self._answers(entry)
            made = question_of(text, ranked(answers), key, note, f"question {key or k}",
                               votes=said_by_each(answers) if self.voted else ())
            if made is not None:
                yield made

    @staticmethod
    def _answers(entry: dict) -> object:
        return entry.get("answers", entry.get("answer"))


def same_picture(name: str) -> dict[str, int]:
    """COCO's or Visual Genome's id of a picture that is theirs."""
    path = PurePosixPath(name)
    coco, genome = COCO.match(path.stem), GENOME.match(str(path.with_suffix("")))
    return {"coco_id": int(coco[1])} if coco else {"vg_id": int(genome[1])} if genome else {}


class StVqa(Questions):
    """`StVqa(root, "train")` reads train_task_3.json; pictures below root/train, root/train_imgs, root/images or root.

    Some of its pictures are COCO's and VizWiz's: `extra["coco_id"]` says which.
    """

    source = "st-vqa"
    usual_split = "train"
    picture_key = "file_path"

    def _usual_files(self) -> list[Path]:
        return [self.root / f"{self.split}_task_{task}.json" for task in (3, 2, 1)]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (
            self.split, f"{self.split}_imgs", f"images/{self.split}", f"Images/{self.split}", "images", "Images", "")]


class DocVqa(Questions):
    """`DocVqa(root, "train")` reads train_v1.0_withQT.json or train_v1.0.json; `file=` takes JSON lines too."""

    source = "docvqa"
    usual_split = "train"
    id_keys = ("questionId", "question_id")

    def _usual_files(self) -> list[Path]:
        names = [f"{self.split}_v1.0_withQT.json", f"{self.split}_v1.0.json"]
        return [self.root / place / name for name in names for place in ("", self.split, "spdocvqa_qas")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (self.split, "spdocvqa_images", "images", "", "documents")]


class TextVqa(Questions):
    """`TextVqa(root, "train")` reads TextVQA_0.5.1_train.json; pictures in train_images/ (train and val)."""

    source = "textvqa"
    usual_split = "train"
    licence = "annotations CC BY 4.0"
    picture_key = "image_id"
    voted = True

    def _usual_files(self) -> list[Path]:
        return [self.root / f"TextVQA_{version}_{self.split}.json" for version in ("0.5.1", "0.5")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (
            "train_images", "test_images", "train_val_images/train_images", "images/train_images", "images/test_images",
            "images", "")]


class OcrVqa(Entries):
    """`OcrVqa(root, "train")` reads dataset.json: book covers by id, with as many answers as questions; 1, 2, 3 are
    train, val and test. Without a split: all of them."""

    source = "ocr-vqa"
    sized = False
    layout = '{id: {"imageURL", "questions": [...], "answers": [...], "split": 1}}'
    SPLITS = {"train": 1, "val": 2, "test": 3}

    def __init__(self, root, split: str = "", **options):
        if split and split not in self.SPLITS:
            raise unknown_name("split of OCR-VQA", split, self.SPLITS)
        self._endings: dict[str, str] = {}
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / "dataset.json"]

    def _folders(self) -> list[Path]:
        return [self.root / "images", self.root]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        pairs = [entry.get("questions"), entry.get("answers")] if isinstance(entry, dict) else []
        if not piece.key or not pairs or not all(isinstance(side, list) for side in pairs):
            self._odd(piece)
            return None
        if entry.get("split") not in self.SPLITS.values():
            self.note("book without a split", piece.key)
            if self.split:
                return None
        elif self.split and entry["split"] != self.SPLITS[self.split]:
            return None
        url = entry.get("imageURL")
        ending = PurePosixPath(_path(url)).suffix if isinstance(url, str) else ""
        self._endings[piece.key] = ending if ending in (".jpg", ".png", ".gif", ".jpeg") else ".jpg"
        return piece.key

    def _names(self, picture: str) -> tuple[str, ...]:
        return (picture + self._endings[picture],)

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        width, height = image.size
        return Record(image, width, height, picture, self.source, self.split,
                      questions=tuple(self._questions(number, note)))

    def _questions(self, number: int, note: Note) -> Iterator[Question]:
        for entry in self.entries(number):
            texts, answers = entry["questions"], entry["answers"]
            if len(texts) != len(answers):
                note("questions and answers of different number", f"book {self._pictures[number]}")
            for k, (text, answer) in enumerate(zip(texts, answers)):
                made = question_of(text, ranked(answer), f"{self._pictures[number]}:{k}", note,
                                   f"question {k} of book {self._pictures[number]}")
                if made is not None:
                    yield made


def _path(url: str) -> str:
    """The path of an address; "" of what is no address."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
