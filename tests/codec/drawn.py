"""What hypothesis draws for the codec tests: frames, regions inside a view, and texts."""

from dataclasses import replace

from hypothesis import strategies as st

from loupe.codec import CODECS
from loupe.errors import RegionError
from loupe.frame import FRAMES, Frame, frame
from loupe.regions import Box, Colour, Point, Polygon
from loupe.sample import Regions

KINDS = {name: sorted({k for g in c.groups for k in g.kinds}) for name, c in CODECS.items()}


@st.composite
def frames(draw) -> Frame:
    """Every way to make a frame, over sizes and aspect ratios, also mirrored and cut to a part of the picture."""
    width, height = draw(st.integers(8, 3000)), draw(st.integers(8, 3000))
    name = draw(st.sampled_from(sorted(FRAMES)))
    try:
        made = frame(name, width, height, draw(st.sampled_from([96, 224, 336, 448])))
    except RegionError:  # too elongated for smart resize
        made = frame("squash", width, height, 224)
    if draw(st.booleans()):
        x, y = draw(st.floats(0, width / 2)), draw(st.floats(0, height / 2))
        made = replace(made, view=Box(x, y, x + draw(st.floats(4, width / 2)), y + draw(st.floats(4, height / 2))))
    return replace(made, flip=draw(st.booleans()))


def _points(draw, made: Frame, count: int) -> list[tuple[float, float]]:
    share = st.floats(0, 1)
    v = made.view
    return [(v.x1 + draw(share) * v.width, v.y1 + draw(share) * v.height) for _ in range(count)]


@st.composite
def regions(draw, made: Frame, kind: str):
    """A region of this kind inside the view."""
    if kind == "colour":
        return Colour(*(draw(st.integers(0, 255)) for _ in range(3)))
    if kind == "point":
        return Point(*_points(draw, made, 1)[0])
    if kind == "polygon":
        return Polygon(tuple(_points(draw, made, draw(st.integers(3, 7)))))
    (xa, ya), (xb, yb) = _points(draw, made, 2)
    return Box(min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb))


WORDS = st.sampled_from(["the cup", "a dog, left", "Ünï 猫", 'say "hi"', "50% [off]", "x<y", "(a)", "{b}"])
BETWEEN = st.sampled_from([" and ", ". ", ", ", "\n", " is [left] of ", " (2) ", " 0.5 ", "; "])


@st.composite
def answers(draw, name: str, made: Frame) -> str:
    """A text as a task would have it written: words, regions, tied regions, colours."""
    codec, out = CODECS[name], draw(st.sampled_from(["", "It is ", "Yes: "]))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(KINDS[name]))
        if kind == "colour":
            part = draw(regions(made, kind))
        else:
            many = tuple(draw(regions(made, kind)) for _ in range(draw(st.integers(1, 3))))
            part = Regions(many, draw(st.one_of(st.just(""), WORDS)))
        out += codec.text(part, made) + draw(BETWEEN)
    return out
