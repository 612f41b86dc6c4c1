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
from loupe.record import Object, Phrase, Question, Record, Relation, Sentence, Step, Turns, Word
from loupe.regions import Box, Mask, Point, Polygon

LISTS = {"objects": Object, "phrases": Phrase, "relations": Relation, "questions": Question, "words": Word,
         "dialogues": Turns, "steps": Step, "sentences": Sentence}
SPELLED = {str: "a text", int: "a whole number", bool: "true or false", types.NoneType: "null",
           Box: '{"box": [x1, y1, x2, y2]}', Point: '{"point": [x, y]}', Polygon: '{"polygon": [[x, y], ...]}',
           Mask: '{"mask": {"size": [height, width], "counts": "..."}}'}
DEFAULTS = {kind: {f.name: f.default for f in fields(kind)} for kind in (*LISTS.values(), Record)}
NEEDED = {kind: {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
          for kind in DEFAULTS}


def to_stored(record: Record, picture: str) -> dict:
    """JSON-able; `picture` says where the picture lies, relative to the file. What has its default is left out."""
    data = {"picture": picture} if record.image.upright else {"picture": picture, "upright": False}
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
    place = ""
    try:
        given = dict(data)
        image = Image(path=Path(folder) / given.pop("picture"), upright=given.pop("upright", True))
        for name, value in given.items():
            if name not in LISTS:
                given[name] = from_plain(value)
                continue
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"{name} is no list")
            made = []
            for k, entry in enumerate(value):
                place = f": {name}[{k}]"
                made.append(_made(LISTS[name], {key: from_plain(held) for key, held in entry.items()}))
            given[name], place = tuple(made), ""
        record = _made(Record, {"image": image, **given})
        if record.width < 1 or record.height < 1:
            raise TypeError(f"a picture of {record.width} x {record.height}")
        return record
    except (TypeError, KeyError, AttributeError, RegionError, FileError) as error:
        raise FileError("a line is no record", got=error, where=f"{where}{place}",
                        do="docs/own-data.md says how a record is written") from None


def _made(kind, given: dict):
    """The value of these fields; a TypeError that says which of them is missing, strange or of another type."""
    if not given.keys() <= DEFAULTS[kind].keys():
        strange = next(name for name in given if name not in DEFAULTS[kind])
        known = ", ".join("picture" if field == "image" else field for field in DEFAULTS[kind])
        raise TypeError(f"{kind.__name__} with a strange key {strange!r} (known: {known})")
    if not given.keys() >= NEEDED[kind]:
        raise TypeError(f"{kind.__name__} without {', '.join(sorted(NEEDED[kind] - given.keys()))}")
    return checked(kind(**given))


def checked(value):
    """The value, if each of its fields holds what it says; else a TypeError."""
    for name, fit, said in _fits(type(value)):
        held = getattr(value, name)
        if not fit(held):
            raise TypeError(f"{type(value).__name__}.{name} = {held!r:.60}, where {said} is expected")
    return value


@functools.cache
def _fits(kind: type) -> tuple[tuple[str, Callable[[object], bool], str], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((f.name, _fit(hints[f.name]), _said(hints[f.name])) for f in fields(kind))


def _said(hint) -> str:
    """How a value of this type stands in a line."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_said, inside))
    if origin is tuple:
        return f"[{_said(inside[0])}, ...]" if inside[-1] is ... else f"[{', '.join(map(_said, inside))}]"
    return SPELLED.get(hint, hint.__name__)


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
