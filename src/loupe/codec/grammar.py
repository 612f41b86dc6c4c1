"""How a family spells regions, as one small value; writing, reading and step-by-step checks all follow from it.

A grammar is a tree of nodes. `Mark` surrounds what spells one region; around it stand the marks of a group (a tag
tied to several boxes, a list in brackets). Numbers are grid steps k: the fraction k / grid of the picture's side, of
0..255 for colours, or a model pixel where grid is 0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from loupe.errors import CodecError

LONGEST_SPACE = 8  # characters of white space read between two marks
BIGGEST_PIXEL = 99999  # where the model's picture is not known


@dataclass(frozen=True)
class Text:
    text: str
    also: tuple[str, ...] = ()  # other spellings met in the wild: read leniently, never written


@dataclass(frozen=True)
class Space:
    """Written as `text`; none or some white space is read, up to LONGEST_SPACE characters."""

    text: str = ""


@dataclass(frozen=True)
class Number:
    axis: str  # "x", "y", or "value" for a colour channel
    grid: int = 0  # highest step; 0: pixels of the model's picture
    decimals: int = 0  # k / grid written with so many decimals (then grid is 10 ** decimals); 0: k itself
    floor: int = -1  # index in the region of the number this one must not be below (x2 >= x1); -1: none
    fewer: bool = False  # fewer decimals are read, too

    def top(self, size: tuple[int, int] | None) -> int:
        """The highest step, for a model picture of size (width, height)."""
        if self.grid:
            return self.grid
        return BIGGEST_PIXEL if size is None else size[self.axis == "y"]

    def write(self, k: int) -> str:
        if not self.decimals:
            return str(k)
        whole, part = divmod(k, self.grid)
        return f"{whole}.{part:0{self.decimals}d}"

    def read(self, spelled: str) -> int:
        """The step of an exactly spelled number."""
        if not self.decimals:
            return int(spelled)
        digits = spelled.replace(".", "", 1)
        return int(digits) * 10 ** (self.decimals + 1 - len(digits))

    def may(self, spelled: str, low: int, high: int) -> bool:
        """Whether `spelled` begins the spelling of a step in low..high."""
        digits = spelled
        if self.decimals:
            if len(spelled) > self.decimals + 2 or (len(spelled) > 1 and spelled[1] != "."):
                return False
            digits = spelled[:1] + spelled[2:]
        if not (digits.isascii() and digits.isdigit()):
            return False
        k = int(digits)
        if self.decimals:
            wide = 10 ** (self.decimals + 1 - len(digits))
            return k * wide <= high and k * wide + wide > low
        if digits[0] == "0":
            return digits == "0" and low <= 0
        wide = 1
        while k * wide <= high:
            if k * wide + wide > low:
                return True
            wide *= 10
        return False

    def full(self, spelled: str, low: int, high: int) -> bool:
        """Whether `spelled` (which `may` allowed) is a whole number in low..high."""
        if self.decimals:
            whole = len(spelled) == self.decimals + 2
            return whole or (self.fewer and spelled[-1:].isdigit() and low <= self.read(spelled) <= high)
        return bool(spelled) and low <= int(spelled) <= high


@dataclass(frozen=True)
class Words:
    """The phrase tied to the regions: anything without `<` and line breaks, or the inside of a JSON string."""

    json: bool = False

    def write(self, phrase: str) -> str:
        """Characters that would end the phrase or break the line become spaces."""
        plain = "".join(" " if _unwritable(c) or (c == "<" and not self.json) else c for c in phrase)
        return json.dumps(plain, ensure_ascii=False)[1:-1] if self.json else plain

    def read(self, spelled: str) -> str:
        return json.loads(f'"{spelled}"') if self.json else spelled

    def may(self, spelled: str, c: str) -> bool:
        """Whether `c` may follow."""
        if _unwritable(c):
            return False
        if not self.json:
            return c != "<"
        return c in '"\\/bfnrt' if self._escaped(spelled) else c != '"'

    def full(self, spelled: str) -> bool:
        return not self._escaped(spelled) if self.json else bool(spelled.strip())

    @staticmethod
    def _escaped(spelled: str) -> bool:
        return (len(spelled) - len(spelled.rstrip("\\"))) % 2 == 1


@dataclass(frozen=True)
class Row:
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Many:
    item: Node
    separator: Node | None = None
    least: int = 1


@dataclass(frozen=True)
class Mark:
    kind: str  # "point", "box", "polygon", "colour"
    item: Node


@dataclass(frozen=True)
class Group:
    """One way to write regions together; `tied` when a phrase is part of it."""

    item: Node
    kinds: tuple[str, ...]
    tied: bool = False

    @property
    def shared(self) -> bool:
        """Whether one phrase stands for all regions of the group (a tag), rather than one in each (a label)."""
        return self.tied and not any(_holds_words(m) for k in self.kinds for m in marks(self.item, k))


Node = Text | Space | Number | Words | Row | Choice | Many | Mark
NODES = {cls.__name__: cls for cls in (Text, Space, Number, Words, Row, Choice, Many, Mark, Group)}


def row(*items: Node | str) -> Row:
    return Row(tuple(Text(i) if isinstance(i, str) else i for i in items))


def numbers(kind: str, grid: int = 0, decimals: int = 0, comma: str = ",", fewer: bool = False) -> tuple[Node, ...]:
    """The numbers of a region with a comma between: 2 for a point, 4 for a box (right >= left), 3 for a colour."""
    if kind == "colour":
        spelled = [Number("value", 255)] * 3
    else:
        grid = 10 ** decimals if decimals else grid
        count = 4 if kind == "box" else 2
        spelled = [Number("xy"[i % 2], grid, decimals, i - 2 if i > 1 else -1, fewer) for i in range(count)]
    out = [spelled[0]]
    for number in spelled[1:]:
        out += [Text(comma), number]
    return tuple(out)


def colour(comma: str = ",") -> Group:
    """[r,g,b] with whole numbers 0..255."""
    return Group(Mark("colour", row("[", *numbers("colour", comma=comma), "]")), ("colour",))


def _inner(node) -> tuple:
    """The nodes inside a node."""
    return getattr(node, "items", None) or ((node.item,) if hasattr(node, "item") else ())


def _holds_words(node) -> bool:
    return isinstance(node, Words) or any(_holds_words(i) for i in _inner(node))


def holds_mark(node) -> bool:
    return isinstance(node, Mark) or any(holds_mark(i) for i in _inner(node))


def marks(node, kind: str) -> list[Mark]:
    """Every Mark of one kind in a grammar."""
    if isinstance(node, Mark):
        return [node] if node.kind == kind else []
    return [m for i in _inner(node) for m in marks(i, kind)]


def spelled_numbers(node) -> list[Number]:
    """The Numbers of a Mark in order (those of a repeated point once per least repetition)."""
    if isinstance(node, Number):
        return [node]
    if isinstance(node, Many):
        return spelled_numbers(node.item) * max(1, node.least)
    return [n for i in _inner(node) for n in spelled_numbers(i)]


def _unwritable(c: str) -> bool:
    """Control characters and halves of surrogate pairs."""
    return ord(c) < 32 or 0xD800 <= ord(c) < 0xE000


class Writer:
    """Writes regions given as (kind, steps, phrase) through one group; takes as many as the group holds."""

    def __init__(self, pending: list[tuple[str, list[int], str]]):
        self.pending = list(pending)
        self.steps: list[int] = []
        self.phrase = ""

    def write(self, node) -> str:
        if isinstance(node, (Text, Space)):
            return node.text
        if isinstance(node, Number):
            return node.write(self.steps.pop(0))
        if isinstance(node, Words):
            return node.write(self.phrase or self.pending[0][2])
        if isinstance(node, Row):
            return "".join(self.write(i) for i in node.items)
        if isinstance(node, Choice):
            return self.write(next(i for i in node.items if marks(i, self.pending[0][0])))
        if isinstance(node, Mark):
            _, self.steps, self.phrase = self.pending.pop(0)
            text = self.write(node.item)
            self.phrase = ""
            return text
        return self._many(node)

    def _many(self, node: Many) -> str:
        left = self.pending if holds_mark(node) else self.steps
        out = self.write(node.item)
        while left:
            out += (self.write(node.separator) if node.separator else "") + self.write(node.item)
        return out


def plain(value) -> object:
    """A grammar as JSON-able data: nodes as {"node": name, field: value}."""
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if type(value).__name__ in NODES and not isinstance(value, (str, int)):
        return {"node": type(value).__name__, **{f.name: plain(getattr(value, f.name)) for f in fields(value)}}
    return value


def from_plain(data) -> object:
    if isinstance(data, list):
        return tuple(from_plain(v) for v in data)
    if isinstance(data, dict):
        name = data.get("node")
        if name not in NODES:
            raise CodecError("codec description has an unknown node", got=repr(name), expected=", ".join(NODES))
        try:
            return NODES[name](**{k: from_plain(v) for k, v in data.items() if k != "node"})
        except TypeError as error:
            raise CodecError(f"codec description does not fit node {name}", got=error) from None
    return data
