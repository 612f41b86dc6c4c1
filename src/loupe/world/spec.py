"""Which world: what it holds, how full and how covered its pictures are. Worlds are values; WORLDS names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loupe.errors import ConfigError, unknown_name
from loupe.world import font
from loupe.world.kinds import COMPOSED, CROWDS, KINDS, SHAPES
from loupe.world.paint import COLOURS, GROUNDS, TEXTURES

SIDES = (64, 1024)  # least and most pixels of a side
MOST = 12  # objects: as far as ordinal numbers are known
GLASS = ("cyan", "white", "yellow")  # a car's second colour
Pair = tuple[str, str]  # (class, colour)


def drawable(sides: Sequence[int], objects: Sequence[int], where: str | None = None) -> None:
    """ConfigError unless pictures of these sides, in pixels, with from objects[0] to objects[1] things can be drawn."""
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (*sides, *objects))
    least, most = SIDES
    if not (whole and len(objects) == 2 and all(least <= side <= most for side in sides)
            and 1 <= objects[0] <= objects[1] <= MOST):
        raise ConfigError("the world cannot draw this", where=where, got=f"{' x '.join(map(repr, sides))} pixels, "
                          f"{' to '.join(map(repr, objects))} objects",
                          expected=f"whole numbers: {least} to {most} pixels a side, 1 to {MOST} objects")


@dataclass(frozen=True)
class WorldSpec:
    """Everything that decides a world but its seed. Shares are probabilities, sizes are pixels.

    barred: (class, colour) pairs that never occur; favoured: pairs that a thing takes with `favour`.
    """

    name: str
    size: int = 96  # of a side
    objects: tuple[int, int] = (1, 6)  # whole things in a picture, every number as likely
    shapes: tuple[str, ...] = tuple(kind.name for kind in SHAPES)
    composed: tuple[str, ...] = tuple(kind.name for kind in COMPOSED)
    colours: tuple[str, ...] = tuple(COLOURS)
    textures: tuple[str, ...] = TEXTURES[1:]  # beside "plain"
    grounds: tuple[str, ...] = GROUNDS[:4]
    seen: float = 0.5  # share of every thing that stays visible
    composed_share: float = 0.32
    twins: float = 0.45  # a thing repeats a class of the picture
    words: tuple[str, ...] = font.WORDS  # that may be printed
    word_share: float = 0.35  # of the shapes that can carry one; a sign always does
    crowds: float = 0.04
    parts: bool = True  # annotate parts of composed things
    barred: tuple[Pair, ...] = ()
    favoured: tuple[Pair, ...] = ()
    favour: float = 0.0

    def __post_init__(self):
        where = f"world {self.name}"
        for name in ("objects", "shapes", "composed", "colours", "textures", "grounds", "words", "barred", "favoured"):
            if not isinstance(getattr(self, name), tuple):
                raise ConfigError(f"{name} is no tuple", got=repr(getattr(self, name)), where=where)
        for what, names, known in (("class", self.shapes + self.composed, KINDS), ("colour", self.colours, COLOURS),
                                   ("texture", self.textures, TEXTURES), ("ground", self.grounds, GROUNDS)):
            for name in names:
                if name not in known:
                    raise unknown_name(what, name, known, where)
        drawable((self.size,), self.objects, where)
        for name in ("seen", "composed_share", "twins", "word_share", "crowds", "favour"):
            share = getattr(self, name)
            if not (isinstance(share, (int, float)) and 0 <= share <= 1):
                raise ConfigError(f"{name} is no share", got=repr(share), expected="0 to 1", where=where)
        if not (self.shapes and self.grounds and self.colours):
            raise ConfigError("a world needs shapes, colours and grounds", where=where)
        for word in self.words:
            if not isinstance(word, str) or not word or set(word) - set(font.GLYPHS):
                raise ConfigError("this word cannot be printed", got=repr(word), expected="capitals from A to Z",
                                  where=where)
        if self.crowds and (len(self.shapes) < 2 or not set(self.shapes) & set(CROWDS)):
            raise ConfigError("no crowd can be drawn", got=f"shapes {', '.join(self.shapes)}", where=where,
                              expected=f"one of {', '.join(CROWDS)}, and another shape", do="or set crowds=0")
        self._check_pairs(where)
        self._check_colours(where)

    def _check_pairs(self, where: str) -> None:
        """Barred pairs are ones there could be, favoured ones those this world can show."""
        for field, classes, colours in (("barred", KINDS, COLOURS), ("favoured", self.classes, self.colours)):
            for pair in getattr(self, field):
                if not isinstance(pair, tuple) or [type(name) for name in pair] != [str, str]:
                    raise ConfigError(f"{field} holds no pair", got=repr(pair), expected="(class, colour)", where=where)
                for what, name, known in (("class", pair[0], classes), ("colour", pair[1], colours)):
                    if name not in known:
                        raise unknown_name(what, name, known, f"{where}: {field}")
        both = set(self.barred) & set(self.favoured)
        if both or (self.favour and not self.favoured):
            raise ConfigError("favoured pairs must be there to be shown", expected="pairs that are not barred",
                              got=f"barred, too: {sorted(both)}" if both else f"favour {self.favour} and no pair",
                              where=where)

    def _check_colours(self, where: str) -> None:
        """Every class has a colour left, and two others beside it for parts and words."""
        for kind in self.classes:
            if not self.colours_of(kind):
                raise ConfigError("a class has no colour left", got=f"{kind}: all barred", where=where,
                                  expected=f"one of {', '.join(self.colours)}", do="bar fewer pairs, or leave it out")
            for colour in {*self.colours_of(kind), *(c for name, c in self.favoured if name == kind)}:
                second = [c for c in (GLASS if kind == "car" else self.colours) if c not in (colour, "black")]
                if not second or any(not set(self.colours) - {colour, other, "white"} for other in second):
                    raise ConfigError("a thing needs two colours beside its own", got=", ".join(self.colours),
                                      expected="one more that is not black, and then one that is not white",
                                      where=where)

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of their category ids."""
        return tuple(name for name in KINDS if name in self.shapes + self.composed)

    def colours_of(self, kind: str) -> tuple[str, ...]:
        return tuple(colour for colour in self.colours if (kind, colour) not in self.barred)


WIDE = WorldSpec("wide")

UNSEEN = (("circle", "purple"), ("square", "orange"), ("triangle", "white"), ("star", "green"), ("heart", "blue"),
          ("moon", "red"), ("cross", "yellow"), ("ring", "black"))  # kept for "shifted": no other world may show them
MINI = WorldSpec(
    "mini", objects=(2, 8),
    shapes=("circle", "square", "triangle", "star", "heart", "moon", "cross", "ring"), composed=("person", "sign"),
    colours=("red", "orange", "yellow", "green", "blue", "purple", "black", "white"), textures=("striped", "dotted"),
    seen=0.6, composed_share=0.2, twins=0.2, crowds=0.0, parts=False, barred=UNSEEN,
    words=tuple(word for word in font.WORDS if word not in ("ART", "BANK", "TOP", "MILK")))  # four stay unread

WORLDS: dict[str, WorldSpec] = {world.name: world for world in (
    WIDE,
    MINI,
    replace(MINI, name="few", objects=(2, 4)),
    replace(MINI, name="mini-128", size=128),
    replace(MINI, name="shifted", objects=(5, 11), grounds=GROUNDS[4:], barred=(), favoured=UNSEEN, favour=0.4),
    replace(MINI, name="unread", words=("ART", "BANK", "TOP", "MILK"), word_share=0.7),  # words never trained on
)}


def world(named: str | WorldSpec) -> WorldSpec:
    if isinstance(named, WorldSpec):
        return named
    if named not in WORLDS:
        raise unknown_name("world", named, WORLDS)
    return WORLDS[named]
