"""A described box: its candidate descriptions with everything that was measured of them, as values and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from loupe.errors import ConfigError, FileError, RegionError
from loupe.regions import Box


@dataclass(frozen=True)
class Candidate:
    """One description. None: the predictor cannot tell, or was not asked.

    margin, contrast: differences of log-probabilities (natural), the annotated box less its best rival; rivals are
    the other annotated boxes (and, for the margin, the box found), unless they overlap it by half.
    """

    text: str
    likelihood: float | None = None  # geometric mean probability of its tokens
    found: Box | None = None  # where it was found again
    iou: float = 0.0  # of `found` with the annotated box
    confidence: float | None = None  # geometric mean probability of the found box's tokens
    margin: float | None = None
    contrast: float | None = None
    checks: Mapping[str, float] = field(default_factory=dict)  # "wording-1", "flip", "crop-0", "second" -> IoU
    problem: str = ""  # why no box could be read


@dataclass(frozen=True)
class Pair:
    """One annotated box. The first candidate is what the plain method says, where that says anything (`plain`)."""

    record: str  # id of the Record
    object: str  # id of the Object
    name: str
    box: Box
    size: tuple[int, int]  # of the picture
    candidates: tuple[Candidate, ...]
    rivals: int = 0  # other annotated boxes that a description could be mistaken for
    picture: dict | None = None  # as `to_plain` writes it; None for pictures without a file
    plain: bool = True


def score(pair: Pair, candidate: Candidate, by: str) -> float | None:
    """One of SCORES, in 0..1; None where it is not known.

    A difference d of log-probabilities becomes 1 / (1 + exp(-d)), the annotated box's share against its best rival;
    1 where nothing rivals it.
    """
    if by in ("iou", "likelihood"):
        return getattr(candidate, by)
    if by in ("margin", "contrast"):
        value = getattr(candidate, by)
        return share(value) if value is not None else None
    if by == "agreement":
        return sum(candidate.checks.values()) / len(candidate.checks) if candidate.checks else None
    if by == "combined":
        known = [score(pair, candidate, each) for each in ("iou", "likelihood", "margin", "contrast", "agreement")]
        known = [value for value in known if value is not None]
        return sum(known) / len(known)
    raise ConfigError("no such score", got=repr(by))


def share(difference: float) -> float:
    """1 / (1 + exp(-difference)), without overflow."""
    small = math.exp(-abs(difference))
    return 1 / (1 + small) if difference >= 0 else small / (1 + small)


def best(pair: Pair, by: str = "iou") -> Candidate:
    """The candidate with the highest score; among equals the first. Unknown scores come last."""
    def rank(candidate: Candidate) -> float:
        value = score(pair, candidate, by)
        return -1.0 if value is None else value

    return max(pair.candidates, key=rank)


ALONE = 99.0  # stored where a margin was weighed and nothing rivals the box: its share is 1
DIGITS = 6


def to_line(pair: Pair) -> dict:
    """JSON-able; what has its default is left out."""
    data = {"record": pair.record, "object": pair.object, "name": pair.name, "box": _box(pair.box),
            "size": list(pair.size), "rivals": pair.rivals,
            "candidates": [_candidate(candidate) for candidate in pair.candidates]}
    data |= {} if pair.plain else {"plain": False}
    return data if pair.picture is None else {**data, "picture": pair.picture}


def from_line(data: Mapping, where: str = "") -> Pair:
    """Inverse of `to_line`; misshapen data is a FileError."""
    try:
        candidates = tuple(Candidate(**{**each, "found": Box(*each["found"]) if each.get("found") else None})
                           for each in data["candidates"])
        return Pair(data["record"], data["object"], data["name"], Box(*data["box"]), tuple(data["size"]), candidates,
                    data.get("rivals", 0), data.get("picture"), data.get("plain", True))
    except (TypeError, KeyError, RegionError) as error:
        raise FileError("a line is no pair", got=repr(data)[:100], where=where, do=f"the value says: {error}") from None


def _candidate(candidate: Candidate) -> dict:
    out = {}
    for each in fields(Candidate):
        value = getattr(candidate, each.name)
        if value is None or (value == each.default and each.name != "iou") or value == {}:
            continue
        if each.name == "found":
            value = _box(value)
        elif each.name == "checks":
            value = {name: round(v, DIGITS) for name, v in value.items()}
        elif isinstance(value, float):
            value = round(value, DIGITS)
        out[each.name] = value
    return out


def _box(box: Box) -> list[float]:
    return [round(float(v), DIGITS) for v in box.xyxy]
