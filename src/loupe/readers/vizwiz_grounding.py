"""VizWiz-VQA-Grounding: questions of blind people with the region the answer stands on. For evaluation only."""

from __future__ import annotations

from pathlib import Path

from loupe.errors import ImageError
from loupe.image import Image
from loupe.readers.base import Note, clipped_ring
from loupe.readers.entries import Entries, question_of, ranked, value_of
from loupe.readers.stream import Piece
from loupe.record import Question, Record
from loupe.regions import Mask, Region


class VizWizGrounding(Entries):
    """`VizWizGrounding(root, "val")` reads val_grounding.json; pictures in val/, masks in binary_masks_png/val/.

    {file name: {"question", "answers", "most_common_answer", "answer_grounding": [{x, y}], "height", "width"}}.
    The region is the outline, else the mask. ChatSpot holds this data out: no mixture may train on it.
    """

    source = "vizwiz-grounding"
    usual_split = "val"
    licence = "CC BY 4.0"
    evaluation_only = True
    layout = '{file name: {"question", "answers", "answer_grounding", "height", "width"}}'

    def _usual_files(self) -> list[Path]:
        return [folder / f"{self.split}_grounding.json" for folder in (self.root, self.root / "annotations")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (self.split, f"images/{self.split}", "images", "")]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not piece.key or any(
                type(entry.get(side)) is not int or entry[side] <= 0 for side in ("width", "height")):
            self._odd(piece)
            return None
        if not self._answers(entry):
            self.note("question without words or answer", piece.key)
            return None
        return piece.key

    @staticmethod
    def _answers(entry: dict) -> tuple[str, ...]:
        """The most common one first, as the file says or as it is counted."""
        first = ranked(entry.get("most_common_answer"))[:1]
        return tuple(dict.fromkeys((*first, *ranked(entry.get("answers")))))

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        picture = self._pictures[number]
        (entry,) = self.entries(number)
        width, height = entry["width"], entry["height"]
        region = self._region(picture, entry, width, height, note)
        made = question_of(entry.get("question"), self._answers(entry), picture, note, picture, region=region)
        questions: tuple[Question, ...] = (made,) if made is not None and region is not None else ()
        return Record(self._image(self._names(picture)), width, height, picture, self.source, self.split, self.licence,
                      questions=questions)

    def _region(self, picture: str, entry: dict, width: int, height: int, note: Note) -> Region | None:
        corners = entry.get("answer_grounding")
        if isinstance(corners, list) and corners:
            points = [[c.get("x"), c.get("y")] if isinstance(c, dict) else c for c in corners]
            return clipped_ring(points, width, height, note, picture)
        mask = self._mask(picture, width, height, note)
        if mask is None:
            note("answer without a region", picture)
        return mask

    def _mask(self, picture: str, width: int, height: int, note: Note) -> Mask | None:
        """binary_masks_png/SPLIT/<stem>.png: what is not black."""
        path = self.root / "binary_masks_png" / self.split / f"{Path(picture).stem}.png"
        if not path.is_file():
            return None
        try:
            seen = Image(path=path).array().any(axis=2)
        except ImageError as error:
            note("mask does not decode", f"{picture}: {error}")
            return None
        if seen.shape != (height, width) or not seen.any():
            note("mask is empty or of another size", f"{picture}: {seen.shape[1]} x {seen.shape[0]}")
            return None
        return Mask.from_array(seen)
