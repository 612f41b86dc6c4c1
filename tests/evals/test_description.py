"""Does a description single out one object? Cases worked by hand, and the world's own expressions."""

import numpy as np
import pytest

from loupe import world
from loupe.evals.description import fit, parse
from loupe.evals.things import Scene, filled, hull, scene_of
from loupe.image import Image
from loupe.record import Object, Record, Relation, Word
from loupe.regions import Box, Mask
from loupe.world.expressions import Referring
from loupe.world.scene import generator, make


def scene(*objects: Object, words=(), relations=()) -> Scene:
    return Scene(scene_of(Record(Image(data=b""), 100, 100, "r", "hand", objects=objects, words=words,
                                 relations=relations)))


RED = Object("red", Box(10, 40, 20, 50), ("star",), ("small", "red"))
BLUE = Object("blue", Box(40, 42, 60, 62), ("star",), ("striped", "blue"))
DISC = Object("disc", Box(78, 10, 94, 26), ("circle", "disc"), ("white",))
THREE = scene(RED, BLUE, DISC)


@pytest.mark.parametrize("text,meant", [
    ("star", None), ("the red star", "red"), ("Blue star.", "blue"), ("circle", "disc"), ("a disc", "disc"),
    ("small star", "red"), ("medium star", "blue"), ("plain star", "red"), ("striped star", "blue"),
    ("star that is striped all over", "blue"), ("red circle", None), ("large star", None), ("moon", None),
    ("leftmost star", "red"), ("star on the right", "blue"), ("right star", "blue"), ("rightmost star", "blue"),
    ("star furthest to the left", "red"), ("first star from the right", "blue"), ("second star from the right", "red"),
    ("third star from the left", None), ("top star", None),  # centres 45 and 52 apart by 7: clear from 5 on
    ("largest star", "blue"), ("smallest star", "red"), ("biggest circle", "disc"),
    ("star left of the circle", None),  # both are
    ("star left of the blue star", "red"), ("star to the right of the red star", "blue"),
    ("star right of the circle", None), ("star near the star", None),
    ("circle in the top right corner", "disc"), ("top right circle", "disc"), ("star in the top right corner", None),
    ("star in the middle of the picture", "blue"), ("star on the left side of the picture", "red"),
])
def test_what_is_meant_of_three(text, meant):
    found = fit(text, THREE)
    if text == "top star":
        assert found.only("red")
    else:
        assert [o for o in ("red", "blue", "disc") if found.only(o)] == ([meant] if meant else [])


@pytest.mark.parametrize("text", ["", "something red", "the", "red", "star and circle", "star the circle",
                                  "very red star", "red blue star", "star left of", "star left of something"])
def test_other_words_prove_nothing(text):
    assert parse(text) is None


def test_two_equal_things_are_told_apart_by_order_alone():
    twins = scene(Object("a", Box(10, 10, 20, 20), ("star",), ("red",)),
                  Object("b", Box(50, 12, 60, 22), ("star",), ("red",)))
    assert not fit("red star", twins).only("a") and fit("red star", twins).loose == {"a", "b"}
    assert fit("left red star", twins).only("a") and fit("red star on the right", twins).only("b")
    assert not fit("topmost red star", twins).only("a")  # 2 px are no clear difference
    assert fit("star left of the star", twins).strict == frozenset()  # which star?


def test_printed_words_and_annotated_relations():
    signs = scene(Object("a", Box(10, 10, 40, 30), ("sign",)), Object("b", Box(50, 10, 80, 30), ("sign",)),
                  words=(Word("CAFE", Box(12, 12, 30, 20), "a"), Word("SALE", Box(52, 12, 70, 20), "b")))
    assert fit("sign that says cafe", signs).only("a") and fit("the sign with SALE printed on it", signs).only("b")
    assert not fit("sign with the word OPEN", signs).loose
    pair = (Object("a", Box(10, 10, 30, 40), ("moon",)), Object("b", Box(30, 10, 60, 40), ("star",)))
    assert not fit("moon behind the star", scene(*pair)).only("a")  # nothing hidden can be seen
    assert fit("moon touching the star", scene(*pair)).only("a")
    assert fit("moon behind the star", scene(*pair, relations=(Relation("a", "behind", "b"),))).only("a")


def test_a_rival_that_might_be_meant_spoils_it():
    """Strictly left of the circle is the first star alone; the second lies a little to the left, too."""
    circle = Object("c", Box(70, 40, 80, 50), ("circle",))
    near = scene(Object("a", Box(10, 40, 20, 50), ("star",)), Object("b", Box(66, 10, 76, 20), ("star",)), circle)
    assert not fit("star left of the circle", near).only("a")
    far = scene(Object("a", Box(10, 40, 20, 50), ("star",)), Object("b", Box(85, 10, 95, 20), ("star",)), circle)
    assert fit("star left of the circle", far).only("a")


def test_the_worlds_own_expressions_are_proven():
    """Drawn anew, not those of the records: all by attribute, order, size, word, place; nearly all by relation."""
    counts = dict.fromkeys(("relation", "sentence"), (0, 0))
    for index in range(12):
        made = make(5, index, "val", world="mini")
        record = world.record(made)
        judged, referring = Scene(scene_of(record)), Referring(made, generator(99, "other", index))
        for thing in referring.things:
            for e in referring.of(thing):
                good = fit(e.text, judged).only(record.objects[e.thing].id)
                if e.kind in counts:
                    counts[e.kind] = counts[e.kind][0] + good, counts[e.kind][1] + 1
                else:
                    assert good, e
    for kind, (good, count) in counts.items():
        assert count > 30 and good / count > 0.9, kind


def test_no_expression_is_taken_for_another_thing():
    for index in range(6):
        record = world.record(make(6, index, "val", world="mini"))
        judged = Scene(scene_of(record))
        for phrase in record.phrases:
            if phrase.refers:
                found = fit(phrase.text, judged)
                assert not any(found.only(o.id) for o in record.objects if o.id != phrase.object), phrase


def test_outlines():
    ring = np.ones((5, 6), bool)
    ring[1:-1, 1:-1] = False
    assert filled(ring).all()
    ring[2, 0] = False  # a way in
    assert (filled(ring) == ring).all()
    corner = np.zeros((4, 4), bool)
    corner[0, 0] = corner[3, 0] = corner[3, 3] = True
    assert (hull(corner) == np.tril(np.ones((4, 4), bool))).all()
    thing = scene(Object("a", Box(0, 0, 4, 4), ("star",), shape=Mask.from_array(np.pad(corner, ((0, 96), (0, 96))))))
    assert thing.things[0].area == 3
