"""InternVL: <ref>cup</ref><box>[[x1, y1, x2, y2], ...]</box> in whole thousandths of the picture.

The picture is cut into tiles for the model, coordinates are of the whole. Points, polygons and colours are not
defined. Servers that strip special tokens leave [[x1, y1, x2, y2]] alone, which is read leniently.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Text, Words, numbers, row

_BOXES = Many(Mark("box", row("[", *numbers("box", 1000, comma=", "), "]")), Text(", "))

INTERNVL = Codec(
    name="internvl",
    groups=(
        Group(row("<ref>", Words(), "</ref><box>[", _BOXES, "]</box>"), ("box",), tied=True),
        Group(row(Text("<box>[", ("[",)), _BOXES, Text("]</box>", ("]",))), ("box",)),
    ),
    opening=r"</?(?:ref|box)>|\[\s{0,4}\[\s{0,4}[-+.\d]",
    unfinished=r"</?(?:r(?:ef?)?|b(?:ox?)?)|\[\s{0,4}\[\s{0,4}[-+]?",
    stretch=r"<ref>[^<\n]*</ref>(?:<box>[^<\n]*(?:</box>)?)?|<box>[\s\d\[\],.;+-]*(?:</box>)?|</?\w+>"
            r"|\[\s*\[[^\[\]\n]*(?:\][\s,]*\[[^\[\]\n]*)*\]{0,2}",
    marks=("<ref>", "</ref>", "<box>", "</box>"),
)
