"""Printed text by outline: HierText and ArT. One record a picture, its legible words with their polygons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from loupe.errors import FileError, unknown_name
from loupe.readers.base import Note, clipped_ring, words
from loupe.readers.entries import Entries, value_of
from loupe.readers.stream import Piece, Stream
from loupe.record import Record, Word

LEVELS = ("words", "lines")
UNREAD = "text that cannot be read"


class HierText(Entries):
    """`HierText(root, "train")` reads train.jsonl, unpacked, in root or root/gt; `level="lines"` takes whole lines.

    Despite its name the file is one JSON object, {"annotations": [{"image_id", "image_width", "image_height",
    "paragraphs": [{"lines": [{"words": [{"vertices", "text", "legible"}]}]}]}]}.
    """

    source = "hiertext"
    licence = "annotations CC BY-SA 4.0"
    layout = '{"annotations": [{"image_id", "image_width", "image_height", "paragraphs"}, ...]}'
    arrays = ("annotations",)

    def __init__(self, root, split: str = "train", *, level: str = "words", **options):
        if level not in LEVELS:
            raise unknown_name("level of HierText", level, LEVELS)
        self.level = level
        super().__init__(root, split, **options)

    def _file(self, file) -> Path:
        places = [self.root / "gt", self.root]
        packed = next((p for folder in places if (p := folder / f"{self.split}.jsonl.gz").is_file()), None)
        if not file and packed and not any((folder / f"{self.split}.jsonl").is_file() for folder in places):
            raise FileError("annotation file is packed", got=packed.name, expected=f"{self.split}.jsonl", where=packed,
                            do=f"unpack it: gunzip -k {packed}")
        return super()._file(file)

    def _source(self, path: Path):
        return Stream(path)  # its ending means JSON lines elsewhere

    def _usual_files(self) -> list[Path]:
        return [self.root / "gt" / f"{self.split}.jsonl", self.root / f"{self.split}.jsonl"]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (self.split, f"images/{self.split}", "images", "")]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        sides = [entry.get(f"image_{side}") for side in ("width", "height")] if isinstance(entry, dict) else [None]
        if (not isinstance(entry, dict) or not words(entry.get("image_id"))
                or not isinstance(entry.get("paragraphs"), list) or not all(type(v) is int and v > 0 for v in sides)):
            self._odd(piece)
            return None
        return entry["image_id"]

    def _many(self, source, key: str) -> bool:
        return False

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        (entry,) = self.entries(number)
        width, height = entry["image_width"], entry["image_height"]
        return Record(self._image(self._names(self._pictures[number])), width, height, self._pictures[number],
                      self.source, self.split, self.licence, words=tuple(self._words(entry, width, height, note)))

    def _words(self, entry: dict, width: int, height: int, note: Note) -> Iterator[Word]:
        for line in self._lines(entry, note):
            each = [line] if self.level == "lines" else line.get("words")
            if not isinstance(each, list):
                note("line without words", f"picture {entry['image_id']}")
                continue
            for word in each:
                if not isinstance(word, dict):
                    note("word is of another form", f"picture {entry['image_id']}: {str(word)[:40]}")
                    continue
                made = word_of(word.get("text"), word.get("legible") is not False, word.get("vertices"), width, height,
                               note, f"{str(word.get('text'))[:40]!r} of picture {entry['image_id']}")
                if made is not None:
                    yield made

    @staticmethod
    def _lines(entry: dict, note: Note) -> Iterator[dict]:
        for paragraph in entry["paragraphs"]:
            lines = paragraph.get("lines") if isinstance(paragraph, dict) else None
            if not isinstance(lines, list):
                note("paragraph without lines", f"picture {entry['image_id']}")
                continue
            for line in lines:
                if isinstance(line, dict):
                    yield line
                else:
                    note("line is of another form", f"picture {entry['image_id']}: {str(line)[:40]}")


class Art(Entries):
    """`Art(root)` reads train_labels.json: {"gt_0": [{"transcription", "points", "language", "illegibility"}]}.

    Outlines are drawn on the pictures as stored, without their EXIF orientation, and no sizes are stated.
    """

    source = "art"
    usual_split = "train"
    listed = True
    sized = False
    layout = '{"gt_0": [{"transcription", "points", "language", "illegibility"}, ...], ...}'

    def _usual_files(self) -> list[Path]:
        return [self.root / f"{self.split}_labels.json"]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (
            f"{self.split}_images/{self.split}_images", f"{self.split}_images", "images", "")]

    def _picture(self, piece: Piece) -> str | None:
        if not isinstance(piece.value, dict):
            self._odd(piece)
            return None
        return piece.key

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        picture = self._pictures[number]
        image = replace(self._image(self._names(picture)), upright=False)
        width, height = image.size
        made = (word_of(entry.get("transcription"), entry.get("illegibility") is not True, entry.get("points"), width,
                        height, note, f"{str(entry.get('transcription'))[:40]!r} of picture {picture}")
                for entry in self.entries(number))
        return Record(image, width, height, picture, self.source, self.split,
                      words=tuple(word for word in made if word is not None))


def word_of(text: object, legible: bool, points, width: int, height: int, note: Note, example: object) -> Word | None:
    """A Word; None, with its reason counted, for what nobody could read ("###") and for outlines that are none."""
    said = words(text)
    if not said or not legible or not said.strip("#"):
        note(UNREAD if isinstance(text, str) else "word without text", example)
        return None
    ring = clipped_ring(points, width, height, note, example)
    return Word(said, ring) if ring is not None else None
