"""Values as JSON-able data and back: regions, colours, turns, samples, answers, pictures.

`from_plain(to_plain(value)) == value`. Sequences come back as tuples. A plain dictionary (in `Sample.extra`) that
looks like one of the values is kept apart as {"dict": {...}}.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from loupe.errors import FileError, RegionError
from loupe.image import Image
from loupe.regions import Box, Colour, Mask, Point, Polygon
from loupe.sample import Answer, Found, ImageMark, Problem, Regions, Sample, Turn

Roots = Path | str | Mapping[str, "Path | str"] | None

# signature key -> all keys such a dictionary may have
KEYS = {
    "box": {"box", "image"},
    "point": {"point", "image"},
    "polygon": {"polygon", "image"},
    "mask": {"mask", "image"},
    "colour": {"colour"},
    "image_mark": {"image_mark"},
    "regions": {"regions", "phrase"},
    "role": {"role", "parts"},
    "turns": {"images", "turns", "task", "id", "record", "extra", "canvas"},
    "found": {"found", "score", "phrase"},
    "problem": {"problem", "text", "at", "expected", "repair"},
    "parts": {"parts", "problems", "raw", "score"},
    "path": {"path", "root", "upright", "stated"},
    "data": {"data", "upright", "stated"},
    "dict": {"dict"},
}


def to_plain(value, root: Roots = None):
    """JSON-able data. Picture paths become relative to `root` (a folder, or folders by name) where they lie in it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        plain = {str(k): to_plain(v, root) for k, v in value.items()}
        return {"dict": plain} if _signature(plain) else plain
    if isinstance(value, (list, tuple, np.ndarray)):
        return [to_plain(v, root) for v in value]
    for kind, write in _WRITE.items():
        if isinstance(value, kind):
            return write(value, root)
    raise TypeError(f"to_plain does not know {type(value).__name__}")


def from_plain(data, root: Roots = None):
    """The value `to_plain` wrote; relative picture paths are looked up in `root`. Misshapen data is a FileError."""
    if isinstance(data, (list, tuple)):
        return tuple(from_plain(v, root) for v in data)
    if not isinstance(data, dict):
        return data
    key = _signature(data)
    if not key:
        return {k: from_plain(v, root) for k, v in data.items()}
    try:
        return _READ[key](data, root)
    except RegionError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, binascii.Error) as error:
        raise FileError(f"cannot read a stored {key}", got=repr(data)[:120], expected=f"keys {sorted(KEYS[key])}",
                        do=f"the value says: {error}") from None


def _signature(data: Mapping) -> str:
    keys = data.keys()
    return next((name for name, allowed in KEYS.items() if name in keys and keys <= allowed), "")


def _numbers(values) -> list:
    return [v.item() if isinstance(v, np.generic) else v for v in values]


def _placed(plain: dict, region) -> dict:
    return {**plain, "image": region.image} if region.image else plain


def _image(image: Image, root: Roots) -> dict:
    if image.data is not None:
        plain = {"data": base64.b64encode(image.data).decode()}
    else:
        plain = _path(image.path, root)
    if image.stated is not None:
        plain["stated"] = list(image.stated)
    return plain if image.upright else {**plain, "upright": False}


def _path(path: Path, root: Roots) -> dict:
    """The deepest root that holds the path wins; a path in none stays as it is."""
    named = root if isinstance(root, Mapping) else {"": root} if root else {}
    full, best = os.path.abspath(path), None
    for name, folder in named.items():
        start = os.path.join(os.path.abspath(folder), "")
        if full.startswith(start) and (best is None or len(start) > len(best[1])):
            best = name, start
    if best is None:
        return {"path": str(path)}
    plain = {"path": Path(full[len(best[1]):]).as_posix()}
    return {**plain, "root": best[0]} if best[0] else plain


def _sample(sample: Sample, root: Roots) -> dict:
    plain = {"images": to_plain(sample.images, root), "turns": to_plain(sample.turns, root)}
    plain |= {k: getattr(sample, k) for k in ("task", "id", "record") if getattr(sample, k)}
    if sample.extra:
        plain["extra"] = to_plain(sample.extra, root)
    if sample.canvas:
        plain["canvas"] = list(sample.canvas)
    return plain


def _answer(answer: Answer, root: Roots) -> dict:
    plain = {"parts": to_plain(answer.parts, root), "raw": answer.raw}
    if answer.problems:
        plain["problems"] = to_plain(answer.problems, root)
    return plain if answer.score is None else {**plain, "score": float(answer.score)}


def _found(found: Found, root: Roots) -> dict:
    plain = {"found": to_plain(found.region)}
    if found.score is not None:
        plain["score"] = float(found.score)
    return {**plain, "phrase": found.phrase} if found.phrase else plain


def _problem(problem: Problem, root: Roots) -> dict:
    plain = {"problem": problem.kind, "text": problem.text, "at": problem.at, "expected": problem.expected}
    return plain if problem.repair is None else {**plain, "repair": to_plain(problem.repair)}


_WRITE = {
    Box: lambda v, root: _placed({"box": _numbers(v.xyxy)}, v),
    Point: lambda v, root: _placed({"point": _numbers((v.x, v.y))}, v),
    Polygon: lambda v, root: _placed({"polygon": [_numbers(p) for p in v.points]}, v),
    Mask: lambda v, root: _placed({"mask": v.rle()}, v),
    Colour: lambda v, root: {"colour": _numbers((v.r, v.g, v.b))},
    ImageMark: lambda v, root: {"image_mark": v.image},
    Regions: lambda v, root: {"regions": to_plain(v.regions)} | ({"phrase": v.phrase} if v.phrase else {}),
    Turn: lambda v, root: {"role": v.role, "parts": to_plain(v.parts, root)},
    Image: _image,
    Sample: _sample,
    Answer: _answer,
    Found: _found,
    Problem: _problem,
    Path: lambda v, root: str(v),
}


def _read_path(data: dict, root: Roots) -> Image:
    path, name = Path(data["path"]), data.get("root", "")
    folder = root.get(name) if isinstance(root, Mapping) else None if name else root
    if name and folder is None:
        raise FileError("no folder is given for stored pictures", got=f"root {name!r}", where=data["path"],
                        do=f"pass --root {name}=FOLDER")
    return Image(path=Path(folder) / path if folder else path, **_seen(data))


def _seen(data: dict) -> dict:
    """What decides whether a stored picture is turned."""
    stated = data.get("stated")
    return {"upright": data.get("upright", True), "stated": None if stated is None else tuple(stated)}


_READ = {
    "box": lambda d, root: Box(*d["box"], image=d.get("image", 0)),
    "point": lambda d, root: Point(*d["point"], image=d.get("image", 0)),
    "polygon": lambda d, root: Polygon(tuple(map(tuple, d["polygon"])), d.get("image", 0)),
    "mask": lambda d, root: Mask.from_rle(d["mask"], d.get("image", 0)),
    "colour": lambda d, root: Colour(*d["colour"]),
    "image_mark": lambda d, root: ImageMark(d["image_mark"]),
    "regions": lambda d, root: Regions(from_plain(d["regions"]), d.get("phrase", "")),
    "role": lambda d, root: Turn(d["role"], from_plain(d["parts"], root)),
    "turns": lambda d, root: Sample(from_plain(d.get("images", ()), root), from_plain(d["turns"], root),
                                    d.get("task", ""), d.get("id", ""), d.get("record", ""),
                                    from_plain(d.get("extra", {}), root),
                                    tuple(d["canvas"]) if "canvas" in d else None),
    "found": lambda d, root: Found(from_plain(d["found"]), d.get("score"), d.get("phrase", "")),
    "problem": lambda d, root: Problem(d["problem"], d["text"], d["at"], d.get("expected", ""),
                                       from_plain(d.get("repair"))),
    "parts": lambda d, root: Answer(from_plain(d["parts"], root), from_plain(d.get("problems", ()), root),
                                    d.get("raw", ""), d.get("score")),
    "path": _read_path,
    "data": lambda d, root: Image(data=base64.b64decode(d["data"], validate=True), **_seen(d)),
    "dict": lambda d, root: {k: from_plain(v, root) for k, v in d["dict"].items()},
}
