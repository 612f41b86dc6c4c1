"""True or false: every statement read again and checked against the picture."""

import re
from collections import Counter

import numpy as np

from loupe.regions import Box
from loupe.sample import Regions
from loupe.tasks import task
from loupe.tasks.grammar import CONTRARY, plural
from loupe.tasks.view import view
from tests.handmade import kitchen
from tests.tasks.test_tasks import answer, drawn

WORDS = {"no": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}


def meant(words: str, boxes: list[Box], record):
    """The object of "the red star" or "the star at #"."""
    if "#" in words:
        box = boxes.pop(0)
        return next(o for o in record.objects if o.box == box)
    *looks, name = words.removeprefix("the ").split()
    fit = [o for o in record.objects if name in o.names and set(looks) <= set(o.attributes)]
    assert len(fit) == 1, words
    return fit[0]


def read(sample, record) -> tuple[str, bool]:
    """Kind of the statement, and whether it is true, from its words alone."""
    parts, boxes = sample.turns[0].parts, []
    text = "".join(p if isinstance(p, str) else "#" for p in parts)
    boxes = [p.regions[0] for p in parts if isinstance(p, Regions)]
    text = text.removeprefix("True or false: ").removesuffix("?")
    count = re.fullmatch(r"there (?:is|are) (?:exactly )?(\w+) (\w+)", text)
    if count:
        name = count[2]
        number = sum(name in (o.name, plural(o.name)) for o in record.objects)
        return "count", number == WORDS[count[1]]
    subject, rest = re.fullmatch(r"(.+?) (?:is|are) (.+)", text).groups()
    o = meant(subject, boxes, record)
    if " the " not in rest:
        return "attribute", rest in o.attributes
    words, other = re.fullmatch(r"(.*) (the [\w #]+)", rest).groups()
    p = meant(other, boxes, record)
    held = {r.predicate for r in record.relations if (r.subject, r.object) == (o.id, p.id)}
    centres = o.box.centre, p.box.centre
    by_place = {"to the left of": centres[0].x < centres[1].x, "to the right of": centres[0].x > centres[1].x,
                "above": centres[0].y < centres[1].y, "below": centres[0].y > centres[1].y}
    if words in by_place:
        return "position", by_place[words]
    assert words in held or any(CONTRARY.get(h) == words for h in held)
    return "relation", words in held


def test_statements_are_what_is_said_of_them(pictures):
    said = Counter()
    for record in pictures:
        for s in task("statement", each=4).every(record):
            kind, true = read(s, record)
            assert s.extra["truth"] == ("true" if true else "false"), s.turns
            said[s.extra["kind"], true] += 1
            assert kind == s.extra["kind"] or {kind, s.extra["kind"]} == {"position", "relation"}
    for kind in ("attribute", "relation", "position", "count"):
        assert 0.3 < said[kind, True] / (said[kind, True] + said[kind, False]) < 0.7, kind


def test_nothing_in_the_words_gives_the_thing_away(pictures):
    """A statement of a colour names its thing without one."""
    for record in pictures[:10]:
        for seed in range(10):
            s = task("statement", kinds=("attribute",), by_box=0.0)(record, np.random.default_rng(seed))
            text = "".join(p for p in s.turns[0].parts if isinstance(p, str))
            assert len(re.findall(r"\b(red|blue|green|black|white|yellow|orange|purple)\b", text)) <= 1


def test_without_a_promise_nothing_is_counted_and_boxes_say_which():
    record = kitchen(exhaustive=False)
    assert {s.extra["kind"] for s in drawn("statement", record)} == {"position", "relation"}
    assert all(sum(isinstance(p, Regions) for p in s.turns[0].parts) == 2 for s in drawn("statement", record))
    assert {answer(s) for s in drawn("statement", kitchen(), kinds=["count"])} == {("true",), ("false",)}


def test_clear_places_only():
    known = view(kitchen())
    cup, man, table = (known.by_id[i] for i in ("c1", "m", "t"))
    assert known.sides(cup, man) == ["left of"] and known.side(man, cup) == "right of"
    assert known.sides(cup, table) == ["above"] and known.sides(man, table) == []  # the man reaches over the table
