"""Records as JSON-able data and back: one line of loupe's own layout."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

from loupe.errors import FileError, RegionError
from loupe.image import Image
from loupe.plain import from_plain, to_plain
from loupe.record import Object, Phrase, Question, Record, Relation, Turns, Word

LISTS = {"objects": Object, "phrases": Phrase, "relations": Relation, "questions": Question, "words": Word,
         "dialogues": Turns}
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
            if kind is not None:
                given[name] = tuple(kind(**{k: from_plain(v) for k, v in entry.items()}) for entry in value)
            else:
                given[name] = from_plain(value)
        return Record(image=image, **given)
    except (TypeError, KeyError, AttributeError, RegionError) as error:
        raise FileError("a line is no record", got=repr(data)[:100], expected=f"keys of {', '.join(DEFAULTS[Record])}",
                        where=where, do=f"the value says: {error}") from None
