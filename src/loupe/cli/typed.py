"""Regions in typed text: @box(40,60,210,300), @point(x,y), @polygon(...), on the second picture @2:box(...)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loupe.errors import RegionError, unknown_name
from loupe.regions import Box, Point, Polygon, Region

_REGION = re.compile(r"@(?:(\d{1,4}):)?(\w+)\(([^()]*)\)")
_OPEN = re.compile(r"@(?:\d+:)?(?:box|point|polygon)\b.*")
KINDS = {"box": 4, "point": 2, "polygon": None}


def parts_of(text: str, pictures: int | None = None) -> list[str | Region]:
    """Text with @box(...) and its like -> text and regions. pictures: how many there are, where that is known.

    >>> parts_of("What is in @box(1, 2, 3, 4)?")
    ['What is in ', Box(x1=1.0, y1=2.0, x2=3.0, y2=4.0, image=0), '?']
    """
    parts: list[str | Region] = []
    at = 0
    for match in _REGION.finditer(text):
        parts += [text[at:match.start()], _region(*match.groups(), match.group(), pictures)]
        at = match.end()
    parts = [part for part in (*parts, text[at:]) if part != ""]
    for part in parts:
        if isinstance(part, str) and (torn := _OPEN.search(part)):
            raise RegionError("a region is not closed", got=torn.group(), expected="@box(x1,y1,x2,y2)", where=text)
    return parts


def inside(parts: Sequence[str | Region], sizes: Sequence[tuple[int, int]]) -> tuple[str | Region, ...]:
    """The same parts, whose regions lie on pictures of these sizes; a RegionError for one that lies outside its
    picture, or whose coordinates are shares of it."""
    for region in parts:
        if isinstance(region, str):
            continue
        (width, height), box = sizes[region.image], region.box
        picture = f"pixels of a picture of {width} x {height}"
        if not isinstance(region, Point) and max(box.xyxy) <= 1:
            raise RegionError("a region of less than a pixel", got=spelled(region, 4), expected=picture,
                              do="multiply shares by width and height")
        if box.x1 >= width or box.y1 >= height or box.x2 < 0 or box.y2 < 0:
            raise RegionError("a region outside its picture", got=spelled(region), expected=picture)
    return tuple(parts)


def _region(number: str | None, kind: str, inside: str, where: str, pictures: int | None) -> Region:
    if kind not in KINDS:
        raise unknown_name("kind of region", kind, KINDS, where=where)
    image = int(number or 1) - 1
    if image < 0 or (pictures is not None and image >= pictures):
        raise RegionError("there is no such picture", got=number, expected=f"1 to {pictures or '...'}", where=where)
    try:
        numbers = [float(v) for v in inside.replace(",", " ").split()]
    except ValueError:
        raise RegionError("a coordinate is no number", got=inside, where=where, do="write pixels with commas") from None
    if KINDS[kind] not in (None, len(numbers)):
        raise RegionError(f"@{kind} takes {KINDS[kind]} numbers", got=len(numbers), where=where)
    if kind == "polygon":
        return Polygon.from_flat(numbers, image)
    return {"box": Box, "point": Point}[kind](*numbers, image)


def spelled(region: Region, digits: int = 1) -> str:
    """As one may type it again."""
    if isinstance(region, Point):
        numbers = (region.x, region.y)
    elif isinstance(region, Polygon):
        numbers = [v for point in region.points for v in point]
    else:
        numbers = region.box.xyxy
    kind = {Point: "point", Polygon: "polygon"}.get(type(region), "box")
    number = f"{region.image + 1}:" if region.image else ""
    return f"@{number}{kind}({','.join(_short(v, digits) for v in numbers)})"


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
