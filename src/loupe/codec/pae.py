"""PAE-LaMM: MiniGPT-v2's boxes, rounded to the nearest step; points [x,y] on the same 0..100; colours [r,g,b] 0..255.

The words "loc: " and "rgb: " around points and colours belong to the task (§3.1), not to the codec. The paper does
not say what range its locations have: the boxes' own is our choice. Polygons are not defined.
"""

from dataclasses import replace

from loupe.codec.grammar import Group, Mark, colour, numbers, row
from loupe.codec.minigpt import MINIGPT
from loupe.codec.pink import BRACKET, CUT_BRACKET, CUT_LIST

PAE = replace(
    MINIGPT,
    name="pae",
    groups=(*MINIGPT.groups, Group(Mark("point", row("[", *numbers("point", grid=100), "]")), ("point",)), colour()),
    opening=f"{MINIGPT.opening}|{BRACKET}",
    unfinished=f"{MINIGPT.unfinished}|{CUT_BRACKET}",
    stretch=f"{MINIGPT.stretch}|{CUT_LIST}",
    rounding="nearest",
)
