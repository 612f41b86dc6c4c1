"""The miniature's codec: one token per coordinate, x and y apart, 101 steps each; colours in three value tokens.

A run of two tokens is a point, four a box, six and more a polygon; a space stands between regions. The embeddings
of the tokens start from the vision tower's position code (see `Codec.starts`).
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Number, row

_X, _Y = Number("x", 100), Number("y", 100)
_POINT = row("<x_", _X, "><y_", _Y, ">")
_BOX = row("<x_", _X, "><y_", _Y, "><x_", Number("x", 100, 0, 0), "><y_", Number("y", 100, 0, 1), ">")
_V = Number("value", 100)

XY = Codec(
    name="xy",
    groups=(
        Group(Mark("box", _BOX), ("box",)),
        Group(Mark("point", _POINT), ("point",)),
        Group(Mark("polygon", Many(_POINT, least=3)), ("polygon",)),
        Group(Mark("colour", row("<v_", _V, "><v_", _V, "><v_", _V, ">")), ("colour",)),
    ),
    opening=r"<[xyv]_",
    unfinished=r"<[xyv]",
    stretch=r"(?:<[xyv]_[^<>\s]*>?)+",
    touch=False,
    spaced=False,
    locations=(("x", "<x_{}>", 100), ("y", "<y_{}>", 100), ("value", "<v_{}>", 100)),
)
