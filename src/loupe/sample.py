"""One dialogue about pictures before any codec or mark (Sample), and what came back (Answer)."""

from __future__ import annotations

from dataclasses import dataclass, field

from loupe.errors import ConfigError
from loupe.image import Image
from loupe.regions import Box, Colour, Mask, Point, Polygon, Region


@dataclass(frozen=True)
class Regions:
    """One or several regions said together; `phrase` names what they are, for codecs that tie name and box."""

    regions: tuple[Region, ...]
    phrase: str = ""


@dataclass(frozen=True)
class ImageMark:
    """Where a picture stands in the text; pictures not marked stand first, in order."""

    image: int = 0


Part = str | Regions | Colour | ImageMark


@dataclass(frozen=True)
class Turn:
    role: str  # "user" or "assistant"
    parts: tuple[Part, ...]

    def __post_init__(self):
        if self.role not in ("user", "assistant"):
            raise ValueError(f"Turn.role is 'user' or 'assistant', got {self.role!r}")


@dataclass(frozen=True)
class Sample:
    """Turns alternate, user first; loss falls on assistant turns. A question to be asked ends with a user turn.

    canvas: width and height, in pixels, of what regions are measured on where there is no picture.
    """

    images: tuple[Image, ...]
    turns: tuple[Turn, ...]
    task: str = ""  # name in TASKS; a Dialogue may turn it into a task tag
    id: str = ""
    record: str = ""  # id of the Record it was made from
    extra: dict = field(default_factory=dict, compare=False)  # what a metric needs: e.g. {"truth": ..., "object": ...}
    canvas: tuple[int, int] | None = None

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of what regions may lie on: the pictures, or the canvas alone."""
        return tuple(image.size for image in self.images) or ((self.canvas,) if self.canvas else ())


@dataclass(frozen=True)
class Found:
    """A region the model said, in pixels of the original image."""

    region: Region
    score: float | None = None  # probability of its tokens (geometric mean), None if the predictor gives none
    phrase: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a stretch of generated text is not a region. `repair` is a lenient reading, never used for strict scores."""

    kind: str  # "truncated", "inverted", "out_of_range", "garbage"
    text: str
    at: int  # character offset in the answer
    expected: str = ""
    repair: Region | Colour | None = None


@dataclass(frozen=True)
class Answer:
    parts: tuple[str | Found | Colour, ...]
    problems: tuple[Problem, ...] = ()
    raw: str = ""  # exactly what was generated
    score: float | None = None  # geometric mean probability of the generated tokens

    @property
    def text(self) -> str:
        """The words without the regions."""
        return " ".join("".join(p if isinstance(p, str) else " " for p in self.parts).split())

    @property
    def found(self) -> tuple[Found, ...]:
        return tuple(p for p in self.parts if isinstance(p, Found))

    @property
    def regions(self) -> tuple[Region, ...]:
        return tuple(f.region for f in self.found)

    def __str__(self) -> str:
        return self.raw


def user(*parts: Part | Region | Found) -> Turn:
    return Turn("user", tuple(part_of(p) for p in parts))


def assistant(*parts: Part | Region | Found) -> Turn:
    return Turn("assistant", tuple(part_of(p) for p in parts))


PLACED = (Point, Box, Polygon, Mask, Found, Regions, Colour, ImageMark)


def part_of(given: Part | Region | Found) -> Part:
    """What a person gives, as a part of a turn; ConfigError if it is neither words nor a region."""
    if isinstance(given, Found):
        given = given.region
    if isinstance(given, (Point, Box, Polygon, Mask)):
        return Regions((given,))
    if isinstance(given, (str, Regions, Colour, ImageMark)):
        return given
    kind = {2: "Point", 4: "Box"}.get(len(given)) if isinstance(given, (tuple, list)) else None
    raise ConfigError("a question is made of words and regions", got=repr(given),
                      expected="text, Point, Box, Polygon or Mask",
                      do=f"write loupe.{kind}{tuple(given)}, in pixels of the picture" if kind else None)


def turn(*parts: Part | Region | Found) -> Turn:
    """A user's turn as one would type it: a space goes between a word and a region, none before "?"."""
    out: list[Part] = []
    for part in map(part_of, parts):
        if out and isinstance(part, str) != isinstance(out[-1], str):
            if isinstance(part, str) and part[:1].isalnum():
                part = " " + part
            elif isinstance(out[-1], str) and out[-1] and not out[-1][-1].isspace() and out[-1][-1] not in "([{\"'":
                out[-1] += " "
        out.append(part)
    if not any(p.strip() if isinstance(p, str) else not isinstance(p, ImageMark) for p in out):
        raise ConfigError("there is no question", got=repr(parts), expected="words or regions")
    return Turn("user", tuple(out))
