"""Annotation files that are lists of entries about pictures, or one object with what is said of each picture."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from loupe.errors import FileError
from loupe.image import Image
from loupe.readers.base import Note, Pictured, Reader, words
from loupe.readers.index import Collector
from loupe.readers.pictures import usual_folders
from loupe.readers.stream import Piece, Stream, missing_file
from loupe.record import Question


class Entries(Reader):
    """Gathers a file's entries by picture; what one says is parsed when its record is asked for.

    `arrays`: the top-level arrays that hold entries; none: every member of the file is about the picture it is named
    after. Subclasses give `_picture`, `_names` and `_record`.
    """

    layout = ""  # how the file should look, for messages
    arrays: tuple[str, ...] = ()
    listed = False  # every member of the file is a list of entries
    joined = True  # neighbours about one picture are read at once; not where names stand between them
    usual_split = ""

    def __init__(self, root, split: str = "", *, file=None, images=None, missing: str = "drop"):
        super().__init__(root, split or self.usual_split, images=images, missing=missing)
        self.path = self._file(file)
        self._gather(self.path)
        self._ready(len(self._order))

    def _gather(self, path: Path) -> None:
        source = self._source(path)
        found, numbers, kept, used = Collector(join=self.joined and isinstance(source, Stream)), {}, array("q"), 0
        self._pictures: list[str] = []
        for piece in source:
            if not self._is_entry(piece, source.top):
                continue
            if self.listed and source.keys.get(piece.key) != "array":
                self._odd(piece)
                continue
            name = self._picture(piece)
            used += name is not None
            if name is None:
                continue
            if name not in numbers:
                numbers[name] = len(numbers)
                self._pictures.append(name)
                if self._has(self._names(name)):
                    kept.append(numbers[name])
            elif not self._many(source, piece.key):
                self.note("picture given twice", name)
                continue
            found.add(numbers[name], piece.at, piece.size)
        self._check_layout(path, source, used)
        self._entries, self._order = found.index(path), np.array(kept, np.int64)
        self._digests[path.name] = source.hash

    def _source(self, path: Path):
        return JsonLines(path) if path.suffix == ".jsonl" else Stream(path)

    def _is_entry(self, piece: Piece, top: str) -> bool:
        """May this piece be an entry? An array's file has nothing else."""
        return top == "array" or not self.arrays or piece.key in self.arrays

    def _many(self, source, key: str) -> bool:
        """Do several pieces belong to one picture? (Elements of one array do.)"""
        return source.top == "array" or source.keys.get(key) == "array"

    def _check_layout(self, path: Path, source, used: int) -> None:
        """A file of which nothing could be used, though there is something in it, is another file."""
        there = f"an object of {', '.join(list(source.keys)[:6])}" if source.top == "object" else "a JSON array"
        if self.arrays and source.top == "object" and not any(source.keys.get(k) == "array" for k in self.arrays):
            raise FileError("annotation file is of another layout", got=there, expected=self.layout, where=path,
                            do="check that this is the file meant")
        if not self.arrays and source.top == "array" and isinstance(source, Stream):
            raise FileError("annotation file is of another layout", got=there, expected=self.layout, where=path,
                            do="check that this is the file meant")
        strange = [reason for reason in self.problems if reason in self.STRANGE]
        if not used and strange:
            raise FileError("annotation file is of another layout", got=self.examples[strange[0]][0],
                            expected=self.layout, where=path, do="check that this is the file meant")

    STRANGE = ("entry is of another form",)  # reasons that speak of another layout where nothing else was found

    def _file(self, file) -> Path:
        if file:
            return next((p for p in (self.root / file, Path(file)) if p.is_file()), self.root / file)
        wanted = self._usual_files()
        found = next((p for p in wanted if p.is_file()), None)
        if found is None:
            raise missing_file(wanted[0])
        return found

    def _usual_files(self) -> list[Path]:
        """Where the file of this split lies, likeliest first."""
        raise NotImplementedError

    def _picture(self, piece: Piece) -> str | None:
        """What tells the entry's picture from others; None, counted, for an entry that cannot be used."""
        raise NotImplementedError

    def _names(self, picture: str) -> tuple[str, ...]:
        """The names its file may go by."""
        return (picture,)

    def _folders(self) -> list[Path]:
        return usual_folders(self.root, (self.split,))

    def _ids(self, picture: str) -> dict[str, int]:
        """COCO's or Visual Genome's id of a picture that is theirs; a record's `extra`."""
        return {}

    def pictured(self, i: int) -> Pictured:
        _, picture, image = self._opened(i)
        return Pictured(image, self._ids(picture))

    def _opened(self, i: int) -> tuple[int, str, Image]:
        """(number, as `entries` wants it, name, picture) of record i."""
        number = int(self._order[i])
        picture = self._pictures[number]
        return number, picture, self._image(self._names(picture))

    def _odd(self, piece: Piece) -> None:
        self.note("entry is of another form", f"byte {piece.at}: {piece.raw[:60]}")

    def entries(self, number: int) -> list[Any]:
        return self._entries[number]


class JsonLines:
    """A JSON value a line, as Pieces; `top`, `keys` and `hash` as a Stream has them."""

    def __init__(self, path: Path):
        self.path, self.top, self.keys, self.hash = path, "array", {}, ""

    def __iter__(self) -> Iterator[Piece]:
        import hashlib

        digest, at = hashlib.sha256(), 0
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    digest.update(line)
                    if line.strip():
                        yield Piece("", at, len(line), self._value(line, at), line.decode("latin-1").strip())
                    at += len(line)
        except OSError as error:
            raise FileError("cannot read annotation file", got=error.strerror, where=self.path) from None
        if not at:
            raise FileError("annotation file is empty", got="0 bytes", expected="a JSON value a line", where=self.path)
        self.hash = digest.hexdigest()

    def _value(self, line: bytes, at: int):
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileError("a line is no JSON", got=error, where=f"{self.path}: byte {at}",
                            do="fetch the file again") from None


def value_of(piece: Piece):
    """The piece's value with its strings as UTF-8."""
    return piece.value if piece.raw.isascii() else piece.read()


def ranked(answers: object) -> tuple[str, ...]:
    """Different answers, the one most annotators gave first; a single text is one answer, a number its digits."""
    given = answers if isinstance(answers, list) else [answers]
    count = Counter(text for text in map(answer_text, given) if text)
    return tuple(sorted(count, key=lambda text: -count[text]))


def answer_text(answer: object) -> str:
    """An answer in single spaces, a number as its digits, "" of anything else."""
    return str(answer) if type(answer) in (int, float) and abs(answer) < 1e15 else words(answer)


def said_by_each(answers: object) -> tuple[str, ...]:
    """Every annotator's answer, with repetitions and in their order, "" for one who said nothing; () of no list."""
    texts = tuple(map(answer_text, answers)) if isinstance(answers, list) else ()
    return texts if any(texts) else ()


def question_of(text: object, answers: Sequence[str], key: str, note: Note, example: object, **more) -> Question | None:
    """A Question; None, with its reason counted, without words or answer."""
    said = words(text)
    if not said or not answers:
        note("question without words or answer", example)
        return None
    return Question(said, tuple(answers), key, **more)


def key_text(value: object) -> str:
    """An id as text: a number's digits, a text as it is, else nothing."""
    return str(value) if type(value) is int or isinstance(value, str) else ""


def distinct(questions: Iterable[Question]) -> tuple[Question, ...]:
    """With ids of their own: a repeated id gets its place behind it."""
    out: dict[str, Question] = {}
    for k, q in enumerate(questions):
        key = q.id or str(k)
        key = key if key not in out else f"{q.id}#{k}"
        out[key] = replace(q, id=key)
    return tuple(out.values())
