"""A growing answer is told without ever taking anything back, in every family's spelling."""

import random

import pytest

from loupe.codec import CODECS, codec
from loupe.codec.reading import settled
from loupe.errors import LoupeError
from loupe.frame import frame
from loupe.regions import Box, Colour, Polygon
from loupe.sample import Answer, Found, Problem, Regions
from loupe.serving.unfolding import Unfolding, problems, told

WORDS = (" a cup ", " and ", " [1] ", "{", "<", " < 3 ", ", ", "the [3 cats]", "\n", "é")


def piece(made, place, rng) -> str:
    """Words, a region of some kind, or a region with a mistake in it."""
    x, y = rng.uniform(0, 60), rng.uniform(0, 50)
    box = Box(x, y, x + rng.uniform(1, 30), y + rng.uniform(1, 25))
    kind = rng.choice(("words", "words", "box", "point", "polygon", "colour", "tied", "mistake"))
    if kind == "words":
        return rng.choice(WORDS)
    if kind == "mistake":
        text = made.text(box, place)
        at = rng.randrange(len(text))
        return text[:at] + rng.choice(("", "9", "x", " ")) + text[at + 1:]
    part = {"box": box, "point": box.centre, "polygon": Polygon(((x, y), (x + 9, y), (x, y + 9))),
            "colour": Colour(1, 2, 3), "tied": Regions((box, box), "the cup")}[kind]
    try:
        return made.text(part, place)
    except LoupeError:
        return "no such thing here"


@pytest.mark.parametrize("name", CODECS)
def test_nothing_is_taken_back(name):
    made, rng = codec(name), random.Random(f"{name} 1")
    place = frame(made.frame or "squash", 96, 80, 96)
    for _ in range(12):
        text = "".join(piece(made, place, rng) for _ in range(rng.randint(1, 5)))
        whole = made.parse(text, place)
        growing = Unfolding(lambda t: made.parse(t, place), lambda t: settled(made, t, place))
        content, regions, at = "", [], 0
        while at < len(text):
            at = min(len(text), at + rng.choice((1, 2, 5)))
            for new, more in (growing.grow(text[:at]),):
                content, regions = content + new, regions + more
        new, more = growing.end(Answer(whole.parts))
        assert (content + new, regions + more) == told(whole.parts), text


def test_words_do_not_wait_for_the_end():
    made = codec("xy")
    place = frame("squash", 100, 100, 96)
    growing = Unfolding(lambda t: made.parse(t, place), lambda t: settled(made, t, place))
    text = "a cup <x_10><y_20><x_30><y_40> here"
    assert growing.grow(text[:5]) == ("a cup", [])
    assert growing.grow(text[:20]) == (" ", [])  # half a region
    assert growing.grow(text[:30]) == ("", [])  # two more tokens would make a polygon of it
    content, (region,) = growing.grow(text[:33])
    assert content.startswith("[1]") and region["box"] == pytest.approx([10, 20, 30, 40])


def test_plain_text_waits_for_whole_characters():
    growing = Unfolding()
    assert growing.grow("caf\ufffd") == ("caf", [])
    assert growing.grow("café") == ("é", [])


def test_spans_point_at_the_places():
    content, regions = told(("Left", Found(Box(0, 0, 2, 2), 0.5, "cup"), " right ", Found(Box(1, 1, 3, 3)), "."))
    assert content == "Left [1] right [2]."
    assert [content[slice(*r["span"])] for r in regions] == ["[1]", "[2]"]
    assert (regions[0]["phrase"], regions[0]["score"], regions[1]["score"]) == ("cup", 0.5, None)
    assert told((Colour(255, 0, 16),)) == ("#ff0010", [])


def test_what_cannot_be_read_is_named():
    answer = Answer((), (Problem("truncated", "<x_1", 0, "the rest of the region"),), "<x_1")
    assert problems(answer) == [{"kind": "truncated",
                                 "message": "'<x_1' is no region, expected the rest of the region"}]
