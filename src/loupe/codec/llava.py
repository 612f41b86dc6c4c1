"""LLaVA-1.5: [x1, y1, x2, y2] in fractions of the padded square with two decimals.

The square is the one loupe.frame.pad_mean makes. Fewer decimals are read too: the training texts have 0.9 for 0.90.
Points are [x, y]; colours [r, g, b] are ours; polygons are not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Mark, colour, numbers, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

LLAVA = Codec(
    name="llava",
    groups=(
        Group(Mark("box", row("[", *numbers("box", decimals=2, comma=", ", fewer=True), "]")), ("box",)),
        Group(Mark("point", row("[", *numbers("point", decimals=2, comma=", ", fewer=True), "]")), ("point",)),
        colour(comma=", "),
    ),
    opening=BRACKET,
    unfinished=CUT_BRACKET,
    stretch=CUT_LIST,
    join=", ",
    frame="pad-mean",
)
