"""Codec: regions and colours <-> text. The value that says how one family writes coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import groupby

from loupe.codec import grammar
from loupe.codec.grammar import Choice, Group, Many, Row, Text, Writer
from loupe.codec.reading import Parsed, Patterns, read
from loupe.codec.walk import Program, Walker
from loupe.errors import CodecError
from loupe.frame import Frame
from loupe.regions import Box, Colour, Mask, Point, Polygon, Region
from loupe.sample import Found, Regions

KINDS = (None, "text", "box", "boxes", "point", "points", "polygon", "colour")
EDGE = 1e-6  # model pixels: rounding of frames, not a region outside the view


@dataclass(frozen=True)
class Codec:
    """How one model family writes regions; stored with the weights, compared by value.

    Coordinates are fractions of what the model sees (`space` "view") or pixels of its picture ("pixels"). Numbers are
    the nearest step (exact ties to the even one, which favours no direction); `rounding` "down" truncates, for
    reading and feeding foreign weights only. Parts of a region outside the view are clipped away before writing.
    """

    name: str
    groups: tuple[Group, ...]  # in order of preference
    opening: str  # pattern of what begins a region and nothing else
    unfinished: str  # pattern at the end of a text that was cut inside such a beginning
    stretch: str  # pattern of how far malformed text behind `opening` reaches
    inside: str = ""  # pattern that ends in a character which begins no region there (the first object of a list)
    join: str = " "  # between groups
    touch: bool = True  # a region may follow another without anything between
    spaced: bool = True  # a lenient reading forgives white space
    space: str = "view"
    frame: str | None = None  # the name in FRAMES the family is bound to
    rounding: str = "nearest"
    marks: tuple[str, ...] = ()  # tokens besides location tokens
    locations: tuple[tuple[str, str, int], ...] = ()  # (axis, token with {}, highest step)

    # -- tokens

    @property
    def tokens(self) -> tuple[str, ...]:
        """Tokens the tokenizer must have, each as one."""
        return self.marks + tuple(self.starts)

    @property
    def starts(self) -> dict[str, tuple[str, float]]:
        """Location token -> (axis "x", "y" or "value", fraction 0..1): where its embedding starts from."""
        return {form.format(k): (axis, k / top) for axis, form, top in self.locations for k in range(top + 1)}

    # -- writing

    def text(self, part: Region | Regions | Colour, frame: Frame) -> str:
        """The part as the model reads and writes it. A phrase is written only by families that tie it to regions."""
        if isinstance(part, Colour):
            return self._written([("colour", self._colour(part), "")])
        many = part if isinstance(part, Regions) else Regions((part,))
        if not many.regions:
            raise CodecError("there is no region to write", got="Regions(())", do="write words instead")
        return self._written([(*self._region(region, frame), many.phrase) for region in many.regions])

    def write(self, parts: Iterable[str | Found | Region | Regions | Colour], frame: Frame) -> str:
        """Parts as `parse` returns them, back to text; neighbouring Founds are one group."""
        out, pending = "", []
        for part in parts:
            if isinstance(part, Found):
                pending.append((*self._region(part.region, frame), part.phrase))
                continue
            out += self._written(pending) + (part if isinstance(part, str) else self.text(part, frame))
            pending = []
        return out + self._written(pending)

    def _written(self, pending: list) -> str:
        """Regions given as (kind, steps, phrase), neighbours in one group where the family has one for them."""
        def together(region) -> tuple:
            index, shared = self._group(region[0], bool(region[2].strip()))
            return index, region[2] if shared else ""

        out = []
        for (index, _), same in groupby(pending, together):
            writer = Writer(list(same))
            while writer.pending:
                out.append(writer.write(self.groups[index].item))
        return self.join.join(out)

    @cached_property
    def _fitting(self) -> dict[tuple[str, bool], tuple[int, bool]]:
        """(kind, with a phrase) -> index of the group that writes it, and whether its phrase is shared."""
        out = {}
        for kind in {k for g in self.groups for k in g.kinds}:
            fitting = [i for i, g in enumerate(self.groups) if kind in g.kinds]
            for tied in (False, True):
                index = next((i for i in fitting if self.groups[i].tied == tied), fitting[0])
                out[kind, tied] = index, self.groups[index].shared
        return out

    def _group(self, kind: str, tied: bool) -> tuple[int, bool]:
        if (kind, tied) not in self._fitting:
            raise CodecError(f"codec {self.name!r} has no way to write a {kind}",
                             expected=" or ".join(sorted({k for k, _ in self._fitting})),
                             do="use a codec that writes it (xy writes all)" if kind in ("colour", "point")
                             else "use region.box, or a codec that writes it (xy, chatspot)")
        return self._fitting[kind, tied]

    def _region(self, region: Region, frame: Frame) -> tuple[str, list[int]]:
        """Kind and steps of a region in pixels of the original image."""
        if isinstance(region, Mask):
            raise CodecError(f"codec {self.name!r} cannot write a mask",
                             do="use region.box, or a polygon of its outline")
        kind = type(region).__name__.lower()
        self._group(kind, False)
        flat = _flat(_inside(frame.to_model(region), region, frame))
        spelling = self.numbers(kind)
        sides = frame.width, frame.height
        return kind, [self._step(v / sides[i % 2], spelling[i % 2].grid or sides[i % 2]) for i, v in enumerate(flat)]

    def _step(self, fraction: float, grid: int) -> int:
        k = math.floor(fraction * grid + EDGE) if self.rounding == "down" else round(fraction * grid)
        return min(max(k, 0), grid)

    def _colour(self, colour: Colour) -> list[int]:
        self._group("colour", False)
        return [self._step(v / 255, self.numbers("colour")[0].grid) for v in (colour.r, colour.g, colour.b)]

    @cached_property
    def _spelling(self) -> dict[str, list[grammar.Number]]:
        return {kind: grammar.spelled_numbers(grammar.marks(self.groups[index].item, kind)[0])
                for (kind, _), (index, _) in self._fitting.items()}

    def numbers(self, kind: str) -> list[grammar.Number]:
        """How the numbers of a region of this kind are spelled."""
        return self._spelling[kind]

    # -- reading

    def parse(self, text: str, frame: Frame, image: int = 0) -> Parsed:
        """Regions with the text around them, kept exactly, and a Problem for each stretch that is no region."""
        return read(self, text, frame, image)

    def walker(self, kind: str | None = None, size: tuple[int, int] | None = None) -> Walker:
        """The step-by-step checks for one kind of answer; `size` of the model's picture bounds pixel codecs."""
        return _walker(self, kind, size if self.space == "pixels" else None)

    def extends(self, text: str, kind: str | None = None, size: tuple[int, int] | None = None) -> bool:
        """Whether `text` is, or can still grow into, a well-formed answer of this kind."""
        return self.walker(kind, size).at(text) is not None

    def complete(self, text: str, kind: str | None = None, size: tuple[int, int] | None = None) -> bool:
        """Whether a well-formed answer of this kind may end here."""
        walker = self.walker(kind, size)
        state = walker.at(text)
        return state is not None and walker.ends(state)

    def forced(self, text: str, kind: str | None = None, size: tuple[int, int] | None = None) -> str:
        """What must follow `text`, as far as there is only one way on."""
        walker = self.walker(kind, size)
        state = walker.at(text)
        return "" if state is None else walker.forced(state)

    # -- as a value

    def spec(self) -> dict:
        """JSON-able description; `from_spec` gives an equal codec."""
        return {f.name: grammar.plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_spec(cls, spec: dict) -> Codec:
        known = {f.name for f in fields(cls)}
        if not isinstance(spec, dict) or not {"name", "groups"} <= set(spec) or set(spec) - known:
            odd = sorted(set(spec) ^ known) if isinstance(spec, dict) else type(spec).__name__
            raise CodecError("this is no codec description", got=odd, expected=", ".join(sorted(known)))
        try:
            return cls(**{k: grammar.from_plain(v) for k, v in spec.items()})
        except TypeError as error:
            raise CodecError("this is no codec description", got=error) from None

    def same(self, other: Codec) -> bool:
        return self == other

    def __hash__(self) -> int:
        return hash((self.name, self.space, self.rounding, self.opening))


def _flat(region: Region) -> list[float]:
    if isinstance(region, Point):
        return [region.x, region.y]
    return list(region.xyxy) if isinstance(region, Box) else [v for p in region.points for v in p]


def _inside(moved: Region, region: Region, frame: Frame) -> Region:
    """`moved` (in model pixels) without what lies outside the view."""
    width, height, box = frame.width, frame.height, moved.box
    wide = min(box.x2, width) - max(box.x1, 0.0)
    high = min(box.y2, height) - max(box.y1, 0.0)
    gone = wide < -EDGE or high < -EDGE or (wide <= 0 < box.width - EDGE) or (high <= 0 < box.height - EDGE)
    if gone:
        raise CodecError("region lies outside what the model sees", got=region,
                         expected=f"something inside {tuple(round(v, 2) for v in frame.view.xyxy)}",
                         do="drop the region, or crop less")
    flat = [min(max(v, 0.0), (width, height)[i % 2]) for i, v in enumerate(_flat(moved))]
    if isinstance(moved, Point):
        return Point(*flat)
    return Box(*flat) if isinstance(moved, Box) else Polygon.from_flat(flat)


@lru_cache(maxsize=64)
def program(codec: Codec, size: tuple[int, int] | None) -> Program:
    """Every group of a codec, compiled."""
    return Program([g.item for g in codec.groups], size=size, spaced=codec.spaced)


@lru_cache(maxsize=256)
def _walker(codec: Codec, kind: str | None, size: tuple[int, int] | None) -> Walker:
    if kind not in KINDS:
        raise CodecError("unknown kind of answer", got=repr(kind), expected=", ".join(map(repr, KINDS)))
    patterns = Patterns(codec)
    if kind in (None, "text"):
        return Walker(program(codec, size), patterns, kind, codec.touch)
    only = {"boxes": "box", "points": "point"}.get(kind, kind)
    groups = tuple(g.item for g in codec.groups if only in g.kinds)
    if not groups:
        codec._group(only, False)
    whole = Choice(groups)
    if kind != only:
        whole = Many(whole, Text(codec.join))
    whole = Choice((whole, Row((Text(" "), whole))))
    return Walker(Program([whole], only, kind == only, size, codec.spaced), patterns, kind, codec.touch)
