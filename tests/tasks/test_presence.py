"""Is it there? Every answer against the picture's own list."""

from collections import Counter

import numpy as np
import pytest

from loupe.errors import ConfigError
from loupe.record import Object
from loupe.regions import Box
from loupe.sample import Regions, user
from loupe.tasks import task
from loupe.tasks.base import mention
from tests.handmade import CUP_LEFT, CUP_RIGHT, MAN, kitchen
from tests.tasks.test_tasks import answer, drawn


def fits(o: Object, thing: str) -> bool:
    *words, name = thing.removeprefix("an ").removeprefix("a ").split()
    return name in o.names and set(words) <= set(o.attributes)


def test_answers_are_true(pictures):
    said, lengths = Counter(), Counter()
    for k, record in enumerate(pictures):
        for seed in range(12):
            s = task("presence")(record, np.random.default_rng([k, seed]))
            thing, kind = s.extra["thing"], s.extra["kind"]
            if kind == "name":
                there = any(fits(o, thing) for o in record.objects)
            else:
                box = next(p.regions[0] for p in s.turns[0].parts if isinstance(p, Regions))
                (o,) = [o for o in record.objects if o.box == box]
                there = fits(o, thing)
            assert answer(s) == ("yes" if there else "no",)
            said[kind, answer(s)[0], s.extra.get("why", "")] += 1
            lengths[kind, answer(s)[0], len(thing.split())] += 1
    for kind in ("name", "box"):
        yes = said[kind, "yes", ""]
        no = sum(n for (k, truth, _), n in said.items() if k == kind and truth == "no")
        assert 0.4 < yes / (yes + no) < 0.6
        assert 0.3 < said[kind, "no", "absent"] / no < 0.7 and said[kind, "no", "colour"] > 5
        for words in (2, 3, 4):  # how much is said of the thing does not tell the answer
            counts = lengths[kind, "yes", words], lengths[kind, "no", words]
            assert max(counts) < 2 * min(counts) + 12, (kind, words, counts)
    assert said["box", "no", "elsewhere"] > 5


def test_expressions_are_affirmed_and_denied(pictures):
    """A denied one names a class that is nowhere, and is an expression of the picture but for that."""
    said = Counter()
    for k, record in enumerate(pictures):
        true = {mention(p.text) for p in record.phrases if p.refers}
        names = {name for o in record.objects for name in o.names}
        for seed in range(6):
            s = task("presence", kinds=("name",), expressions=1.0)(record, np.random.default_rng([k, seed]))
            thing = s.extra["thing"]
            if answer(s) == ("no",) and s.extra["why"] == "expression":
                (other,) = {name for name in record.vocabulary if name not in names and name in thing.split()}
                assert thing not in true and any(thing.replace(other, name) in true for name in names)
                said["no"] += 1
            elif thing in true:
                assert answer(s) == ("yes",)
                said["yes"] += 1
    assert min(said.values()) > 20 and 0.7 < said["yes"] / said["no"] < 1.4
    assert "no" in {answer(s)[0] for s in drawn("presence", kinds=("name",), expressions=1.0)}, "else as without"
    with pytest.raises(ConfigError, match="expressions is a share.*got 2"):
        task("presence", expressions=2)


def test_without_a_promise_only_boxes_are_asked_about():
    objects = (Object("c", CUP_LEFT, ("coffee cup",)), Object("d", CUP_RIGHT, ("dog",)), Object("m", MAN, ("man",)),
               Object("p", Box(80, 80, 90, 90), ("woman",)), Object("k", Box(11, 11, 14, 14), ("cup",)))
    record = kitchen(objects=objects, exhaustive=False)
    asked = {(s.extra["thing"], s.id.split(":")[-1].split("@")[0]) for s in drawn("presence", record)
             if answer(s) == ("no",)}
    assert {s.extra["kind"] for s in drawn("presence", record)} == {"box"}
    assert ("a dog", "c") in asked and ("a man", "d") in asked
    assert not asked & {("a cup", "c"), ("a coffee cup", "k"), ("a woman", "m"), ("a man", "p")}
    lonely = kitchen(objects=objects[:1], exhaustive=False)
    assert not drawn("presence", lonely)  # only yes could be said


def test_a_wrong_colour_needs_all_colours_of_the_class():
    red, bare = Object("c", CUP_LEFT, ("cup",), ("red",)), Object("b", CUP_RIGHT, ("cup",))
    record = kitchen(objects=(red, bare), vocabulary=("cup",))
    assert not drawn("presence", record, kinds=["name"])  # the second cup may have any colour
    both = kitchen(objects=(red, Object("b", CUP_RIGHT, ("cup",), ("blue",))), vocabulary=("cup",))
    no = {s.extra["thing"] for s in drawn("presence", both, kinds=["name"]) if answer(s) == ("no",)}
    assert no and not no & {"a red cup", "a blue cup"}


def test_fixed_wording():
    samples = task("presence", each=3).every(kitchen())
    assert samples[0].turns == (user(f"Is there {samples[0].extra['thing']} in the picture?"),)
    assert 4 <= len(samples) <= 6 and samples == task("presence", each=3).every(kitchen())
