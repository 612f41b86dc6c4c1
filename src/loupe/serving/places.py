"""Regions as JSON and back."""

from __future__ import annotations

import re

from loupe import contour
from loupe.errors import RegionError
from loupe.regions import Box, Mask, Point, Polygon, Region, clip
from loupe.sample import Found
from loupe.serving import schemas
from loupe.serving.faults import Refused

_RUNS = re.compile(r"(?:[P-o]{0,7}[0-O])+")  # no number of more than 40 bits
OUTLINE = 64  # corners of a mask that is given as a polygon, at most


def region_of(given, sizes: list[tuple[int, int]], param: str = "region") -> Region:
    """A region of `schemas` on pictures of these sizes (width, height), clipped to its picture."""
    if given.image >= len(sizes):
        raise Refused(400, "a region names a picture that is not there", got=given.image, param=param,
                      expected=f"0..{len(sizes) - 1}" if sizes else "a picture before the region")
    width, height = sizes[given.image]
    try:
        if isinstance(given, schemas.MaskRegion):
            return _mask(given, width, height)
        if isinstance(given, schemas.PointRegion):
            made: Region = Point(*given.point, given.image)
        elif isinstance(given, schemas.BoxRegion):
            made = Box(*given.box, given.image)
        else:
            made = Polygon(tuple(map(tuple, given.polygon)), given.image)
        return clip(made, width, height)
    except RegionError as error:
        raise Refused.of(error, param) from None


def _mask(given: schemas.MaskRegion, width: int, height: int) -> Mask:
    if given.mask.size != [height, width]:
        raise RegionError("a mask is of another size than its picture", got=given.mask.size,
                          expected=f"[height, width] = [{height}, {width}]")
    if not _RUNS.fullmatch(given.mask.counts):
        raise RegionError("these are no compressed run lengths", got=repr(given.mask.counts[:20]),
                          expected="COCO's compressed string")
    made = Mask.from_rle({"size": given.mask.size, "counts": given.mask.counts}, given.image)
    if not made.area:
        raise RegionError("a mask has no pixel", expected="at least one")
    return made


def readable(region: Region, kinds: frozenset[str]) -> tuple[Region, str | None]:
    """The region as a model whose codec writes `kinds` can be given it, and what was changed about it."""
    kind = type(region).__name__.lower()
    if kind in kinds:
        return region, None
    if "polygon" in kinds and isinstance(region, Mask):
        rings = contour.polygons(region)
        if rings is not None and len(rings) == 1 and len(rings[0].points) <= OUTLINE:
            return Polygon(rings[0].points, region.image), "a mask was given to the model as its outline"
    if "box" in kinds:
        return region.box, f"a {kind} was given to the model as its box"
    return region.box.centre, f"a {kind} was given to the model as its centre"


def plain(region: Region) -> dict:
    """A region as JSON."""
    if isinstance(region, Mask):
        return {"type": "mask", "mask": region.rle(), "image": region.image}
    if isinstance(region, Point):
        return {"type": "point", "point": [_round(region.x), _round(region.y)], "image": region.image}
    if isinstance(region, Box):
        return {"type": "box", "box": [_round(v) for v in region.xyxy], "image": region.image}
    return {"type": "polygon", "polygon": [[_round(x), _round(y)] for x, y in region.points], "image": region.image}


def found(each: Found, index: int, span: tuple[int, int] | None = None) -> dict:
    """A region of an answer as JSON."""
    score = None if each.score is None else min(max(float(each.score), 0.0), 1.0)
    return plain(each.region) | {"score": score, "phrase": each.phrase or None, "index": index,
                                 "span": list(span) if span else None}


def _round(value: float) -> float:
    return round(float(value), 3)
