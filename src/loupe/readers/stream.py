"""A large JSON file one element at a time: where each element of its arrays lies, without holding the file.

The window is decoded as Latin-1, so one character is one byte and positions in the text are positions in the file
(every structural character of JSON is ASCII). Numbers and plain words are right as they come; strings that may hold
other letters are read again as UTF-8 by `Piece.read`.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from loupe.errors import FileError

CHUNK = 1 << 20  # bytes read at a time
LARGEST = 1 << 28  # bytes one element may take
BAR = 50 << 20  # bytes from which a progress bar is worth its line
_space = re.compile(r"[ \t\r\n]*")
_comma = re.compile(r"[ \t\r\n]*,[ \t\r\n]*(?=[^ \t\r\n])")
_decode = json.JSONDecoder().raw_decode
AGAIN = "fetch the file again, or check that it is the one meant"


class Piece(NamedTuple):
    """One element of an array (or one other value) of the file."""

    key: str  # name of the top-level array; "" where the file itself is the array
    at: int  # bytes from the start of the file
    size: int  # bytes
    value: Any  # decoded, with strings as Latin-1
    raw: str
    name: str = ""  # of the member, where the piece is one of an object that is walked (`into`)

    def read(self) -> Any:
        """The value with its strings as UTF-8."""
        return json.loads(self.raw.encode("latin-1"))


class Stream:
    """Iterate once for the Pieces; then `top`, `keys` and `hash` tell what the file was.

    into: top-level objects whose members come one by one, as the elements of top-level arrays do.
    Memory: one chunk or one element, whichever is larger. Bytes that are no UTF-8 are a FileError.
    """

    def __init__(self, path: Path, chunk: int = CHUNK, into: Collection[str] = ()):
        self.path, self.chunk, self.into = Path(path), chunk, into
        self.top = ""  # "array" or "object"
        self.keys: dict[str, str] = {}  # top-level names -> "array", "object" (walked) or "value"
        self.hash = ""  # sha256 of the file
        self._text, self._start, self._at, self._ended = "", 0, 0, False
        self._sha, self._utf8 = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()

    def __iter__(self) -> Iterator[Piece]:
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 - closed below, the generator may be left early
        except FileNotFoundError:
            raise missing_file(self.path) from None
        except OSError as error:
            raise FileError("cannot read annotation file", got=error.strerror, where=self.path) from None
        with self._file:
            size = os.fstat(self._file.fileno()).st_size
            self._bar = _bar(self.path, size)
            with self._bar:
                yield from self._pieces()
        self.hash = self._sha.hexdigest()

    def _pieces(self) -> Iterator[Piece]:
        self._more()
        if self._text.startswith("\xef\xbb\xbf"):
            self._at = 3
        first = self._peek()
        if not first:
            raise FileError("annotation file is empty", got="0 bytes", expected="JSON", where=self.path, do=AGAIN)
        if first not in "[{":
            raise FileError("annotation file is no JSON array or object", got=f"it starts {self._text[:20]!r}",
                            where=self.path, do=AGAIN)
        self.top = "array" if first == "[" else "object"
        yield from self._array("") if first == "[" else self._object()
        if self._peek():
            raise self._wrong("something after its end", "the end of the file")

    def _object(self) -> Iterator[Piece]:
        for key in self._names():
            start = self._peek()
            if start == "[":
                self.keys[key] = "array"
                yield from self._array(key)
            elif start == "{" and key in self.into:
                self.keys[key] = "object"
                for name in self._names():
                    yield self._value(key)._replace(name=name)
            else:
                self.keys[key] = "value"
                yield self._value(key)

    def _names(self) -> Iterator[str]:
        """The names of the object that starts here, each when its value comes next."""
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            self._peek()
            piece = self._value()
            name = piece.value if piece.raw.isascii() else piece.read()
            if not isinstance(name, str) or self._peek() != ":":
                raise self._wrong(repr(self._peek()), "a name and a colon")
            self._at += 1
            self._peek()
            yield name
            if self._next("}"):
                return

    def _array(self, key: str) -> Iterator[Piece]:
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._peek()
            piece = self._value(key)
            while comma := _comma.match(self._text, self._at):  # the next element begins inside the window
                yield piece
                self._at = comma.end()
                piece = self._value(key)
            yield piece
            if self._next("]"):
                return

    def _next(self, close: str) -> bool:
        """Past a comma (False) or past the closing bracket (True)."""
        mark = self._peek()
        if mark not in (",", close) or not mark:
            raise self._wrong(repr(mark) if mark else "the end of the file", f"',' or {close!r}")
        self._at += 1
        return mark == close

    def _peek(self) -> str:
        """The next character that is no space; "" at the end of the file."""
        while True:
            self._at = _space.match(self._text, self._at).end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def _value(self, key: str = "") -> Piece:
        """The value that starts here."""
        while True:
            try:
                value, end = _decode(self._text, self._at)
                cut = end == len(self._text) or (self._text[end] in ".eE" and len(self._text) - end < 32)  # a number's
                if not cut or self._ended:
                    break
            except json.JSONDecodeError as error:
                unclosed = error.msg.startswith("Unterminated string")
                cut = unclosed or error.pos > len(self._text) - 32
                if self._ended or not cut:
                    at = self._start + min(error.pos, len(self._text))
                    ends = unclosed or error.pos > len(self._text) - 6
                    raise FileError("annotation file is cut off" if ends else "annotation file is not JSON",
                                    got=f"{error.msg[0].lower()}{error.msg[1:]} at byte {at}",
                                    expected="an array or object to its closing bracket" if ends else None,
                                    where=self.path, do=AGAIN) from None
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
                raise FileError("annotation file cannot be parsed", got=error, where=f"{self.path}: byte {self._start}",
                                do=AGAIN) from None
            if len(self._text) - self._at > LARGEST:
                raise FileError("one element of the annotation file is too large", got=f"over {LARGEST} bytes",
                                expected="one picture or one annotation an element", where=self.path)
            self._more()
        piece = Piece(key, self._start + self._at, end - self._at, value, self._text[self._at:end])
        self._at = end
        return piece

    def _more(self) -> None:
        rest = self._text[self._at:]
        data = self._file.read(max(self.chunk, len(rest)))
        self._ended = not data
        self._sha.update(data)
        try:
            self._utf8.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise FileError("annotation file is not UTF-8 text", got=error.reason, where=self.path,
                            do="convert it, or fetch it again") from None
        self._bar.update(len(data))
        self._start += self._at
        self._text, self._at = rest + data.decode("latin-1"), 0

    def _wrong(self, got: str, expected: str) -> FileError:
        what = "annotation file is cut off" if got == "the end of the file" else "annotation file is not JSON"
        return FileError(what, got=f"{got} at byte {self._start + self._at}", expected=expected, where=self.path,
                         do=AGAIN)


def read_json(path: Path) -> tuple[Any, str]:
    """(the whole value, sha256) of a small JSON file, with the same errors as Stream."""
    stream = Stream(path)
    whole: Any = None
    for piece in stream:
        if stream.top == "array":
            whole = whole or []
            whole.append(piece.read())
        else:
            whole = whole or {}
            if stream.keys[piece.key] == "array":
                whole.setdefault(piece.key, []).append(piece.read())
            else:
                whole[piece.key] = piece.read()
    if stream.top == "object":
        whole = whole or {}
        for key, kind in stream.keys.items():
            if kind == "array":
                whole.setdefault(key, [])
    return whole if whole is not None else [], stream.hash


def missing_file(path: Path) -> FileError:
    """The FileError for an annotation file that is not there: says what lies beside it."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    there = sorted(p.name + "/" * p.is_dir() for p in folder.iterdir()) if folder.is_dir() else []
    seen = ", ".join(there[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else "") if there else "nothing"
    return FileError("annotation file does not exist", where=path, got=f"{seen} in {folder}",
                     do="check --root and the split")


def _bar(path: Path, size: int):
    from tqdm import tqdm

    return tqdm(total=size, unit="B", unit_scale=True, desc=f"reading {path.name}", leave=False,
                disable=None if size >= BAR else True)
