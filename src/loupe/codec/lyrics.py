"""Lyrics: <br><T>tag</T><Bbox>(x1,y1),(x2,y2)</Box></br> (§3.1).

Written as the paper prints it, the unlike marks Bbox and Box included (which of the two is the misprint cannot be
known; <Box> and </Bbox> are read leniently). Decided here, as the paper is silent: fractions of the picture with
three decimals; a tag with several boxes repeats <Bbox>..</Box> inside one <br>; a region without tag is <Bbox>..</Box>
alone, several of these separated by a space; colours are [r,g,b]. Points and polygons are not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Number, Text, Words, colour, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

_X1, _Y1 = Number("x", 1000, 3), Number("y", 1000, 3)
_X2, _Y2 = Number("x", 1000, 3, 0), Number("y", 1000, 3, 1)
_BOX = Mark("box", row(Text("<Bbox>", ("<Box>",)), "(", _X1, ",", _Y1, "),(", _X2, ",", _Y2, ")",
                       Text("</Box>", ("</Bbox>",))))

LYRICS = Codec(
    name="lyrics",
    groups=(
        Group(row("<br><T>", Words(), "</T>", Many(_BOX), "</br>"), ("box",), tied=True),
        Group(_BOX, ("box",)),
        colour(),
    ),
    opening=f"</?(?:br|T|Bbox|Box)>|{BRACKET}",
    unfinished=f"</?(?:br|T|B(?:b(?:ox?)?|ox?)?)|{CUT_BRACKET}",
    stretch=rf"<br><T>[^<\n]*</T>(?:<B?[Bb]ox>[^<\n]*</B?[Bb]ox>)*(?:</br>)?|<B?[Bb]ox>[\s\d.,;:()+-]*(?:</B?[Bb]ox>)?"
            rf"|</?\w+>|{CUT_LIST}",
    marks=("<br>", "</br>", "<T>", "</T>", "<Bbox>", "</Box>"),
)
