"""Lists of objects as answers, in three kinds: their boxes, their names, or both (box then name, alternating)."""

from __future__ import annotations

from loupe.errors import ConfigError
from loupe.record import Object
from loupe.sample import Part, Regions
from loupe.tasks.base import NONE

KINDS = ("boxes", "names", "both")


def listed(objects: list[Object], kind: str) -> tuple[tuple[Part, ...], tuple]:
    """(parts of the answer, truth) of objects already in order; `NONE` is said when there are none."""
    boxes, names = tuple(o.box for o in objects), tuple(o.name for o in objects)
    if kind == "boxes":
        answer: list[Part] = [Regions(boxes)]
        truth: tuple = boxes
    elif kind == "names":
        answer, truth = [", ".join(names)], names
    else:
        answer, truth = [], tuple(v for pair in zip(boxes, names) for v in pair)
        for k, (box, name) in enumerate(zip(boxes, names), 1):
            answer += [Regions((box,)), f" {name} " if k < len(names) else f" {name}"]
    return tuple(answer) if objects else (NONE,), truth


def check_kinds(kinds: tuple[str, ...], known: tuple[str, ...] = KINDS) -> None:
    if not kinds or any(kind not in known for kind in kinds):
        raise ConfigError("unknown kind of list", got=repr(kinds), expected=f"some of {known}")
