"""MMBench: questions with options and the picture inside the line, tab-separated. For evaluation only."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from loupe.errors import FileError, ImageError
from loupe.image import Image
from loupe.readers.base import Note, Reader, words
from loupe.readers.stream import missing_file
from loupe.record import Question, Record

LETTERS = "ABCD"
REFERENCE = 64  # a shorter picture is the index of the line that holds it
NEEDED = ("index", "question", "A", "B", "image")
LONGEST = 1 << 30  # characters of a field


class MMBench(Reader):
    """`MMBench(root, "dev_en")` reads MMBench_DEV_EN.tsv (mmbench_dev_en.tsv, dev_en.tsv).

    Columns index, question, hint, A to D, answer, category, l2-category, image (base64). A line without an answer (the
    test split) is counted and left out. Only the places of lines stay in memory.
    """

    source = "mmbench"
    evaluation_only = True

    def __init__(self, root, split: str = "dev_en", *, file=None, images=None, missing: str = "drop"):
        super().__init__(root, split or "dev_en", images=images, missing=missing)
        self.path = self._file(file)
        digest = hashlib.sha256()
        rows = _rows(self.path, digest)
        _, _, head = next(rows, (0, 0, b""))
        self._columns = _fields(head, self.path, 0)
        lacking = [name for name in NEEDED if name not in self._columns]
        if lacking:
            raise FileError("this is no file of MMBench", got=", ".join(self._columns)[:120] or "nothing",
                            expected=f"columns {', '.join(NEEDED)}", where=self.path,
                            do=f"missing: {', '.join(lacking)}")
        self._at, kept, row = {}, [], head
        for at, size, row in rows:
            entry = self._entry(row, at)
            if entry is not None and self._usable(entry):
                kept.append(entry["index"])
            if entry is not None:
                self._at.setdefault(entry["index"], (at, size))
        if not row.endswith(b"\n"):
            self._whole(row)
        self._order = list(dict.fromkeys(kept))
        for _ in range(len(kept) - len(self._order)):
            self.note("index given twice", self.path.name)
        self._digests[self.path.name] = digest.hexdigest()
        self._ready(len(self._order))

    def _folders(self) -> list[Path]:
        return [self.root]

    def _compare_sizes(self) -> None:
        """Sizes stand in no column."""

    def _file(self, file) -> Path:
        names = [file] if file else [f"MMBench_{self.split.upper()}.tsv", f"mmbench_{self.split.lower()}.tsv",
                                     f"{self.split}.tsv"]
        found = next((p for name in names for p in (self.root / name, Path(name)) if p.is_file()), None)
        if found is None:
            raise missing_file(self.root / names[0])
        return found

    def _entry(self, row: bytes, at: int) -> dict[str, str] | None:
        values = _fields(row, self.path, at)
        if len(values) != len(self._columns):
            self.note("line with another number of fields", f"byte {at}: {len(values)}")
            return None
        entry = dict(zip(self._columns, values))
        entry["index"] = words(entry["index"])
        return entry

    def _whole(self, last: bytes) -> None:
        """A last line without an end may be cut; the picture, which stands last, tells."""
        values = _fields(last, self.path, 0)
        try:
            if len(values) == len(self._columns) and values[-1:] != self._columns[-1:]:
                Image(data=base64.b64decode(values[self._columns.index("image")], validate=True)).array()
                return
        except (ValueError, ImageError):
            pass
        raise FileError("the file is cut", got=f"a last line of {len(values)} fields without an end",
                        expected="a line end", where=self.path, do="fetch the file again")

    def _usable(self, entry: dict[str, str]) -> bool:
        if not entry["index"] or not words(entry["question"]) or not entry["image"].strip():
            self.note("line without index, question or picture", entry["index"] or entry["question"][:40])
            return False
        options = _options(entry)
        answer = words(entry.get("answer", "")).upper()
        if not answer or answer == "NAN":
            self.note("question without an answer", entry["index"])
            return False
        if len(options) < 2 or answer not in options:
            self.note("answer is none of the options", entry["index"])
            return False
        return True

    def _read_row(self, index: str) -> dict[str, str]:
        at, size = self._at[index]
        with open(self.path, "rb") as file:
            file.seek(at)
            return dict(zip(self._columns, _fields(file.read(size), self.path, at)))

    def _record(self, i: int, note: Note) -> Record:
        index = self._order[i]
        entry = self._read_row(index)
        raw, holder = entry["image"].strip(), index
        if len(raw) <= REFERENCE and raw in self._at:
            holder, raw = raw, self._read_row(raw)["image"].strip()
        try:
            image = Image(data=base64.b64decode(raw, validate=True))
        except (ValueError, binascii.Error) as error:
            raise ImageError("picture is no base64", got=str(error), where=f"{self.path}: index {holder}") from None
        options, hint = _options(entry), words(entry.get("hint", ""))
        text = f"{hint} {words(entry['question'])}" if hint and hint.lower() != "nan" else words(entry["question"])
        topics = tuple(words(entry[c]) for c in ("l2-category", "category") if words(entry.get(c, "")))
        right = options[words(entry["answer"]).upper()]
        question = Question(text, (right,), index, options=tuple(options.values()), topics=topics)
        return Record(image, *image.size, index, self.source, self.split, questions=(question,))


def _options(entry: dict[str, str]) -> dict[str, str]:
    """The letters that have a text, up to the first that has none."""
    out: dict[str, str] = {}
    for letter in LETTERS:
        text = words(entry.get(letter, ""))
        if not text or text.lower() == "nan":
            break
        out[letter] = text
    return out


def _rows(path: Path, digest) -> Iterator[tuple[int, int, bytes]]:
    """(first byte, length, bytes) of every row; a quoted field may go over several lines."""
    at, begun, parts, open_quote = 0, 0, [], False
    try:
        with open(path, "rb") as file:
            for line in file:
                parts.append(line)
                digest.update(line)
                at += len(line)
                open_quote ^= line.count(b'"') % 2 == 1
                if not open_quote:
                    row = b"".join(parts)
                    if row.strip():
                        yield begun, at - begun, row
                    begun, parts = at, []
    except OSError as error:
        raise FileError("cannot read annotation file", got=error.strerror, where=path) from None
    if parts:
        raise FileError("a quoted field does not end", got="the end of the file", where=f"{path}: byte {begun}",
                        do="fetch the file again")


def _fields(row: bytes, path: Path, at: int) -> list[str]:
    limit = csv.field_size_limit(LONGEST)
    try:
        return next(csv.reader(io.StringIO(row.decode("utf-8"), newline=""), delimiter="\t"), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError("a line cannot be read", got=error, where=f"{path}: byte {at}", expected="UTF-8, tabs",
                        do="fetch the file again") from None
    finally:
        csv.field_size_limit(limit)

