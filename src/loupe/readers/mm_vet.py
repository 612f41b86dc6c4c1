"""MM-Vet: open questions with what a good answer holds, and the abilities they need. For evaluation only."""

from __future__ import annotations

from pathlib import Path

from loupe.readers.base import Note, words
from loupe.readers.entries import Entries, key_text, question_of, value_of
from loupe.readers.stream import Piece
from loupe.record import Record


class MMVet(Entries):
    """`MMVet(root)` reads mm-vet.json; pictures in images/.

    {id: {"imagename", "question", "answer", "capability": [...]}}. In an answer "<AND>" joins what must be said, "<OR>"
    what may stand for each other; both stay as they are.
    """

    source = "mm-vet"
    evaluation_only = True
    sized = False
    layout = '{id: {"imagename", "question", "answer", "capability"}}'

    def _usual_files(self) -> list[Path]:
        return [self.root / place / "mm-vet.json" for place in ("", "mm-vet")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in ("images", "mm-vet/images", "")]

    def _picture(self, piece: Piece) -> str | None:
        entry = value_of(piece)
        if not piece.key or not isinstance(entry, dict) or not key_text(entry.get("imagename")):
            self._odd(piece)
            return None
        if not words(entry.get("question")) or not self._answer(entry):
            self.note("question without words or answer", piece.key)
            return None
        self._files[piece.key] = key_text(entry["imagename"])
        return piece.key

    @staticmethod
    def _answer(entry: dict) -> str:
        return words(entry.get("answer")) or key_text(entry.get("answer"))

    def _gather(self, path: Path) -> None:
        self._files: dict[str, str] = {}  # question -> its picture's file
        super()._gather(path)

    def _names(self, picture: str) -> tuple[str, ...]:
        return (self._files[picture],)

    def _record(self, i: int, note: Note) -> Record:
        number = int(self._order[i])
        key = self._pictures[number]
        (entry,) = self.entries(number)[:1]
        image = self._image(self._names(key))
        abilities = entry.get("capability")
        topics = tuple(filter(None, map(words, abilities))) if isinstance(abilities, list) else ()
        made = question_of(entry["question"], (self._answer(entry),), key, note, key, topics=topics)
        return Record(image, *image.size, key, self.source, self.split, questions=(made,) if made else ())
