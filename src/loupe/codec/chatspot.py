"""ChatSpot: <box>x1,y1,...</box> around any number of points in fractions of the picture (§3.2).

One point is a point, two are the corners of a box, three and more a polygon. The paper leaves the digits open: three
decimals and commas without spaces are our choice, as in its neighbours. Colours [r,g,b] in 0..255 are ours.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Text, colour, numbers, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

_POINT = row(*numbers("point", decimals=3))

CHATSPOT = Codec(
    name="chatspot",
    groups=(
        Group(Mark("box", row("<box>", *numbers("box", decimals=3), "</box>")), ("box",)),
        Group(Mark("point", row("<box>", _POINT, "</box>")), ("point",)),
        Group(Mark("polygon", row("<box>", Many(_POINT, Text(","), least=3), "</box>")), ("polygon",)),
        colour(),
    ),
    opening=f"</?box>|{BRACKET}",
    unfinished=f"</?b(?:ox?)?|{CUT_BRACKET}",
    stretch=rf"<box>[^<\n]*</box>|<box>[\s\d.,;:+-]*|</box>|{CUT_LIST}",
    marks=("<box>", "</box>"),
)
