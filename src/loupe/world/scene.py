"""One picture of the world before any words: what stands where, who covers whom, every pixel's owner."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from loupe.regions import Box
from loupe.world import font, paint
from loupe.world.chance import choose
from loupe.world.kinds import CROWDS, KINDS, Kind
from loupe.world.paint import SKIN, Sprite
from loupe.world.spec import GLASS, WIDE, WorldSpec, drawable
from loupe.world.spec import world as named_world

# Radius as a share of the picture's shorter side, by the size's name.
SHAPE_RADII = {"small": (0.075, 0.092), "medium": (0.118, 0.142), "large": (0.182, 0.215)}
COMPOSED_RADII = {"medium": (0.150, 0.168), "large": (0.215, 0.245)}
MIN_SIDE = 8 / 96  # of a visible thing's box, share of the shorter side
NEAR_SHARE = 0.45
TRIES = 14
ROOMY = ("circle", "square", "heart")  # wide enough to show a texture when small


@dataclass(eq=False)
class Part:
    """A visible part of a thing: one leaf of its kind."""

    name: str
    colour: str
    side: str
    leaf: int
    box: Box
    mask: np.ndarray  # bool [height, width], visible pixels


@dataclass(eq=False)
class Thing:
    """A whole thing; later things lie in front of earlier ones."""

    kind: Kind
    colour: str
    size: str
    texture: str
    colours: dict[str, str]  # of the roles "second" and "third"
    word: str
    sprite: Sprite
    x: int  # of the sprite's window in the picture
    y: int
    count: int = 1  # more than one: a crowd
    layer: int = 0  # position in scene.things
    first: int = 0  # id of its first leaf in the id map
    mask: np.ndarray = field(default=None, repr=False)  # bool [height, width], visible pixels
    whole: np.ndarray = field(default=None, repr=False)  # bool [height, width], with what others cover
    solid: np.ndarray = field(default=None, repr=False)  # bool [height, width], `whole` with holes filled
    box: Box = None  # of the visible pixels
    area: int = 0  # of `whole`
    parts: tuple[Part, ...] = ()
    word_box: Box | None = None

    @property
    def name(self) -> str:
        return self.kind.name

    @cached_property
    def said(self) -> tuple[str, ...]:
        """Attributes worth saying, in the order they are said: no medium size, no plain texture."""
        return tuple(key for key in ("size", "texture", "colour") if getattr(self, key) not in ("medium", "plain"))

    @property
    def crowd(self) -> bool:
        return self.count > 1


@dataclass(eq=False)
class Scene:
    width: int
    height: int
    seed: int
    split: str
    index: int
    things: tuple[Thing, ...]
    pixels: np.ndarray  # uint8 [height, width, 3]
    ids: np.ndarray  # int16 [height, width]: `thing.first` + leaf, -1 on the ground
    world: WorldSpec = WIDE

    @property
    def side(self) -> int:
        return min(self.width, self.height)


def generator(seed: int, split: str, index: int, purpose: int = 0) -> np.random.Generator:
    """The random numbers of one picture alone: they do not depend on how many pictures are made."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(split.encode()), index, purpose]))


def make(seed: int, index: int, split: str = "train", size: int | tuple[int, int] | None = None,
         objects: tuple[int, int] | None = None, world: str | WorldSpec = WIDE, grain: bool = True) -> Scene:
    """Picture `index` of a split of a world. `size` and `objects` (bounds of the number of whole things) are the
    world's own where not given. Without `grain` the same picture with a clean ground."""
    spec = named_world(world)
    size, objects = spec.size if size is None else size, spec.objects if objects is None else objects
    width, height = size if isinstance(size, (tuple, list)) else (size, size)
    drawable((width, height), objects)
    rng = generator(seed, split, index)
    canvas = paint.ground(width, height, rng, spec.grounds, grain)
    stage = _Stage(width, height, spec)
    wanted = int(rng.integers(objects[0], objects[1] + 1))
    if rng.random() < spec.crowds:
        stage.add(_crowd(stage, rng), rng)
    attempts = 0
    while len(stage.singles) < wanted and attempts < 4 * wanted + 8:
        attempts += 1
        stage.add(_thing(stage, wanted, attempts > wanted + 3, rng), rng)
    for thing in stage.things:
        _lay(canvas, thing)
    pixels = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    for layer, thing in enumerate(stage.things):
        thing.layer = layer
        _measure(thing, stage.ids, spec.parts)
    return Scene(width, height, seed, split, index, tuple(stage.things), pixels, stage.ids, spec)


class _Stage:
    """Where things have been put so far."""

    def __init__(self, width: int, height: int, world: WorldSpec):
        self.width, self.height, self.world = width, height, world
        self.side = min(width, height)
        self.ids = np.full((height, width), -1, np.int16)
        self.things: list[Thing] = []
        self.boxes: list[tuple[int, int, int, int]] = []
        self.full = 0  # leaf ids given out

    @property
    def singles(self) -> list[Thing]:
        return [thing for thing in self.things if not thing.crowd]

    def add(self, thing: Thing, rng: np.random.Generator) -> bool:
        """Find a place for it; False when there is none."""
        inside = thing.sprite.owner >= 0
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        wide, high = right - left, bottom - top
        if wide > self.width - 2 or high > self.height - 2:
            return False
        near = bool(self.things) and not thing.crowd and rng.random() < NEAR_SHARE
        for attempt in range(TRIES):
            if near and attempt < TRIES // 2:
                x, y, apart = self._beside(wide, high, inside[top:bottom, left:right], rng)
            else:
                x, y = (1 + int(rng.random() * (limit - 1)) for limit in (self.width - wide, self.height - high))
                apart = True
            if not (1 <= x <= self.width - wide - 1 and 1 <= y <= self.height - high - 1):
                continue
            if apart and self._gap(x, y, wide, high) < 2:
                continue
            owner = thing.sprite.owner[top:bottom, left:right]
            if apart or self._spares(x, y, owner >= 0):
                thing.x, thing.y, thing.first = x - left, y - top, self.full
                window = self.ids[y:y + high, x:x + wide]
                window[owner >= 0] = owner[owner >= 0] + self.full
                self.full += len(thing.kind.leaves) + 1
                self.things.append(thing)
                self.boxes.append((x, y, x + wide, y + high))
                return True
        return False

    def _beside(self, wide: int, high: int, inside: np.ndarray, rng) -> tuple[int, int, bool]:
        """A place that overlaps, touches or lies inside a thing already there."""
        x1, y1, x2, y2 = choose(rng, self.boxes)
        if wide < 0.62 * (x2 - x1) and high < 0.62 * (y2 - y1) and rng.random() < 0.7:
            return ((x1 + x2 - wide) // 2 + int(rng.integers(-1, 2)), (y1 + y2 - high) // 2 + int(rng.integers(-1, 2)),
                    False)
        angle, touch = rng.uniform(0, 2 * math.pi), rng.random() < 0.4
        reach = 1.0 if touch else rng.uniform(0.55, 0.9)
        dx, dy = math.cos(angle), math.sin(angle)
        x = y = 0
        for step in range(14):
            before = x, y
            far = reach * (1.15 - 0.06 * step if touch else 1)
            x = round((x1 + x2 - wide) / 2 + dx * far * (x2 - x1 + wide) / 2)
            y = round((y1 + y2 - high) / 2 + dy * far * (y2 - y1 + high) / 2)
            if not touch:
                break
            if step and self._hits(x, y, inside):
                return (*before, False)
        return x, y, False

    def _hits(self, x: int, y: int, inside: np.ndarray) -> bool:
        high, wide = inside.shape
        if x < 0 or y < 0 or x + wide > self.width or y + high > self.height:
            return False
        return bool((self.ids[y:y + high, x:x + wide][inside] >= 0).any())

    def _gap(self, x: int, y: int, wide: int, high: int) -> int:
        """Pixels to the nearest box in x or y; negative or zero when boxes meet."""
        return min((max(x1 - x - wide, x - x2, y1 - y - high, y - y2) for x1, y1, x2, y2 in self.boxes), default=99)

    def _spares(self, x: int, y: int, inside: np.ndarray) -> bool:
        """Would everything already there stay visible enough behind a thing put here?"""
        high, wide = inside.shape
        after = self.ids.copy()
        after[y:y + high, x:x + wide][inside] = -1
        left = np.bincount(after.ravel() + 1, minlength=self.full + 1)[1:]
        now = np.bincount(self.ids.ravel() + 1, minlength=self.full + 1)[1:]
        for thing in self.things:
            counts = thing.sprite.counts
            mine = left[thing.first:thing.first + len(counts)]
            if (mine == now[thing.first:thing.first + len(counts)]).all():
                continue
            if thing.crowd or mine[-1] < counts[-1] or mine.sum() < self.world.seen * counts.sum():
                return False
            if thing.kind.composed and (mine < self.world.seen * counts).any():
                return False
            seen = (after >= thing.first) & (after < thing.first + len(counts))
            if min(np.ptp(np.flatnonzero(seen.any(0))), np.ptp(np.flatnonzero(seen.any(1)))) + 1 < MIN_SIDE * self.side:
                return False
        return True


def _other(rng: np.random.Generator, options, *taken: str) -> str:
    return choose(rng, [option for option in options if option not in taken])


def _thing(stage: _Stage, wanted: int, shrink: bool, rng: np.random.Generator) -> Thing:
    """A thing with its looks, not yet placed; `shrink` asks for a small one."""
    singles, barred = stage.singles, {thing.name for thing in stage.things if thing.crowd}
    world, liked = stage.world, None
    if world.favour and rng.random() < world.favour:
        liked = choose(rng, world.favoured)
        kind = KINDS[liked[0]]
    elif singles and rng.random() < world.twins:
        kind = choose(rng, singles).kind
    else:
        names = world.composed if rng.random() < world.composed_share and not shrink else world.shapes
        kind = KINDS[choose(rng, [name for name in names or world.shapes if name not in barred])]
    radii = COMPOSED_RADII if kind.composed or kind.name in ("fish", "sign") else SHAPE_RADII
    names = list(radii)
    large = 0.5 if wanted <= 3 else 0.25
    size = names[0] if shrink else names[-1] if rng.random() < large else choose(rng, names[:-1])
    radius = rng.uniform(*radii[size]) * stage.side
    colours = world.colours_of(kind.name)
    if liked:
        colour = liked[1]
    elif singles and rng.random() < 0.2 and (shared := choose(rng, singles).colour) in colours:
        colour = shared
    else:
        colour = choose(rng, colours)
    textured = any(leaf.textured for leaf in kind.leaves)
    if size == "small" and kind.name not in ROOMY:
        textured = False
    texture = choose(rng, world.textures) if textured and world.textures and rng.random() < 0.45 else "plain"
    second = _other(rng, GLASS if kind.name == "car" else world.colours, colour, "black")
    third = choose(rng, SKIN) if kind.name == "person" else _other(rng, world.colours, colour, second, "white")
    word, scale = _word(kind, radius, stage, rng)
    return _painted(kind, radius, colour, size, "plain" if word else texture, second, third, word, scale, rng)


def _word(kind: Kind, radius: float, stage: _Stage, rng: np.random.Generator) -> tuple[str, int]:
    if kind.written is None or (kind.name != "sign" and rng.random() > stage.world.word_share):
        return "", 1
    scale = max(1, stage.side // 96)
    x1, y1, x2, y2 = kind.written
    fits = [word for word in stage.world.words if font.width(word, scale) + 2 <= (x2 - x1) * radius
            and font.HEIGHT * scale + 2 <= (y2 - y1) * radius]
    return (choose(rng, fits), scale) if fits else ("", 1)


def _painted(kind, radius, colour, size, texture, second, third, word, scale, rng) -> Thing:
    colours = {"main": colour, "second": second, "third": third}
    needed = {leaf.colour for leaf in kind.leaves} | {"main"}
    shades = {role: paint.shade(colours.get(role, role), rng) for role in sorted(needed)}
    turn = rng.uniform(-kind.turn, kind.turn) if kind.turn and not word and rng.random() < 0.5 else 0.0
    flip = kind.flip and not word and rng.random() < 0.5
    shift = rng.uniform(-0.5, 0.5, 2)
    sprite = paint.sprite(kind, radius, shades, texture, turn, flip, word, scale, (shift[0], shift[1]))
    colours = {role: name for role, name in colours.items() if role != "main"} | {"flip": "yes" if flip else ""}
    return Thing(kind, colour, size, texture, colours, word, sprite, 0, 0)


def _crowd(stage: _Stage, rng: np.random.Generator) -> Thing:
    """Many small things of one class, close together: one annotation, iscrowd."""
    kind = choose(rng, [KINDS[name] for name in CROWDS if name in stage.world.shapes])
    radius = max(3.2, 0.036 * stage.side)
    colour = choose(rng, stage.world.colours_of(kind.name))
    one = paint.sprite(kind, radius, {"main": paint.shade(colour, rng)}, "plain")
    across, step = int(rng.integers(3, 6)), math.ceil(2.3 * radius)
    down = int(rng.integers(2, 4))
    wide, high = one.size
    cover = np.zeros((step * down + high, step * across + wide), np.float32)
    colours = np.zeros((*cover.shape, 3), np.float32)
    for k in range(across * down):
        x, y = step * (k % across) + int(rng.integers(0, 2)), step * (k // across) + int(rng.integers(0, 2))
        window = np.s_[y:y + high, x:x + wide]
        colours[window] = colours[window] * (1 - one.cover[..., None]) + one.paint
        cover[window] = cover[window] * (1 - one.cover) + one.cover
    owner = np.where(cover >= 0.5, 0, -1).astype(np.int8)
    counts = np.array([int((owner == 0).sum()), 0])
    sprite = Sprite(colours, cover, owner, owner >= 0, counts, None)
    return Thing(kind, colour, "small", "plain", {}, "", sprite, 0, 0, count=across * down)


def _lay(canvas: np.ndarray, thing: Thing) -> None:
    wide, high = thing.sprite.size
    x1, y1, x2, y2 = max(0, thing.x), max(0, thing.y), thing.x + wide, thing.y + high
    window = canvas[y1:y2, x1:x2]
    h, w = window.shape[:2]
    inner = np.s_[y1 - thing.y:y1 - thing.y + h, x1 - thing.x:x1 - thing.x + w]
    window *= 1 - thing.sprite.cover[inner][..., None]
    window += thing.sprite.paint[inner]


def _measure(thing: Thing, ids: np.ndarray, with_parts: bool) -> None:
    """Fill in masks, boxes and parts from the id map."""
    leaves = len(thing.kind.leaves)
    thing.mask = (ids >= thing.first) & (ids <= thing.first + leaves)
    thing.box = box_of(thing.mask)
    thing.whole = _placed(thing, thing.sprite.owner >= 0, ids.shape)
    thing.solid = thing.whole if thing.kind.solid is None else _placed(thing, thing.sprite.solid, ids.shape)
    thing.area = int(thing.whole.sum())
    if thing.word:
        x1, y1, x2, y2 = thing.sprite.word_box
        thing.word_box = Box(float(x1 + thing.x), float(y1 + thing.y), float(x2 + thing.x), float(y2 + thing.y))
    parts = []
    for index, leaf in enumerate(thing.kind.leaves):
        if leaf.part and with_parts and not thing.crowd:
            mask = ids == thing.first + index
            colour = {"main": thing.colour, **thing.colours}.get(leaf.colour, leaf.colour)
            side = leaf.side
            if side and thing.colours.get("flip"):
                side = "right" if side == "left" else "left"
            parts.append(Part(leaf.part, colour, side, index, box_of(mask), mask))
    thing.parts = tuple(parts)


def _placed(thing: Thing, inside: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    out = np.zeros(shape, bool)
    high, wide = inside.shape
    x1, y1 = max(0, thing.x), max(0, thing.y)
    x2, y2 = min(shape[1], thing.x + wide), min(shape[0], thing.y + high)
    out[y1:y2, x1:x2] = inside[y1 - thing.y:y2 - thing.y, x1 - thing.x:x2 - thing.x]
    return out


def box_of(mask: np.ndarray) -> Box:
    """The tight box of a non-empty mask, pixels."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1))
