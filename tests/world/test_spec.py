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


@pytest.mark.parametrize("changes", [{"objects": (3, 2)}, {"objects": (1, 13)}, {"seen": 1.5}, {"shapes": ("blob",)},
                                     {"grounds": ("sea",)}, {"colours": ()}, {"size": 20}])
def test_a_world_out_of_range_is_refused(changes):
    with pytest.raises(ConfigError):
        replace(MINI, **changes)


def test_unknown_world():
    with pytest.raises(ConfigError, match="mini"):
        next(world.records(1, 0, world="minni"))
