"""Which pictures and boxes are described at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loupe.bootstrapping.settings import Settings
from loupe.errors import ImageError, LoupeError
from loupe.record import Object, Record

MANY = "picture with too many objects"
NONE, CROWD, SMALL = "picture without boxes", "box around many", "box too small"
DAMAGED, NOTHING = "picture does not decode", "picture with no box to describe"


@dataclass(frozen=True)
class Work:
    """A picture with the boxes that are to be described; `reason` says why it is left out as a whole."""

    index: int  # of the record in its reader
    record: Record
    objects: tuple[Object, ...] = ()
    left_out: Counter = field(default_factory=Counter)  # boxes by reason
    reason: str = ""


def unreadable(error: LoupeError | OSError) -> str:
    """Why a record could not be read, as it is counted."""
    what = error.what if isinstance(error, LoupeError) else type(error).__name__
    return DAMAGED if isinstance(error, ImageError) else f"record cannot be read: {what}"


def work(index: int, record: Record, settings: Settings) -> Work:
    if not record.objects:
        return Work(index, record, reason=NONE)
    if len(record.objects) > settings.most_objects:
        return Work(index, record, left_out=Counter({MANY: len(record.objects)}), reason=MANY)
    least = settings.least(record.width, record.height)
    left_out: Counter[str] = Counter()
    chosen = []
    for thing in record.objects:
        if thing.crowd:
            left_out[CROWD] += 1
        elif thing.box.area < least:
            left_out[SMALL] += 1
        else:
            chosen.append(thing)
    return Work(index, record, tuple(chosen), left_out, "" if chosen else NOTHING)
