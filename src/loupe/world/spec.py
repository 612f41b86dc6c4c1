"""Which world: what it holds, how full and how covered its pictures are. Worlds are values; WORLDS names them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loupe.errors import ConfigError, unknown_name
from loupe.world import font
from loupe.world.kinds import COMPOSED, KINDS, SHAPES
from loupe.world.paint import COLOURS, GROUNDS, TEXTURES

MOST = 12  # objects: as far as ordinal numbers are known
Pair = tuple[str, str]  # (class, colour)


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
        for what, names, known in (("class", self.shapes + self.composed, KINDS), ("colour", self.colours, COLOURS),
                                   ("texture", self.textures, TEXTURES), ("ground", self.grounds, GROUNDS)):
            for name in names:
                if name not in known:
                    raise unknown_name(what, name, known, f"world {self.name}")
        low, high = self.objects
        if self.size < 64 or not 1 <= low <= high <= MOST:
            raise ConfigError("the world cannot draw this", got=f"{self.size} pixels a side, {low} to {high} objects",
                              expected=f"64 pixels or more, 1 to {MOST} objects", where=f"world {self.name}")
        shares = ("seen", "composed_share", "twins", "word_share", "crowds", "favour")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is no share", got=getattr(self, name), expected="0 to 1",
                                  where=f"world {self.name}")
        if not (self.shapes and self.grounds and self.colours):
            raise ConfigError("a world needs shapes, colours and grounds", where=f"world {self.name}")

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
