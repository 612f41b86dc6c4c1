"""MiniGPT-v2: {<x1><y1><x2><y2>} in whole hundredths of the picture, <p>phrase</p> before it, <delim> between boxes.

The family truncates (int(x / W * 100)), so what it writes lies half a bin up and left on average; this codec does
the same, to read and feed its weights faithfully. Train with `pae`, which rounds. Points, polygons and colours are
not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Number, Text, Words, row

BOXES = Many(Mark("box", row("{<", Number("x", 100), "><", Number("y", 100), "><", Number("x", 100, 0, 0), "><",
                             Number("y", 100, 0, 1), ">}")), Text("<delim>"))

MINIGPT = Codec(
    name="minigpt",
    groups=(
        Group(row("<p>", Words(), "</p> ", BOXES), ("box",), tied=True),
        Group(BOXES, ("box",)),
    ),
    opening=r"\{\s{0,4}<\s{0,4}[-+.\d]|</?p>|<delim>",
    unfinished=r"\{\s{0,4}(?:<\s{0,4})?|</?p|<d(?:e(?:l(?:im?)?)?)?|</",
    stretch=r"<p>[^<\n]*</p>(?:\s?\{[\s\d<>.,+-]*\}?(?:<delim>)?)*|\{[\s\d<>.,+-]*\}?|</?p>|<delim>",
    frame="squash",
    rounding="down",
)
