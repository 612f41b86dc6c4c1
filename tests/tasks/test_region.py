"""Questions about a point, box or polygon."""

import numpy as np

from loupe.record import Object
from loupe.regions import Box, Point, Polygon
from loupe.sample import user
from loupe.tasks import task
from loupe.tasks.region import ASKS, FORMS
from tests.handmade import CUP_LEFT, MAN, kitchen
from tests.tasks.test_tasks import answer, asked, drawn

STRIPED = Object("s", CUP_LEFT, ("cup", "mug"), ("large", "striped", "red"))


def test_by_hand():
    record = kitchen(objects=(STRIPED, Object("m", MAN, ("man",), ("red", "white"))))
    found = asked("region", record)
    assert {k: s.extra["truth"] for k, s in found.items()} == {
        **{f"{form}:{ask}:s": truth for form in FORMS for ask, truth in zip(
            ASKS, ("cup", "red", "striped", "large", "large striped red cup"))},
        **{f"{form}:name:m": "man" for form in FORMS},  # two colours: neither is asked
        "point:name:": "nothing"}
    assert found["box:colour:s"].turns == (user("What colour is the thing at ", CUP_LEFT, "?"),)
    assert found["box:all:s"].extra["references"] == ("large striped red cup", "large striped red mug")
    assert found["polygon:size:s"].extra["kind"] == "polygon-size"
    assert isinstance(found["point:name:s"].turns[0].parts[1].regions[0], Point)
    assert isinstance(found["polygon:name:s"].turns[0].parts[1].regions[0], Polygon)


def test_options():
    record = kitchen(objects=(STRIPED, Object("m", MAN, ("man",))))
    plain = asked("region", record, forms=["box"], asks=["texture"], unsaid=[["texture", "plain"]])
    assert {k: s.extra["truth"] for k, s in plain.items()} == {"box:texture:s": "striped", "box:texture:m": "plain"}
    assert {answer(s) for s in drawn("region", record, asks=["colour"])} == {("red",)}
    assert not any(answer(s) == ("nothing",) for s in drawn("region", record, nothing=0.0))
    share = np.mean([answer(s) == ("nothing",) for s in drawn("region", record, nothing=0.3)])
    assert 0.2 < share < 0.4
    assert not any("nothing" in answer(s) for s in drawn("region", kitchen(exhaustive=False), nothing=1.0))


def test_what_cannot_be_meant_is_not_asked():
    twin = Object("d", Box(10, 10, 20, 21), ("dog",))
    found = asked("region", kitchen(objects=(STRIPED, twin)), nothing=0.0)
    assert set(found) == {"point:name:d"}  # two names for about the same place: the last row is the dog's alone
    inside = Object("d", Box(12, 12, 18, 18), ("dog",))
    found = asked("region", kitchen(objects=(STRIPED, inside)), asks=["name"], nothing=0.0)
    assert found["point:name:d"].extra["truth"] == "dog" and found["box:name:s"].extra["truth"] == "cup"
    on_cup = found["point:name:s"].turns[0].parts[1].regions[0]
    assert not (12 < on_cup.x < 18 and 12 < on_cup.y < 18)


def test_points_of_the_world_are_on_the_thing(pictures):
    for record in pictures:
        pixels = {o.id: o.shape.array() for o in record.objects}
        for k in range(6):
            s = task("region", forms=("point",), nothing=0.2)(record, np.random.default_rng(k))
            at = s.turns[0].parts
            point = next(p for part in at if not isinstance(part, str) for p in part.regions)
            on = [i for i, inside in pixels.items() if inside[int(point.y), int(point.x)]]
            assert on == ([s.extra["object"]] if s.extra["kind"] != "point-nothing" else [])


def test_every_is_fixed_and_differs_between_pictures(pictures):
    def points(record):
        return [s.turns[0].parts[1].regions[0] for s in task("region", forms=("point",), asks=("name",)).every(record)
                if not isinstance(s.turns[0].parts[1], str)]
    assert points(pictures[0]) == points(pictures[0]) != points(pictures[1])
