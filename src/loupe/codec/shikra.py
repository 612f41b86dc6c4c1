"""Shikra: [x1,y1,x2,y2] in fractions of the padded square with three decimals, `;` between boxes; points [x,y;x,y].

The square is the one loupe.frame.pad makes: white, the picture in the middle. Colours [r,g,b] are ours; polygons are
not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Text, colour, numbers, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

SHIKRA = Codec(
    name="shikra",
    groups=(
        Group(row("[", Many(Mark("box", row(*numbers("box", decimals=3))), Text(";")), "]"), ("box",)),
        Group(row("[", Many(Mark("point", row(*numbers("point", decimals=3))), Text(";")), "]"), ("point",)),
        colour(),
    ),
    opening=BRACKET,
    unfinished=CUT_BRACKET,
    stretch=CUT_LIST,
    frame="pad",
)
