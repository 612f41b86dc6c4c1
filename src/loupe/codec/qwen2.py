"""Qwen2-VL: <|box_start|>(x1,y1),(x2,y2)<|box_end|> in thousandths of the picture, named by <|object_ref_start|>.

Points are (x,y) between the same marks. Colours [r,g,b] are ours; polygons are not defined.
"""

from loupe.codec.codec import Codec
from loupe.codec.grammar import Group, Many, Mark, Number, Words, colour, row
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

_X, _Y = Number("x", 1000), Number("y", 1000)
_BOX = Mark("box", row("<|box_start|>(", _X, ",", _Y, "),(", Number("x", 1000, 0, 0), ",", Number("y", 1000, 0, 1),
                       ")<|box_end|>"))
_POINT = Mark("point", row("<|box_start|>(", _X, ",", _Y, ")<|box_end|>"))
_NAME = row("<|object_ref_start|>", Words(), "<|object_ref_end|>")

QWEN2 = Codec(
    name="qwen2-vl",
    groups=(
        Group(row(_NAME, Many(_BOX)), ("box",), tied=True),
        Group(row(_NAME, Many(_POINT)), ("point",), tied=True),
        Group(_BOX, ("box",)),
        Group(_POINT, ("point",)),
        colour(),
    ),
    opening=rf"<\|(?:object_ref|box)_(?:start|end)\|>|{BRACKET}",
    unfinished=rf"<\|(?:\w{{0,16}}\|?)?|{CUT_BRACKET}",
    stretch=(r"<\|object_ref_start\|>[^<\n]*<\|object_ref_end\|>(?:<\|box_start\|>[^<\n]*<\|box_end\|>)*"
             rf"|<\|box_start\|>[^<\n]*<\|box_end\|>|<\|box_start\|>[\s\d.,()+-]*|<\|\w+\|>|{CUT_LIST}"),
    marks=("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
)
