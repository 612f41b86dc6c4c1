"""Qwen2.5-VL: pixels of the smart-resized picture, in JSON lists where a label is tied to them.

With a phrase: [{"bbox_2d": [x1, y1, x2, y2], "label": "cup"}], points with "point_2d"; without: [x1, y1, x2, y2] as in
the family's questions, several joined by ", ". Any white space inside the JSON is read, and an object may stand
without list or label; a ```json fence is text around. Colours [r, g, b] are ours; polygons are not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Choice, Group, Many, Mark, Number, Space, Words, colour, numbers, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST


def _list(kind: str, grid: int):
    """[x1, y1, x2, y2] with free white space."""
    spelled = [n for n in numbers(kind, grid) if isinstance(n, Number)]
    inner = [node for n in spelled[1:] for node in (Space(), ",", Space(" "), n)]
    return row("[", Space(), spelled[0], *inner, Space(), "]")


def _object(key: str, kind: str, grid: int) -> tuple:
    head = ("{", Space(), f'"{key}"', Space(), ":", Space(" "), _list(kind, grid), Space())
    label = (",", Space(" "), '"label"', Space(), ":", Space(" "), '"', Words(json=True), '"', Space(), "}")
    return Mark(kind, row(*head, *label)), Mark(kind, row(*head, "}"))


_COMMA = row(Space(), ",", Space(" "))


def family(name: str, grid: int = 0, **more) -> Codec:
    """grid 0: pixels of the model's picture."""
    thing = Choice((*_object("bbox_2d", "box", grid), *_object("point_2d", "point", grid)))
    return Codec(
        name=name,
        groups=(
            Group(row("[", Space(), Many(thing, _COMMA), Space(), "]"), ("box", "point"), tied=True),
            Group(thing, ("box", "point"), tied=True),
            Group(Mark("box", row("[", *numbers("box", grid, comma=", "), "]")), ("box",)),
            Group(Mark("point", row("[", *numbers("point", grid, comma=", "), "]")), ("point",)),
            colour(comma=", "),
        ),
        opening=rf'(?:\[\s{{0,8}})?\{{\s{{0,8}}"(?:bbox|point)_2d"|{BRACKET}',
        unfinished=rf'(?:\[\s{{0,8}})?\{{\s{{0,8}}(?:"\w{{0,8}})?|\[\s{{0,8}}|{CUT_BRACKET}',
        stretch=rf"(?:\[\s{{0,8}})?\{{[^{{}}\n]*\}}|(?:\[\s{{0,8}})?\{{[\s\w\"\[\],.:+-]*|{CUT_LIST}",
        inside=r"\[\s{0,8}\{",
        join=", ",
        **more,
    )


QWEN = family("qwen2.5-vl", space="pixels", frame="smart-resize")
