"""REFER's pickles, read without letting them do anything: plain containers, strings and numbers only."""

from __future__ import annotations

import hashlib
import io
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from loupe.errors import FileError
from loupe.readers.stream import missing_file


class _Plain(pickle.Unpickler):
    """No name is ever looked up, so nothing can be imported, called, reduced or built."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid):
        raise pickle.UnpicklingError("it refers to objects outside the file")


def read_pickle(path: Path) -> tuple[Any, str]:
    """(value, sha256 of the file). Python 2's byte strings become text: UTF-8 where they are, else Latin-1."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise missing_file(path) from None
    except OSError as error:
        raise FileError("cannot read annotation file", got=error.strerror, where=path) from None
    if not data:
        raise FileError("annotation file is empty", got="0 bytes", expected="a pickle of references", where=path,
                        do="fetch the file again")
    try:
        value = _Plain(io.BytesIO(data), encoding="latin1").load()
    except pickle.UnpicklingError as error:
        raise FileError("pickle is refused", got=error, expected="only lists, dictionaries, strings and numbers",
                        where=path, do="fetch the file again from a source you trust") from None
    except (EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError, ImportError, UnicodeError,
            OverflowError, MemoryError) as error:  # what the unpickler raises on damaged bytes
        raise FileError("pickle is damaged", got=f"{type(error).__name__}: {error}", where=path,
                        do="fetch the file again") from None
    return value, hashlib.sha256(data).hexdigest()


def as_text(text: object) -> str:
    """Single-spaced; bytes that were UTF-8 before Python 2 pickled them are UTF-8 again."""
    if not isinstance(text, str):
        return ""
    if not text.isascii():
        with suppress(UnicodeEncodeError, UnicodeDecodeError):
            text = text.encode("latin-1").decode("utf-8")
    return " ".join(text.split())
