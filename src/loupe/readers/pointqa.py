"""PointQA's LookTwice-QA: how many of these are there, of a point or a box, on Visual Genome's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loupe.errors import FileError
from loupe.readers.base import Note, clipped_box, is_number, words
from loupe.readers.entries import Entries, question_of, ranked
from loupe.readers.pictures import COCO_FOLDERS, usual_folders
from loupe.readers.stream import Piece, read_json
from loupe.record import Question, Record
from loupe.regions import Point

WORDINGS = ("object", "super", "general")  # "these birds", "these animals", "these"


class LookTwice(Entries):
    """`LookTwice(root, "test")` reads looktwiceqa_dataset.json and looktwiceqa_test_imgs.json; "" is all pictures.

    {picture: [{"obj_question", "super_question", "general_question", "ans", "point": {x, y}, "bbox": {x, y, w, h}}]}.
    Each entry becomes one Question a wording, with its box as region and its point.
    """

    source = "pointqa-looktwice"
    listed = True
    sized = False
    layout = '{picture: [{"obj_question", "general_question", "ans", "point", "bbox"}, ...]}'

    def __init__(self, root, split: str = "", **options):
        self._chosen: set[str] | None = None
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [folder / "looktwiceqa_dataset.json" for folder in self._places()]

    def _places(self) -> list[Path]:
        return [self.root, self.root / "LookTwiceQA", self.root / "Datasets/LookTwiceQA"]

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, ("VG_100K", "VG_100K_2", "VG_100K_images", *COCO_FOLDERS), ("visual_genome",))

    def _gather(self, path: Path) -> None:
        if self.split:
            chosen = path.with_name(f"looktwiceqa_{self.split}_imgs.json")
            names, self._digests[chosen.name] = read_json(chosen)
            good = isinstance(names, list) and all(isinstance(n, (str, int)) for n in names)
            if not good:
                raise FileError("list of pictures is of another layout", got=str(names)[:60],
                                expected='["2318208", ...]', where=chosen)
            self._chosen = {str(name) for name in names}
        super()._gather(path)
        for name in sorted((self._chosen or set()) - set(self._pictures)):
            self.note("picture of the split is not in the file", name)

    def _picture(self, piece: Piece) -> str | None:
        if not isinstance(piece.value, dict) or not piece.key:
            self._odd(piece)
            return None
        if self._chosen is not None and piece.key not in self._chosen:
            return None
        return piece.key

    def _names(self, picture: str) -> tuple[str, ...]:
        return (f"{picture}.jpg",)

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        picture = self._pictures[number]
        image = self._image(self._names(picture))
        width, height = image.size
        questions = tuple(q for k, entry in enumerate(self.entries(number))
                          for q in self._questions(f"{picture}:{k}", entry, width, height, note))
        return Record(image, width, height, picture, self.source, self.split, questions=questions,
                      extra={"vg_id": int(picture)} if picture.isdecimal() else {})

    @staticmethod
    def _questions(key: str, entry: dict, width: int, height: int, note: Note) -> Iterator[Question]:
        bbox, at = entry.get("bbox"), entry.get("point")
        sides = [bbox.get(side) for side in "xywh"] if isinstance(bbox, dict) else bbox
        if not isinstance(sides, list) or len(sides) != 4:
            note("box is not four numbers", f"question {key}: {str(bbox)[:60]}")
            return
        box = clipped_box(*sides, width, height, note, f"question {key}: {sides} in {width} x {height}")
        if box is None:
            return
        where = [at.get("x"), at.get("y")] if isinstance(at, dict) else [None]
        point = Point(*map(float, where)) if all(map(is_number, where)) else None
        if point is None or not (0 <= point.x < width and 0 <= point.y < height):
            note("question without a point inside its picture", f"question {key}: {str(at)[:40]}")
            point = None
        for wording, name in zip(WORDINGS, ("obj_question", "super_question", "general_question")):
            made = question_of(entry.get(name), ranked(entry.get("ans")), f"{key}:{wording}", note,
                               f"question {key}: {name} {words(entry.get(name))[:30]!r}", region=box, point=point,
                               kind=wording)
            if made is not None:
                yield made
