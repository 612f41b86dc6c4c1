"""Records as JSON-able data and back: one line of loupe's own layout."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path

from loupe.errors import FileError, RegionError
from loupe.image import Image
from loupe.plain import from_plain, to_plain
from loupe.record import Object, Phrase, Question, Record, Relation, Step, Turns, Word

LISTS = {"objects": Object, "phrases": Phrase, "relations": Relation, "questions": Question, "words": Word,
         "dialogues": Turns, "steps": Step}
DEFAULTS = {kind: {f.name: f.default for f in fields(kind)} for kind in (*LISTS.values(), Record)}


def to_stored(record: Record, picture: str) -> dict:
    """JSON-able; `picture` says where the picture lies, relative to the file. What has its default is left out."""
    data = {"picture": picture}
    for name, default in DEFAULTS[Record].items():
        value = getattr(record, name)
        if name == "image" or (value == default and default is not MISSING) or (name == "extra" and not value):
            continue
        data[name] = [_entry(entry) for entry in value] if name in LISTS else to_plain(value)
    return data


def _entry(entry) -> dict:
    known = DEFAULTS[type(entry)]
    return {name: to_plain(getattr(entry, name)) for name, default in known.items() if getattr(entry, name) != default}


def from_stored(data: dict, folder: Path, where: str = "") -> Record:
    """Inverse of `to_stored`; the picture's path is looked up from `folder`. Misshapen data is a FileError."""
    try:
        given = dict(data)
        image = Image(path=Path(folder) / given.pop("picture"))
        for name, value in given.items():
            kind = LISTS.get(name)
            if kind is not None and not isinstance(value, (list, tuple)):
                raise TypeError(f"{name} is no list")
            if kind is not None:
                given[name] = tuple(checked(kind(**{k: from_plain(v) for k, v in entry.items()})) for entry in value)
            else:
                given[name] = from_plain(value)
        record = checked(Record(image=image, **given))
        if record.width < 1 or record.height < 1:
            raise TypeError(f"a picture of {record.width} x {record.height}")
        return record
    except (TypeError, KeyError, AttributeError, RegionError) as error:
        raise FileError("a line is no record", got=repr(data)[:100], expected=f"keys of {', '.join(DEFAULTS[Record])}",
                        where=where, do=f"the value says: {error}") from None


def checked(value):
    """The value, if each of its fields holds what it says; else a TypeError."""
    for name, fit in _fits(type(value)):
        held = getattr(value, name)
        if not fit(held):
            raise TypeError(f"{type(value).__name__}.{name} holds {held!r}"[:100])
    return value


@functools.cache
def _fits(kind: type) -> tuple[tuple[str, Callable[[object], bool]], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((f.name, _fit(hints[f.name])) for f in fields(kind))


def _fit(hint) -> Callable[[object], bool]:
    """What tells whether a value is of this type, tuples and unions included."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        fits = [_fit(each) for each in inside]
        return lambda value: any(fit(value) for fit in fits)
    if origin is tuple and inside[-1] is ...:
        fit = _fit(inside[0])
        return lambda value: isinstance(value, tuple) and all(map(fit, value))
    if origin is tuple:
        fits = [_fit(each) for each in inside]
        return lambda value: (isinstance(value, tuple) and len(value) == len(fits)
                              and all(fit(v) for fit, v in zip(fits, value)))
    if hint is int:
        return lambda value: type(value) is int
    return lambda value: isinstance(value, hint)
