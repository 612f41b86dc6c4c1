"""Pink: [x1,y1,x2,y2] in fractions of the picture with three decimals (§3.1); the picture squashed to a square.

Points are [x,y], as in the released code; colours [r,g,b] in 0..255 are ours. Polygons are not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Mark, colour, numbers, row

# a bracket and a number that is a fraction or goes on behind a comma: "[3 cats]" and "[1]" are words
BRACKET = r"\[\s{0,4}[-+]?(?:\d{0,9}\.\d|\d{1,9}\s{0,4}[,;\s]\s{0,4}[-+.\d])"
CUT_BRACKET = r"\[\s{0,4}[-+]?[\d.]{0,12}\s{0,4}[,;]?\s{0,4}"
CUT_LIST = r"\[[^\[\]\n]*\]|\[[\s\d.,;+-]*"

PINK = Codec(
    name="pink",
    groups=(
        Group(Mark("box", row("[", *numbers("box", decimals=3), "]")), ("box",)),
        Group(Mark("point", row("[", *numbers("point", decimals=3), "]")), ("point",)),
        colour(),
    ),
    opening=BRACKET,
    unfinished=CUT_BRACKET,
    stretch=CUT_LIST,
    frame="squash",
)
