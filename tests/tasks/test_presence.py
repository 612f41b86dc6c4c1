"""Is it there? Every answer against the picture's own list."""

from collections import Counter

import numpy as np

from loupe.record import Object
from loupe.regions import Box
from loupe.sample import Regions, user
from loupe.tasks import task
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
