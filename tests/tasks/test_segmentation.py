"""Places on and off the thing meant."""

import numpy as np
import pytest

from loupe.errors import ConfigError
from loupe.record import Object, Phrase
from loupe.regions import Box, Point, Polygon, contains
from loupe.sample import Regions, user
from loupe.tasks import task
from tests.handmade import kitchen
from tests.tasks.test_tasks import answer, drawn

TRIANGLE = Object("t", Box(20, 20, 60, 60), ("table",), (), (Polygon(((20, 20), (60, 20), (20, 60))),))


def place(s):
    return next(p.regions[0] for p in s.turns[0].parts if isinstance(p, Regions))


def test_truth_is_the_outline():
    record = kitchen(objects=(TRIANGLE, Object("m", Box(70, 70, 80, 80), ("man",))), phrases=(
        Phrase("the table.", TRIANGLE.box, True, "t", "p"), Phrase("a man", Box(70, 70, 80, 80), True, "m", "q"),
        Phrase("thing", TRIANGLE.box, False, "t", "r")))
    samples = drawn("segmentation", record)
    for s in samples:
        at = place(s)
        assert answer(s) == ("yes" if at.x > 20 and at.y > 20 and at.x + at.y < 80 else "no",)
        assert s.extra == {"truth": answer(s)[0], "phrase": "the table", "object": "t"}  # the man has no outline
    assert task("segmentation").every(record)[0].turns == (user("Does ", place(task("segmentation").every(record)[0]),
                                                                " lie on the table?"),)
    assert not drawn("segmentation", kitchen())


def test_places_are_mixed_by_shares(pictures):
    def shares(**options):
        yes, near, n = 0, 0, 0
        for k, record in enumerate(pictures):
            for seed in range(12):
                s = task("segmentation", **options)(record, np.random.default_rng([k, seed]))
                inside = next(o for o in record.objects if o.id == s.extra["object"]).shape.array()
                at = place(s)
                on = inside[int(at.y), int(at.x)]
                assert answer(s) == ("yes" if on else "no",)
                rows, columns = slice(max(0, int(at.y) - 5), int(at.y) + 6), slice(max(0, int(at.x) - 5), int(at.x) + 6)
                near += inside[rows, columns].any() and not inside[rows, columns].all()
                yes, n = yes + on, n + 1
        return yes / n, near / n
    anywhere, inside, edge = (shares(anywhere=float(k == 0), inside=float(k == 1), near=float(k == 2))
                              for k in range(3))
    assert anywhere[0] < 0.15 and inside[0] == 1.0 and 0.3 < edge[0] < 0.7
    assert edge[1] > 0.9 and anywhere[1] < 0.4
    mixed = shares()
    assert 0.35 < mixed[0] < 0.6


def test_evaluation_asks_anywhere_once_an_object(pictures):
    every = task("segmentation", each=5).every(pictures[0])
    things = {s.extra["object"] for s in every}
    assert len(every) == 5 * len(things) and every == task("segmentation", each=5).every(pictures[0])


def test_a_thing_may_be_meant_by_its_box(pictures):
    """Box and place are those of one thing; most places lie in the box; the answer is that of the outline."""
    held = n = 0
    for seed, record in enumerate(pictures):
        s = task("segmentation", boxed=1.0, anywhere=1.0, inside=0.0, near=0.0)(record, np.random.default_rng(seed))
        given = {type(r): r for part in s.turns[0].parts if isinstance(part, Regions) for r in part.regions}
        o = next(o for o in record.objects if o.id == s.extra["object"])
        at = given[Point]
        assert given[Box] == o.box and answer(s) == ("yes" if o.shape.array()[int(at.y), int(at.x)] else "no",)
        held, n = held + contains(o.box, at), n + 1
    assert held / n > 0.5
    with pytest.raises(ConfigError, match="boxed"):
        task("segmentation", boxed=2)
