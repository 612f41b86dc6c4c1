"""Worlds as values: the judging world is what it was fixed to be."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from loupe import world
from loupe.errors import ConfigError
from loupe.world import WORLDS
from loupe.world.spec import UNSEEN

MINI = WORLDS["mini"]


@pytest.fixture(scope="module")
def scenes():
    return [world.make(11, k, world="mini") for k in range(150)]


def test_the_judging_world_as_it_was_fixed(scenes):
    things = [thing for scene in scenes for thing in scene.things]
    assert MINI.size == 96 and MINI.objects == (2, 8) and MINI.seen == 0.6
    assert len(MINI.shapes) >= 8 and len(MINI.colours) >= 8
    assert {t.texture for t in things} == {"plain", "striped", "dotted"}
    assert {t.size for t in things} == {"small", "medium", "large"}
    assert {t.name for t in things} == set(MINI.classes) and {t.colour for t in things} == set(MINI.colours)
    twins = np.mean([max(Counter(t.name for t in s.things).values()) > 1 for s in scenes])
    assert twins >= 0.4
    assert all(t.mask.sum() >= 0.6 * t.area - 1 for t in things)
    assert {len(s.things) for s in scenes} == set(range(2, 9))


def test_pairs_kept_for_the_shifted_world(scenes):
    seen = {(t.name, t.colour) for scene in scenes for t in scene.things}
    assert not seen & set(UNSEEN)
    shifted = [world.make(11, k, world="shifted") for k in range(40)]
    pairs = Counter((t.name, t.colour) in UNSEEN for s in shifted for t in s.things)
    assert 0.3 < pairs[True] / pairs.total() < 0.6
    assert np.mean([len(s.things) for s in shifted]) > np.mean([len(s.things) for s in scenes]) + 1


def test_words_kept_unread():
    words = {w.text for r in world.records(80, 5, world="mini") for w in r.words}
    unread = {w.text for r in world.records(40, 5, world="unread") for w in r.words}
    assert words and unread and not words & unread


def test_records_name_only_what_the_world_holds():
    record = next(world.records(1, 2, world="mini"))
    assert record.vocabulary == MINI.classes and record.exhaustive
    assert all(o.part_of is None and not o.crowd for o in record.objects)
    assert next(world.records(1, 2, world="mini-128")).width == 128


ALL_CIRCLES = tuple(("circle", colour) for colour in MINI.colours)


@pytest.mark.parametrize("changes,said", [
    ({"objects": (3, 2)}, "3 to 2 objects"), ({"objects": (1, 13)}, "1 to 12 objects"),
    ({"objects": (2.5, 3)}, "whole numbers"), ({"objects": 3}, "no tuple"), ({"size": 20}, "64 to 1024"),
    ({"size": 100_000}, "64 to 1024"), ({"size": "96"}, "whole numbers"), ({"size": 96.5}, "whole numbers"),
    ({"seen": 1.5}, "no share"), ({"seen": "1"}, "no share"), ({"shapes": ("blob",)}, "blob"),
    ({"shapes": "circle"}, "no tuple"), ({"grounds": ("sea",)}, "sea"), ({"colours": ()}, "needs shapes, colours"),
    ({"colours": ("red",)}, "two colours beside its own"), ({"barred": ALL_CIRCLES}, "circle: all barred"),
    ({"barred": (("circle", "purpel"),)}, "did you mean 'purple'"), ({"barred": ("circle",)}, r"\(class, colour\)"),
    ({"favoured": (("blob", "red"),), "favour": 1.0}, "blob"), ({"favoured": UNSEEN}, "barred, too"),
    ({"favour": 0.5}, "no pair"), ({"words": ("é1",)}, "capitals from A to Z"),
    ({"crowds": 0.1, "shapes": ("circle",)}, "another shape"), ({"crowds": 0.1, "shapes": ("moon", "ring")}, "circle")])
def test_a_world_out_of_range_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        replace(MINI, **changes)
    assert "world mini" in str(caught.value)


def test_what_is_accepted_can_be_drawn():
    """As few colours, shapes and words as the checks let through."""
    for changes in ({"colours": ("red", "blue", "black"), "barred": ()}, {"words": ()}, {"textures": ()},
                    {"shapes": ("circle", "star"), "composed": (), "crowds": 1.0}, {"grounds": MINI.grounds[:1]},
                    {"barred": ALL_CIRCLES[1:], "favoured": ALL_CIRCLES[:1], "favour": 1.0}):
        assert all(world.make(3, k, world=replace(MINI, **changes)).things for k in range(6)), changes
    with pytest.raises(ConfigError, match="64 x 2000 pixels.*64 to 1024"):
        world.make(0, 0, size=(64, 2000))


def test_unknown_world():
    with pytest.raises(ConfigError, match="mini"):
        next(world.records(1, 0, world="minni"))
