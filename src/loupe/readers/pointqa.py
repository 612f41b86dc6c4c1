"""PointQA on Visual Genome's pictures. LookTwice-QA: how many of these are there, of a point or a box; Local-QA: what
colour, shape or action has the one that is pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loupe.errors import FileError
from loupe.readers.base import Note, clipped_box, is_number, words
from loupe.readers.entries import Entries, question_of, ranked
from loupe.readers.pictures import COCO_FOLDERS, usual_folders
from loupe.readers.stream import Piece, read_json
from loupe.record import Question, Record
from loupe.regions import Box, Point

WORDINGS = ("object", "super", "general")  # "these birds", "these animals", "these"


class PointQa(Entries):
    """{picture: [entry, ...]} and the lists of pictures that are its splits; `stem` begins the files' names."""

    listed = True
    sized = False
    stem, folder = "", ""

    def __init__(self, root, split: str = "", **options):
        self._chosen: set[str] | None = None
        super().__init__(root, split, **options)

    def _usual_files(self) -> list[Path]:
        return [folder / f"{self.stem}_dataset.json" for folder in self._places()]

    def _places(self) -> list[Path]:
        return [self.root, self.root / self.folder, self.root / "Datasets" / self.folder]

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, ("VG_100K", "VG_100K_2", "VG_100K_images", *COCO_FOLDERS), ("visual_genome",))

    def _gather(self, path: Path) -> None:
        if self.split:
            chosen = path.with_name(f"{self.stem}_{self.split}_imgs.json")
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

    def _ids(self, picture: str) -> dict[str, int]:
        return {"vg_id": int(picture)} if picture.isdecimal() else {}

    def _record(self, i: int, note: Note) -> Record:
        number, picture, image = self._opened(i)
        width, height = image.size
        questions = tuple(q for k, entry in enumerate(self.entries(number))
                          for q in self._questions(f"{picture}:{k}", entry, width, height, note))
        return Record(image, width, height, picture, self.source, self.split, questions=questions,
                      extra=self._ids(picture))

    def _questions(self, key: str, entry: dict, width: int, height: int, note: Note) -> Iterator[Question]:
        raise NotImplementedError


class LookTwice(PointQa):
    """`LookTwice(root, "test")` reads looktwiceqa_dataset.json and looktwiceqa_test_imgs.json; "" is all pictures.

    {picture: [{"obj_question", "super_question", "general_question", "ans", "point": {x, y}, "bbox": {x, y, w, h}}]}.
    Each entry becomes one Question a wording, with its box as region and its point.
    """

    source = "pointqa-looktwice"
    layout = '{picture: [{"obj_question", "general_question", "ans", "point", "bbox"}, ...]}'
    stem, folder = "looktwiceqa", "LookTwiceQA"

    def _questions(self, key: str, entry: dict, width: int, height: int, note: Note) -> Iterator[Question]:
        box, point = pointed(entry.get("bbox"), entry.get("point"), width, height, note, f"question {key}")
        if box is None:
            return
        for wording, name in zip(WORDINGS, ("obj_question", "super_question", "general_question")):
            made = question_of(entry.get(name), ranked(entry.get("ans")), f"{key}:{wording}", note,
                               f"question {key}: {name} {words(entry.get(name))[:30]!r}", region=box, point=point,
                               kind=wording)
            if made is not None:
                yield made


class LocalQa(PointQa):
    """`LocalQa(root, "testfinal")` reads localqa_dataset.json and localqa_testfinal_imgs.json (or val, testdev).

    {picture: [{"question", "all_objs": [{x, y, w, h}, ...], "points": [{x, y, "ans"}, ...]}]}: each point is a Question
    of its own, with the box of its object as region.
    """

    source = "pointqa-local"
    layout = '{picture: [{"question", "all_objs": [{"x", "y", "w", "h"}], "points": [{"x", "y", "ans"}]}, ...]}'
    stem, folder = "localqa", "LocalQA"

    def _questions(self, key: str, entry: dict, width: int, height: int, note: Note) -> Iterator[Question]:
        things, points = entry.get("all_objs"), entry.get("points")
        if not isinstance(things, list) or not isinstance(points, list) or len(things) != len(points):
            note("objects and points of different number", f"question {key}: {str(points)[:60]}")
            return
        for k, (thing, at) in enumerate(zip(things, points)):
            box, point = pointed(thing, at, width, height, note, f"question {key}:{k}")
            if box is None or point is None:
                continue
            made = question_of(entry.get("question"), ranked(at.get("ans")), f"{key}:{k}", note,
                               f"question {key}:{k}", region=box, point=point)
            if made is not None:
                yield made


def pointed(thing: object, at: object, width: int, height: int, note: Note, example: str
            ) -> tuple[Box | None, Point | None]:
    """The box {x, y, w, h} and the point {x, y}; None, with its reason counted, of one that is not in the picture."""
    sides = [thing.get(side) for side in "xywh"] if isinstance(thing, dict) else thing
    if not isinstance(sides, list) or len(sides) != 4:
        note("box is not four numbers", f"{example}: {str(thing)[:60]}")
        return None, None
    box = clipped_box(*sides, width, height, note, f"{example}: {sides} in {width} x {height}")
    if box is None:
        return None, None
    where = [at.get("x"), at.get("y")] if isinstance(at, dict) else [None]
    point = Point(*map(float, where)) if all(map(is_number, where)) else None
    if point is None or not (0 <= point.x < width and 0 <= point.y < height):
        note("question without a point inside its picture", f"{example}: {str(at)[:40]}")
        point = None
    return box, point
