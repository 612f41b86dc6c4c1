"""How a region is given: a point, a box or a polygon (ChatSpot §3.2: any number of points), whichever was annotated."""

from __future__ import annotations

import numpy as np

from loupe.record import Record
from loupe.regions import Box, Mask, Point, Polygon, Region, contains
from loupe.tasks.drawn import check_some, fixed, shuffled
from loupe.tasks.outlines import CORNERS, simplified
from loupe.tasks.view import view

FORMS = ("point", "box", "polygon")
AS_IT_IS = ""  # the region as annotated
INNER = 0.5  # of a box's width and height, around its centre: where a point that stands for the box falls
TRIES = 20


def check_forms(forms: tuple[str, ...]) -> None:
    """Names of FORMS; none at all leaves regions as they are annotated."""
    if forms:
        check_some("form of region", forms, FORMS)


def form_of(region: Region) -> str:
    """"point", "box" or "polygon" (masks count as polygons)."""
    return "point" if isinstance(region, Point) else "box" if isinstance(region, Box) else "polygon"


def given(record: Record, region: Region, form: str, rng: np.random.Generator, about: str = "",
          point: Point | None = None) -> Region | None:
    """`region` in that form; None where it has none. `about`: id of its object; `point`: a place annotated for it."""
    if form == AS_IT_IS or (form == form_of(region) and not isinstance(region, Mask)):
        return region
    known = view(record)
    thing = known.by_id.get(about)
    if form == "point":
        if point is not None:
            return point
        return known.outlines.point(thing, rng) if thing is not None else inside(region, rng)
    if isinstance(region, Point):
        return None
    if form == "box":
        return region.box
    return known.outlines.polygon(thing) if thing is not None and isinstance(region, Box) else corners(region)


def drawn(record: Record, region: Region, forms: tuple[str, ...], rng: np.random.Generator, about: str = "",
          point: Point | None = None) -> tuple[str, Region] | None:
    """(form, region) in the first of `forms`, drawn at random, that this region has."""
    for form in shuffled(forms, rng) if forms else (AS_IT_IS,):
        found = given(record, region, form, rng, about, point)
        if found is not None:
            return form, found
    return None


def each(record: Record, region: Region, forms: tuple[str, ...], key: str, about: str = "",
         point: Point | None = None) -> list[tuple[str, Region]]:
    """Every form this region has, the same on every call: for evaluation."""
    found = ((form, given(record, region, form, fixed(record, key, form), about, point))
             for form in forms or (AS_IT_IS,))
    return [(form, shown) for form, shown in found if shown is not None]


def inside(region: Region, rng: np.random.Generator) -> Point:
    """A place in the inner half of a box; on an outline, if a few tries find one, else its centre."""
    box = region.box
    for _ in range(TRIES):
        x, y = ((1 - INNER) / 2 + INNER * rng.random(2)).tolist()
        point = Point(box.x1 + x * box.width, box.y1 + y * box.height, box.image)
        if isinstance(region, Box) or contains(region, point):
            return point
    return box.centre


def corners(region: Region) -> Polygon | None:
    """A box's four corners, an outline with few corners."""
    if isinstance(region, Polygon):
        return region if len(region.points) <= CORNERS else simplified(region.points)
    box = region.box
    if not box.area > 0:
        return None
    return Polygon(((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2)), box.image)
