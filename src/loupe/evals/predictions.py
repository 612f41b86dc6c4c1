"""Predictions as JSON lines: a header, then a line per question, written as they come, gone on with after a stop."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loupe.errors import FileError
from loupe.image import Image
from loupe.plain import Roots, from_plain, to_plain
from loupe.regions import Box, Mask, Point, Polygon, Region
from loupe.sample import Answer, Part, Sample

KIND, VERSION = "predictions", 1
SAME = ("benchmark", "model", "questions")  # what a file must agree on to be gone on with


@dataclass(frozen=True)
class Prediction:
    """One question with its truth and what was answered."""

    id: str
    question: tuple[Part, ...]  # parts of the user's turn
    truth: object  # region, text, or a tuple of them
    answer: Answer
    images: tuple[dict, ...] = ()  # as `to_plain` writes them
    extra: dict = field(default_factory=dict)

    @property
    def regions(self) -> tuple[Region, ...]:
        many = self.truth if isinstance(self.truth, tuple) else (self.truth,)
        return tuple(t for t in many if isinstance(t, (Box, Point, Polygon, Mask)))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every wording that is right."""
        many = self.truth if isinstance(self.truth, tuple) else (self.truth,)
        return tuple(dict.fromkeys(t for t in (*many, *self.extra.get("references", ())) if isinstance(t, str)))

    def pictures(self, roots: Roots = None) -> tuple[Image, ...]:
        """The pictures asked about; needs the same roots as the evaluation."""
        return from_plain(self.images, roots)


def prediction(sample: Sample, answer: Answer, roots: Roots = None) -> Prediction:
    extra = {k: v for k, v in sample.extra.items() if k != "truth"}
    return Prediction(sample.id, sample.turns[-1].parts, sample.extra.get("truth"), answer,
                      tuple(to_plain(sample.images, roots)), extra)


def fingerprint(samples: Iterable[Sample]) -> str:
    """sha256 over ids, words and truths of all questions: changed wordings or data are another evaluation."""
    digest = hashlib.sha256()
    for s in samples:
        digest.update(json.dumps([s.id, to_plain(s.turns), to_plain(s.extra.get("truth"))]).encode())
    return digest.hexdigest()[:32]


def to_line(p: Prediction) -> str:
    data = {"id": p.id, "images": list(p.images), "question": to_plain(p.question), "truth": to_plain(p.truth),
            "answer": to_plain(p.answer)}
    if p.extra:
        data["extra"] = to_plain(p.extra)
    return json.dumps(data, ensure_ascii=False)


def from_line(line: str, where: str = "") -> Prediction:
    data = _json(line, where)
    missing = [k for k in ("id", "question", "truth", "answer") if k not in data]
    if missing:
        raise FileError("a prediction lacks keys", got=sorted(data), expected=", ".join(missing), where=where)
    answer = from_plain(data["answer"])
    if not isinstance(answer, Answer):
        raise FileError("a prediction's answer is none", got=repr(data["answer"])[:80], where=where)
    return Prediction(data["id"], from_plain(data["question"]), from_plain(data["truth"]), answer,
                      tuple(data.get("images", ())), from_plain(data.get("extra", {})))


def read(path: str | os.PathLike) -> tuple[dict, list[Prediction]]:
    """(header, predictions). A last line torn by a kill is left out; any other bad line is a FileError."""
    path = Path(path)
    lines = list(_whole_lines(path))
    if not lines:
        raise FileError("predictions are empty", where=path, expected="a header line and one line per question",
                        do="run `loupe evaluate` again")
    return _header(lines[0], path), [from_line(line, f"{path}:{k}") for k, line in enumerate(lines[1:], 2)]


class Writer:
    """Appends predictions to a file, going on where an earlier run of the same questions and model stopped.

    done: what the file holds already, by id. A file of another model or other questions is a FileError.
    """

    def __init__(self, path: str | os.PathLike, header: Mapping):
        self.path = Path(path)
        self.done: dict[str, Prediction] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.header = header = json.loads(json.dumps({"loupe": KIND, "version": VERSION, **header}))
        if self.path.exists() and self.path.stat().st_size:
            self._mend()
        if self.path.exists() and self.path.stat().st_size:
            known, predictions = read(self.path)
            check_same(known, header, self.path)
            self.done = {p.id: p for p in predictions}
            self._file = self.path.open("a", encoding="utf-8")
        else:
            self._file = self.path.open("w", encoding="utf-8")
            self._put(json.dumps(header, ensure_ascii=False))

    def write(self, p: Prediction) -> None:
        self._put(to_line(p))
        self.done[p.id] = p

    def restart(self) -> None:
        """Forget what the file holds."""
        self.done.clear()
        self._file.seek(0)
        self._file.truncate()
        self._put(json.dumps(self.header, ensure_ascii=False))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def _put(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()

    def _mend(self) -> None:
        """Cut a last line that a kill tore."""
        size = sum(len(line.encode()) + 1 for line in _whole_lines(self.path))
        if size > self.path.stat().st_size:  # whole, but for its line end
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")
        elif size < self.path.stat().st_size:
            os.truncate(self.path, size)


def check_same(known: Mapping, header: Mapping, path: Path) -> None:
    """FileError unless the header `known`, of the file, is of the same model and questions as `header`."""
    for key in SAME:
        if known.get(key) != header.get(key):
            raise FileError("these predictions are of another run", where=path,
                            got=f"{key} {_short(known.get(key))}", expected=_short(header.get(key)),
                            do="give another --out, or delete the file to start again")


def _whole_lines(path: Path) -> Iterator[str]:
    """Lines that end, and a last one that does not but is whole JSON."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileError("predictions do not exist", where=path, do="check the path") from None
    except OSError as error:
        raise FileError("cannot read predictions", got=error.strerror, where=path) from None
    *lines, last = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileError("predictions are not UTF-8 text", got=error.reason, where=f"{path}:{number}") from None
    try:
        text = last.decode("utf-8")
        json.loads(text)
    except ValueError:  # torn, or nothing
        return
    yield text


def _json(line: str, where: str) -> dict:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise FileError("a line is not JSON", got=f"{line[:60]!r} ({error})", where=where,
                        do="delete that line; `loupe evaluate` answers its question again") from None
    if not isinstance(data, dict):
        raise FileError("a line is no prediction", got=type(data).__name__, expected="an object", where=where)
    return data


def _header(line: str, path: Path) -> dict:
    header = _json(line, f"{path}:1")
    if header.get("loupe") != KIND:
        raise FileError("this is no file of predictions", got=line[:60], where=f"{path}:1",
                        expected='a header {"loupe": "predictions", ...}',
                        do="another tool's answers are scored with --benchmark NAME --root DATA")
    if header.get("version") != VERSION:
        raise FileError("predictions of another version", got=header.get("version"), expected=VERSION, where=path)
    return header


def _short(value) -> str:
    text = json.dumps(value) if not isinstance(value, str) else value
    return text if len(text) <= 160 else text[:157] + "..."
