"""Visual7W's pointing questions ("Which ...?"), each with four boxes to choose from."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from loupe.errors import unknown_name
from loupe.readers.base import Note, clipped_box, is_number, words
from loupe.readers.entries import Entries, distinct, key_text, value_of
from loupe.readers.index import is_id
from loupe.readers.science import SPLITS
from loupe.readers.stream import Piece
from loupe.record import Question, Record
from loupe.regions import Box


class Visual7W(Entries):
    """`Visual7W(root, "test")` reads dataset_v7w_pointing.json (or visual7w-pointing/dataset.json); "" is all splits.

    {"boxes": [{"box_id", "x", "y", "width", "height"}], "images": [{"image_id", "filename", "split", "qa_pairs":
    [{"qa_id", "question", "answer": box id, "multiple_choices": [three box ids]}]}]}. Pictures are its own
    (visual7w_images.zip) in images/. 40 bytes a box stay in memory.
    """

    source = "visual7w"
    sized = False
    usual_split = "test"
    arrays = ("images", "boxes")
    layout = '{"boxes": [{"box_id", "x", "y", "width", "height"}], "images": [{"filename", "split", "qa_pairs"}]}'

    def __init__(self, root, split: str = "", **options):
        if split and split not in SPLITS:
            raise unknown_name("split of Visual7W", split, SPLITS)
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [self.root / name for name in ("dataset_v7w_pointing.json", "visual7w-pointing/dataset.json",
                                              "datasets/visual7w-pointing/dataset.json", "dataset.json")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in ("images", "visual7w_images", "visual7w_images/images", "")]

    def _gather(self, path: Path) -> None:
        self._box_ids, self._sides = array("q"), array("d")
        self._vg: dict[str, int] = {}
        super()._gather(path)
        ids, sides = np.array(self._box_ids, np.int64), np.array(self._sides).reshape(-1, 4)
        order = np.argsort(ids, kind="stable")
        self._box_ids, self._sides = ids[order], sides[order]

    def _picture(self, piece: Piece) -> str | None:
        if piece.key == "boxes":
            self._add_box(piece)
            return None
        entry = value_of(piece)
        if not isinstance(entry, dict) or not words(entry.get("filename")) or entry.get("split") not in SPLITS:
            self._odd(piece)
            return None
        if self.split and entry["split"] != self.split:
            return None
        if not isinstance(entry.get("qa_pairs"), list):
            self.note("picture without questions", entry["filename"])
            return None
        if is_id(entry.get("image_id")):
            self._vg[entry["filename"]] = entry["image_id"]
        return entry["filename"]

    def _add_box(self, piece: Piece) -> None:
        entry = piece.value if isinstance(piece.value, dict) else {}
        sides = [entry.get(side) for side in ("x", "y", "width", "height")]
        if not is_id(entry.get("box_id")) or not all(map(is_number, sides)):
            self.note("box without id or four numbers", f"byte {piece.at}: {piece.raw[:60]}")
            return
        self._box_ids.append(entry["box_id"])
        self._sides.extend(sides)

    def _ids(self, picture: str) -> dict[str, int]:
        return {"vg_id": self._vg[picture]} if picture in self._vg else {}

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        questions = distinct(self._questions(number, *image.size, note))
        return Record(image, *image.size, picture, self.source, self.split, questions=questions,
                      extra=self._ids(picture))

    def _questions(self, number: int, width: int, height: int, note: Note) -> Iterator[Question]:
        pairs = [pair for entry in self.entries(number) for pair in entry["qa_pairs"]]
        for k, pair in enumerate(pairs):
            key = key_text(pair.get("qa_id")) or str(k) if isinstance(pair, dict) else ""
            wrong = pair.get("multiple_choices") if isinstance(pair, dict) else None
            if not key or not words(pair.get("question")) or not isinstance(wrong, list):
                note("question without words or boxes to choose from", f"{self._pictures[number]}: {k}")
                continue
            right = self._box(pair.get("answer"), width, height, note, f"question {key}")
            others = [self._box(other, width, height, note, f"question {key}") for other in wrong]
            others = [box for box in others if box is not None and box != right]
            if right is None or not others:
                note("question without words or boxes to choose from", f"question {key}")
                continue
            yield Question(words(pair["question"]), (), key, choices=(right, *dict.fromkeys(others)))

    def _box(self, key: object, width: int, height: int, note: Note, example: str) -> Box | None:
        place = int(np.searchsorted(self._box_ids, key)) if is_id(key) else len(self._box_ids)
        if place >= len(self._box_ids) or self._box_ids[place] != key:
            note("box of an unknown id", f"{example}: {str(key)[:40]}")
            return None
        return clipped_box(*self._sides[place].tolist(), width, height, note, f"{example}: box {key}")
