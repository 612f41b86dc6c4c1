"""POPE: is there a ... in the picture? Lines of questions about COCO's val2014 pictures. For evaluation only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loupe.readers.base import Note, words
from loupe.readers.entries import Entries, JsonLines, key_text, value_of
from loupe.readers.pictures import COCO_FOLDERS, coco_names, usual_folders
from loupe.readers.stream import Piece
from loupe.record import Question, Record

SPLITS = ("random", "popular", "adversarial")


class Pope(Entries):
    """`Pope(root, "random")` reads coco_pope_random.json (a JSON value a line); popular and adversarial likewise.

    {"question_id", "image", "text", "label"}. A question is known by its question_id, never by its place.
    """

    source = "pope"
    evaluation_only = True
    sized = False
    arrays = ("data",)  # lines, or a list below it
    layout = '{"question_id": 1, "image": "COCO_val2014_....jpg", "text": "Is there ...?", "label": "yes"} a line'

    def _source(self, path: Path):
        return JsonLines(path)

    def _usual_files(self) -> list[Path]:
        self.split = self.split or SPLITS[0]
        return [self.root / place / f"coco_pope_{self.split}.{ending}" for ending in ("json", "jsonl")
                for place in ("", "coco", "pope")]

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, ("val2014", *COCO_FOLDERS), ("coco", "coco2014", "mscoco"))

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not words(entry.get("image")) or not key_text(entry.get("question_id")):
            self._odd(piece)
            return None
        if not words(entry.get("text")) or words(entry.get("label")).lower() not in ("yes", "no"):
            self.note("question without words or a yes or no", f"question {entry['question_id']}")
            return None
        return entry["image"]

    def _names(self, picture: str) -> tuple[str, ...]:
        return coco_names(picture)

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        questions = {q.id: q for q in self._questions(number, note)}
        return Record(image, *image.size, picture, self.source, self.split, questions=tuple(questions.values()))

    def _questions(self, number: int, note: Note) -> Iterator[Question]:
        seen = set()
        for entry in self.entries(number):
            key = key_text(entry["question_id"])
            if key in seen:
                note("question id given twice", f"question {key}")
                continue
            seen.add(key)
            yield Question(words(entry["text"]), (entry["label"].strip().lower(),), key)
