"""Annotation files written piece by piece: memory stays bounded, and a file appears only when it is whole."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loupe.errors import FileError
from loupe.record import Record

ARRAY = object()  # stands in a Document's fields where the entries of a key go
MEMBERS = object()  # stands where (name, value) entries of a key go, as an object's members


@dataclass(frozen=True)
class Document:
    """One file to be written: an object with arrays and objects in it, or (no fields) one array or object; JSON, a
    pickle of a list, a JSON value a line, or a tar archive of (name, bytes)."""

    path: str  # relative to the root
    fields: tuple[tuple[str, object], ...] = ()
    pickled: bool = False
    lines: bool = False
    members: bool = False  # the file is one object of (name, value) entries
    tarred: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, value in self.fields if value in (ARRAY, MEMBERS)) or ("",)

    def named(self, key: str) -> bool:
        """Are the entries of this key members of an object?"""
        return dict(self.fields).get(key) is MEMBERS if self.fields else self.members


Entry = tuple[str, str, object]  # path of the document, key of the array, the value to append


class Layout(Protocol):
    documents: tuple[Document, ...]

    def entries(self, record: Record) -> Iterator[Entry]:
        """What one record adds; depends on nothing but the record, so any part of a data set can be written alone."""

    def pictures(self, record: Record) -> Iterator[str]:
        """Where the record's picture goes, relative to the root."""


@contextlib.contextmanager
def writing(path: Path, do: str = "free some space or choose another folder"):
    """Turn the system's refusals (full disk, permissions, a file where a folder should be) into a FileError."""
    try:
        yield
    except OSError as error:
        raise FileError("cannot write", got=error.strerror or error, where=error.filename or path, do=do) from None


_json = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def encode(document: Document, value: object, key: str = "") -> bytes:
    """One entry as it stands in its array or object, or on its line."""
    if document.lines:
        return _json(value).encode() + b"\n"
    if document.tarred:
        return member(*value)
    if not document.pickled:
        name, value = value if document.named(key) else ("", value)
        return b"," + (_json(name).encode() + b": " if document.named(key) else b"") + _json(value).encode()
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=2)
    pickler.fast = True  # no memo, so entries can be joined
    pickler.dump(value)
    return buffer.getvalue()[2:-1] + pickle.APPEND


def member(name: str, data: bytes) -> bytes:
    """A file as it stands in a tar archive: header, bytes, filled up to whole blocks."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def slots(documents: Iterable[Document]) -> dict[tuple[str, str], str]:
    """(path, key) of every array -> the name of its spool file."""
    keys = [(document.path, key) for document in documents for key in document.keys]
    return {slot: f"{number:03d}.part" for number, slot in enumerate(keys)}


class Spools:
    """Entries of many documents, each array in a temporary file of its own until all of them are known."""

    def __init__(self, documents: Iterable[Document], folder: Path):
        self.documents = {document.path: document for document in documents}
        self.folder = folder
        self._files: dict[tuple[str, str], io.BufferedIOBase] = {}
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for slot, name in slots(self.documents.values()).items():
                self._files[slot] = open(folder / name, "wb")  # noqa: SIM115 (closed by close())

    def add(self, entries: Iterable[Entry]) -> None:
        with writing(self.folder):
            for path, key, value in entries:
                self._files[path, key].write(encode(self.documents[path], value, key))

    def close(self) -> None:
        with writing(self.folder):
            for file in self._files.values():
                file.close()


def assemble(documents: Iterable[Document], folders: list[Path], root: Path) -> None:
    """Write every document from the spools in `folders`, in order; each appears under its name only when whole."""
    documents = list(documents)
    names = slots(documents)
    for document in documents:
        path = document.path
        with atomic(root / path) as out:
            if document.pickled:
                out.write(pickle.PROTO + b"\x02" + pickle.EMPTY_LIST)
                _copy(out, [folder / names[path, ""] for folder in folders], skip=0)
                out.write(pickle.STOP)
                continue
            if document.lines or document.tarred:
                _copy(out, [folder / names[path, ""] for folder in folders], skip=0)
                out.write(bytes(2 * tarfile.BLOCKSIZE if document.tarred else 0))
                continue
            for number, (key, value) in enumerate(document.fields or (("", ARRAY),)):
                if document.fields:
                    out.write((", " if number else "{").encode() + json.dumps(key).encode() + b": ")
                if value in (ARRAY, MEMBERS):
                    opening, closing = b"{}" if document.named(key) else b"[]"
                    out.write(bytes([opening]))
                    _copy(out, [folder / names[path, key] for folder in folders], skip=1)
                    out.write(bytes([closing]))
                else:
                    out.write(json.dumps(value).encode())
            out.write(b"}\n" if document.fields else b"\n")


def _copy(out, parts: list[Path], skip: int) -> None:
    """Append the parts, leaving out the first `skip` bytes of the first that holds any."""
    for part in parts:
        with open(part, "rb") as source:
            if os.fstat(source.fileno()).st_size:
                source.seek(skip)
                skip = 0
                shutil.copyfileobj(source, out, 1 << 20)


@contextlib.contextmanager
def atomic(path: Path):
    """A binary file that gets its name when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as out:
                yield out
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def picture(record: Record, path: Path) -> None:
    """The record's picture file as it is, hard linked when it lies on the same disk."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return
        if record.image.path is not None:
            link(record.image.path, path)
        else:
            path.write_bytes(record.image.bytes())


def link(source: Path, path: Path) -> None:
    """A hard link, or a copy where links cannot be made."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


def write(layouts: Iterable[Layout], records: Iterable[Record], root: Path | str, pictures: bool = True) -> int:
    """Write records in several layouts at once; returns how many."""
    root, layouts, count = Path(root), list(layouts), 0
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".parts-", dir=root))
    documents = [document for layout in layouts for document in layout.documents]
    try:
        spools = Spools(documents, folder)
        try:
            for record in records:
                for layout in layouts:
                    spools.add(layout.entries(record))
                    for path in layout.pictures(record) if pictures else ():
                        picture(record, root / path)
                count += 1
        finally:
            spools.close()
        assemble(documents, [folder], root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return count
