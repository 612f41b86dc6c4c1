"""Printed words, both ways; colours of places; captions with boxes."""

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.errors import ConfigError
from loupe.image import Image, downsampled
from loupe.record import Object, Relation, Word
from loupe.regions import Box, Colour, Point
from loupe.sample import Regions, user
from loupe.tasks import task
from tests.handmade import CUP_LEFT, CUP_RIGHT, MAN, TABLE, kitchen
from tests.tasks.test_tasks import answer, asked, drawn

TEA, ICE = Box(12, 12, 18, 15), Box(72, 12, 80, 15)


def test_reading_by_hand():
    record = kitchen(words=(Word("TEA", TEA, "c1"), Word("ICE", ICE, "t"), Word("ice ", MAN, "t"), Word(" ", MAN)))
    found = asked("reading", record)
    assert {k: s.extra["truth"] for k, s in found.items()} == {
        "read:0": "TEA", "read:0:object": "TEA", "find:0": TEA, "read:1": "ICE", "read:2": "ice"}
    assert found["read:0:object"].turns == (user("What does ", CUP_LEFT, " say?"),)
    assert found["find:0"].turns == (user("Where does the picture say TEA?"),)
    assert {answer(s) for s in drawn("reading", record, kinds=["find"])} == {(Regions((TEA,)),)}
    assert {answer(s) for s in drawn("reading", record, kinds=["read"])} == {("TEA",), ("ICE",), ("ice",)}


def test_reconstruction_is_the_squeezed_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    record = kitchen(image=Image.of(pixels), width=60, height=40)
    small = np.asarray(Pillow.fromarray(pixels).resize((8, 8), Pillow.Resampling.BOX))
    every = task("reconstruction", size=8, filter="box", each=None).every(record)
    assert len(every) == 64
    for k, s in enumerate(every):
        column, row = k % 8, k // 8
        assert s.turns == (user("Which colour has the pixel at ", Point((column + 0.5) * 7.5, (row + 0.5) * 5), "?"),)
        assert s.extra["truth"] == Colour(*small[row, column].tolist())
    some = task("reconstruction", size=8, filter="box").every(record)
    assert len(some) == 16 and {s.id for s in some} < {s.id for s in every}
    one = task("reconstruction", size=8, filter="box")(record, np.random.default_rng(0))
    assert answer(one) == (one.extra["truth"],)


def test_downsampled_is_kept_and_checked():
    image = kitchen().image
    assert downsampled(image, 4) is downsampled(image, 4)
    assert not downsampled(image, 4).flags.writeable and downsampled(image, 4).shape == (4, 4, 3)
    with pytest.raises(ConfigError, match="did you mean 'bicubic'"):
        downsampled(image, 4, "bicubik")


def test_grounded_caption_by_hand():
    cups = (Object("a", CUP_LEFT, ("cup",), ("red",)), Object("b", CUP_RIGHT, ("egg",)), Object("m", MAN, ("man",)))
    s = drawn("grounded-caption", kitchen(objects=cups, relations=()), tries=1)[0]
    assert answer(s) == ("A red cup ", Regions((CUP_LEFT,), "a red cup"), " to the left of a man ",
                         Regions((MAN,), "a man"), ", an egg ", Regions((CUP_RIGHT,), "an egg"), ".")
    assert s.extra["truth"] == (CUP_LEFT, "a red cup", MAN, "a man", CUP_RIGHT, "an egg")
    related = kitchen(objects=cups, relations=(Relation("a", "given by", "m"),))
    assert " given by a man " in answer(drawn("grounded-caption", related, tries=1)[0])
    two = drawn("grounded-caption", kitchen(objects=(cups[2], Object("t", TABLE, ("table",)))), tries=1)[0]
    assert [p for p in answer(two) if isinstance(p, str)] == ["A table ", " and a man ", "."]
    assert len(drawn("grounded-caption", kitchen(objects=cups), tries=1, most=2)[0].extra["truth"]) == 4
    orders = {s.extra["truth"] for s in drawn("grounded-caption", kitchen(objects=cups), tries=60, order="drawn")}
    assert len(orders) == 6
    assert {x.extra["truth"] for x in task("grounded-caption", order="drawn").every(kitchen(objects=cups))} == {
        s.extra["truth"]}
