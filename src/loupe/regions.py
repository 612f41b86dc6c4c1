"""Regions of a picture as values: Point, Box, Polygon, Mask; and Colour. THE iou lives here.

Coordinates are continuous pixels of the original image, x to the right, y down. Pixel (i, j) covers
[i, i+1) x [j, j+1); its centre is (i + 0.5, j + 0.5). A box's right and lower edges are exclusive, so
COCO's x, y, w, h is Box(x, y, x + w, y + h). A region names its image by index when a sample has several.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from loupe.errors import RegionError


def _finite(kind: str, values) -> None:
    if not all(isinstance(v, (int, float, np.number)) and math.isfinite(v) for v in values):
        raise RegionError(f"{kind} has a coordinate that is no finite number", got=tuple(values),
                          do="give pixels of the original image as numbers")


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    image: int = 0

    def __post_init__(self):
        _finite("Point", (self.x, self.y))

    @property
    def box(self) -> Box:
        """The empty box at this point."""
        return Box(self.x, self.y, self.x, self.y, self.image)


@dataclass(frozen=True)
class Box:
    """x1 <= x2 and y1 <= y2; an inside-out box is a RegionError, never silently turned round."""

    x1: float
    y1: float
    x2: float
    y2: float
    image: int = 0

    def __post_init__(self):
        _finite("Box", (self.x1, self.y1, self.x2, self.y2))
        if self.x2 < self.x1 or self.y2 < self.y1:
            raise RegionError("Box is inside out", got=(self.x1, self.y1, self.x2, self.y2),
                              expected="x1 <= x2 and y1 <= y2",
                              do="for x, y, width, height use Box.from_xywh")

    @classmethod
    def from_xywh(cls, x: float, y: float, w: float, h: float, image: int = 0) -> Box:
        return cls(x, y, x + w, y + h, image)

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        return self.x1, self.y1, self.x2, self.y2

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> Point:
        return Point((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2, self.image)

    @property
    def box(self) -> Box:
        return self


@dataclass(frozen=True)
class Polygon:
    """One closed ring of at least three points; the last is joined to the first."""

    points: tuple[tuple[float, float], ...]
    image: int = 0

    def __post_init__(self):
        object.__setattr__(self, "points", tuple((x, y) for x, y in self.points))
        _finite("Polygon", [v for p in self.points for v in p])
        if len(self.points) < 3:
            raise RegionError("Polygon has too few points", got=len(self.points), expected="3 or more")

    @classmethod
    def from_flat(cls, values, image: int = 0) -> Polygon:
        """From COCO's [x1, y1, x2, y2, ...]."""
        values = list(values)
        if len(values) % 2:
            raise RegionError("Polygon has a point without y", got=f"{len(values)} numbers", expected="an even count")
        return cls(tuple(zip(values[::2], values[1::2])), image)

    @property
    def box(self) -> Box:
        xs, ys = zip(*self.points)
        return Box(min(xs), min(ys), max(xs), max(ys), self.image)

    @property
    def area(self) -> float:
        """Shoelace area, positive whichever way round."""
        x, y = np.asarray(self.points, float).T
        return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


@dataclass(frozen=True)
class Mask:
    """A set of pixels of an image of `width` x `height`, as COCO run lengths.

    `counts` are run lengths in column-major order (down, then right), starting with zeros: COCO's
    uncompressed RLE. `from_rle` and `rle` speak COCO's compressed strings too.
    """

    width: int
    height: int
    counts: tuple[int, ...]
    image: int = 0

    def __post_init__(self):
        object.__setattr__(self, "counts", tuple(int(c) for c in self.counts))
        if min(self.counts, default=0) < 0 or sum(self.counts) != self.width * self.height:
            raise RegionError("Mask runs do not fill its image", got=sum(self.counts),
                              expected=f"{self.width} x {self.height} = {self.width * self.height}")

    @classmethod
    def from_array(cls, array, image: int = 0) -> Mask:
        """From a boolean array [height, width]."""
        array = np.asarray(array, bool)
        flat = array.ravel(order="F")
        edges = np.flatnonzero(np.diff(flat)) + 1
        starts = np.concatenate(([0], edges, [flat.size]))
        counts = np.diff(starts).tolist()
        if flat.size and flat[0]:
            counts = [0, *counts]
        return cls(array.shape[1], array.shape[0], tuple(counts), image)

    @classmethod
    def from_polygons(cls, polygons, width: int, height: int) -> Mask:
        """The pixels whose centres lie inside any of the polygons (even-odd within one ring)."""
        inside = np.zeros((height, width), bool)
        for polygon in polygons:
            inside |= _fill(polygon, width, height)
        return cls.from_array(inside, polygons[0].image if polygons else 0)

    @classmethod
    def from_rle(cls, rle: dict, image: int = 0) -> Mask:
        """From COCO's {"size": [h, w], "counts": list | str | bytes}."""
        height, width = rle["size"]
        counts = rle["counts"]
        if isinstance(counts, (str, bytes)):
            counts = _runs_from_string(counts)
        return cls(width, height, tuple(counts), image)

    def rle(self, compressed: bool = True) -> dict:
        counts = _string_from_runs(self.counts) if compressed else list(self.counts)
        return {"size": [self.height, self.width], "counts": counts}

    def array(self) -> np.ndarray:
        """Boolean array [height, width]."""
        values = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(values, self.counts).reshape(self.width, self.height).T

    @property
    def area(self) -> float:
        return float(sum(self.counts[1::2]))

    @property
    def box(self) -> Box:
        inside = self.array()
        if not inside.any():
            return Box(0, 0, 0, 0, self.image)
        ys, xs = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        return Box(float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1), self.image)


@dataclass(frozen=True)
class Colour:
    """Red, green, blue in 0..255."""

    r: int
    g: int
    b: int

    def __post_init__(self):
        if not all(0 <= v <= 255 for v in (self.r, self.g, self.b)):
            raise RegionError("Colour is out of range", got=(self.r, self.g, self.b), expected="0..255")


Region = Point | Box | Polygon | Mask


def area(region: Region) -> float:
    """Square pixels; a point has none."""
    return 0.0 if isinstance(region, Point) else region.area


def centre(region: Region) -> Point:
    """A point is its own centre; anything else the centre of its box."""
    return region if isinstance(region, Point) else region.box.centre


def iou(a: Region, b: Region) -> float:
    """Intersection over union of two regions of one image, in 0..1; regions without area give 0.

    Two boxes are compared exactly, on continuous edges (no +1 pixel). If either is a Mask both are compared
    as pixels; a polygon is filled on the mask's grid, or on its own rounded-up extent.
    """
    if a.image != b.image or isinstance(a, Point) or isinstance(b, Point):
        return 0.0
    if isinstance(a, (Polygon, Mask)) or isinstance(b, (Polygon, Mask)):
        width, height = _grid(a, b)
        pixels_a, pixels_b = pixels(a, width, height), pixels(b, width, height)
        union = np.count_nonzero(pixels_a | pixels_b)
        return float(np.count_nonzero(pixels_a & pixels_b) / union) if union else 0.0
    p, q = a.box, b.box
    wide = min(p.x2, q.x2) - max(p.x1, q.x1)
    high = min(p.y2, q.y2) - max(p.y1, q.y1)
    overlap = max(wide, 0.0) * max(high, 0.0)
    union = p.area + q.area - overlap
    return overlap / union if union > 0 else 0.0


def pixels(region: Region, width: int, height: int) -> np.ndarray:
    """Boolean array [height, width] of the pixels whose centre lies in the region (the one under a point)."""
    if isinstance(region, Mask):
        if (region.width, region.height) != (width, height):
            raise RegionError("masks of different image sizes cannot be compared",
                              got=f"{region.width} x {region.height}", expected=f"{width} x {height}")
        return region.array()
    if isinstance(region, Polygon):
        return _fill(region, width, height)
    out = np.zeros((height, width), bool)
    if isinstance(region, Point):
        if 0 <= region.x < width and 0 <= region.y < height:
            out[int(region.y), int(region.x)] = True
        return out
    x1, y1, x2, y2 = (max(0, math.ceil(v - 0.5)) for v in region.xyxy)
    out[y1:y2, x1:x2] = True
    return out


def contains(region: Region, point: Point) -> bool:
    if isinstance(region, Point):
        return (region.x, region.y) == (point.x, point.y)
    if isinstance(region, Mask):
        x, y = math.floor(point.x), math.floor(point.y)
        return 0 <= x < region.width and 0 <= y < region.height and bool(region.array()[y, x])
    if isinstance(region, Polygon):
        return bool(_inside(np.array([point.x]), np.array([point.y]), region)[0])
    return region.x1 <= point.x < region.x2 and region.y1 <= point.y < region.y2


def holds(region: Region, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`contains` for many places at once: a boolean array of the shape of x and y."""
    if isinstance(region, Polygon):
        return _inside(x, y, region)
    if isinstance(region, Mask):
        known = (x >= 0) & (x < region.width) & (y >= 0) & (y < region.height)
        columns, rows = (np.floor(v).astype(int) for v in (x, y))
        return known & region.array()[rows.clip(0, region.height - 1), columns.clip(0, region.width - 1)]
    if isinstance(region, Point):
        return (x == region.x) & (y == region.y)
    return (x >= region.x1) & (x < region.x2) & (y >= region.y1) & (y < region.y2)


def clip(region: Region, width: float, height: float) -> Region:
    """The region moved inside the image; a region wholly outside is a RegionError.

    Polygons are clamped point by point, which keeps a ring closed at the border.
    """
    if isinstance(region, Mask):
        return region
    box = region.box
    if box.x1 >= width or box.y1 >= height or box.x2 < 0 or box.y2 < 0 or (
            not isinstance(region, Point) and (box.x2 <= 0 or box.y2 <= 0)):
        raise RegionError("region lies outside its picture", got=box.xyxy, expected=f"inside {width} x {height}")
    x = lambda v: min(max(v, 0.0), width)  # noqa: E731
    y = lambda v: min(max(v, 0.0), height)  # noqa: E731
    if isinstance(region, Point):
        return replace(region, x=x(region.x), y=y(region.y))
    if isinstance(region, Polygon):
        return replace(region, points=tuple((x(px), y(py)) for px, py in region.points))
    return replace(region, x1=x(region.x1), y1=y(region.y1), x2=x(region.x2), y2=y(region.y2))


def noise(box: Box, rng: np.random.Generator, amount: float) -> Box:
    """A sloppy hand: every edge moved by a uniform share in [-amount, amount] of the box's width or height."""
    shift = rng.uniform(-amount, amount, 4) * [box.width, box.height, box.width, box.height]
    x1, y1, x2, y2 = np.asarray(box.xyxy) + shift
    return replace(box, x1=float(min(x1, x2)), y1=float(min(y1, y2)), x2=float(max(x1, x2)), y2=float(max(y1, y2)))


def _grid(a: Region, b: Region) -> tuple[int, int]:
    for region in (a, b):
        if isinstance(region, Mask):
            return region.width, region.height
    return (max(1, math.ceil(max(a.box.x2, b.box.x2))), max(1, math.ceil(max(a.box.y2, b.box.y2))))


def _inside(x: np.ndarray, y: np.ndarray, polygon: Polygon) -> np.ndarray:
    """Even-odd test of points x, y (same shape) against one ring."""
    inside = np.zeros(x.shape, bool)
    ring = polygon.points
    for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1]):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def _fill(polygon: Polygon, width: int, height: int) -> np.ndarray:
    out = np.zeros((height, width), bool)
    box = polygon.box
    x1, y1 = max(0, math.floor(box.x1)), max(0, math.floor(box.y1))
    x2, y2 = min(width, math.ceil(box.x2)), min(height, math.ceil(box.y2))
    if x2 > x1 and y2 > y1:
        ys, xs = np.mgrid[y1:y2, x1:x2] + 0.5
        out[y1:y2, x1:x2] = _inside(xs, ys, polygon)
    return out


def _runs_from_string(text: str | bytes) -> list[int]:
    """COCO's compressed counts: base-48 characters of 5 bits, each run stored less the one two before it."""
    data = text.encode() if isinstance(text, str) else text
    runs, at = [], 0
    while at < len(data):
        value, shift, more = 0, 0, True
        while more:
            if at >= len(data):
                raise RegionError("compressed RLE ends inside a number", got=repr(text[-8:]))
            byte = data[at] - 48
            if not 0 <= byte < 64:
                raise RegionError("compressed RLE has a foreign character", got=repr(chr(data[at])))
            value |= (byte & 31) << shift
            shift += 5
            more = bool(byte & 32)
            at += 1
            if not more and byte & 16:
                value |= -1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


def _string_from_runs(runs) -> str:
    out = []
    for i, run in enumerate(runs):
        value = run - (runs[i - 2] if i > 2 else 0)
        while True:
            byte = value & 31
            value >>= 5
            more = value != (-1 if byte & 16 else 0)
            out.append(chr((byte | (32 if more else 0)) + 48))
            if not more:
                break
    return "".join(out)
