"""Ferret: [x1, y1, x2, y2] in whole thousandths of the picture, squashed to a square; points [x, y].

The family truncates (int(x / W * 1000)), so what it writes lies half a bin up and left on average; this codec does the
same, to read and feed its data and weights faithfully. Its region features have no place in words. Colours [r, g, b]
and ", " between several boxes are ours; polygons are not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Mark, colour, numbers, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

FERRET = Codec(
    name="ferret",
    groups=(
        Group(Mark("box", row("[", *numbers("box", 1000, comma=", "), "]")), ("box",)),
        Group(Mark("point", row("[", *numbers("point", 1000, comma=", "), "]")), ("point",)),
        colour(comma=", "),
    ),
    opening=BRACKET,
    unfinished=CUT_BRACKET,
    stretch=CUT_LIST,
    join=", ",
    frame="squash",
    rounding="down",
)
