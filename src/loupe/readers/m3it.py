"""M3IT: instructions with their pictures in the file, a JSON value a line. One record a line."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from loupe.errors import ImageError
from loupe.image import MAX_BYTES, Image
from loupe.readers.base import Note, Reader
from loupe.readers.entries import Entries, JsonLines, value_of
from loupe.readers.stream import Piece
from loupe.record import Record, Turns

PICTURES = ("image_base64_str", "image_str", "image")


class M3it(Entries):
    """`M3it(root, "train")` reads train.jsonl, the only train*.jsonl below the root, or `file=`: {"instruction",
    "inputs", "outputs", "image_base64_str": [one picture]}. The human says the instruction and, on a line of its own,
    the input."""

    source = "m3it"
    sized = False
    usual_split = "train"
    layout = '{"instruction", "inputs", "outputs", "image_base64_str": [...]} a line'
    arrays = ("data",)

    def _source(self, path: Path):
        return JsonLines(path)

    def _usual_files(self) -> list[Path]:
        found = sorted(self.root.glob(f"**/{self.split}*.jsonl"))
        return [self.root / f"{self.split}.jsonl", *(found if len(found) == 1 else [])]

    def _folders(self) -> list[Path]:
        return [self.root]

    def _has(self, names) -> bool:
        return True  # the picture stands in the line

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not isinstance(entry, dict) or not any(key in entry for key in PICTURES):
            self._odd(piece)
            return None
        where = f"byte {piece.at}"
        given = [one for one in _listed(entry) if one]
        if len(given) != 1:
            self.note("instruction with several pictures" if given else "instruction without a picture", where)
            return None
        if not isinstance(given[0], str) or len(given[0]) * 3 // 4 > MAX_BYTES:
            self.note("picture is no text, or too large", where)
            return None
        if not _said(entry):
            self.note("instruction without words or answer", where)
            return None
        return str(piece.at)

    pictured = Reader.pictured  # pictures stand in the file itself

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        key = self._pictures[number]
        (entry,) = self.entries(number)[:1]
        given = next(one for one in _listed(entry) if one)
        try:
            image = Image(data=base64.b64decode(given, validate=True))
        except (binascii.Error, ValueError) as error:
            raise ImageError("picture is no base64 text", got=error, where=f"{self.path.name}: byte {key}") from None
        return Record(image, *image.size, key, self.source, self.split, dialogues=(Turns(_said(entry), key),))


def _listed(entry: dict) -> list:
    given = next((entry[key] for key in PICTURES if key in entry), None)
    return given if isinstance(given, list) else [given]


def _said(entry: dict) -> tuple[str, ...]:
    """(question, answer); () where one is missing."""
    asked = [entry.get(key) for key in ("instruction", "inputs")]
    asked = [text.strip() for text in asked if isinstance(text, str) and text.strip()]
    answer = entry.get("outputs")
    return ("\n".join(asked), answer.strip()) if asked and isinstance(answer, str) and answer.strip() else ()
