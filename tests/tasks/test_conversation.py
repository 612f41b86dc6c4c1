"""Conversations: an independent reader follows who is meant and checks every answer."""

import re
from collections import Counter

import numpy as np

from loupe.record import Object
from loupe.regions import Box
from loupe.sample import Regions, assistant, user
from loupe.tasks import task
from tests.handmade import CUP_LEFT, kitchen
from tests.tasks.test_tasks import drawn

UNSAID = (("size", "medium"), ("texture", "plain"))
SIDES = {"to the left of": lambda a, b: a.x2 <= b.x1, "to the right of": lambda a, b: a.x1 >= b.x2,
         "above": lambda a, b: a.y2 <= b.y1, "below": lambda a, b: a.y1 >= b.y2}


def box_of(turn) -> Box | None:
    return next((p.regions[0] for p in turn.parts if isinstance(p, Regions)), None)


def check(record, kinds, turns) -> Counter:
    """Follows the conversation; every answer must be true of what is meant."""
    seen, focus, at = Counter(), None, {o.box: o for o in record.objects}
    for kind, asked, said in zip(kinds, turns[::2], turns[1::2]):
        text, words = "".join(p for p in asked.parts if isinstance(p, str)), said.parts[0]
        if kind == "what":
            focus = at[box_of(asked)]
            assert words in focus.names
        elif kind in ("where", "mistaken"):
            *looks, name = re.search(r".*\bthe ([\w ]+?)(?: with| too|[.?,:]|$)", text)[1].split()
            fit = [o for o in record.objects if name in o.names and set(looks) <= set(o.attributes)]
            assert len(fit) == (1 if kind == "where" else 2)
            focus = at[box_of(said)]
            assert focus in fit
        elif kind == "correction":
            before, focus = focus, at[box_of(said)]
            assert focus is not before and focus.name == before.name
            a, b = focus.box, before.box
            (word,) = [w for w in ("smaller", "left", "right", "upper", "lower", *focus.attributes[-1:])
                       if re.search(rf"\b{w}\b", text)]
            assert {"smaller": a.area < b.area, "left": a.x2 <= b.x1, "right": a.x1 >= b.x2, "upper": a.y2 <= b.y1,
                    "lower": a.y1 >= b.y2}.get(word, word in focus.attributes and word not in before.attributes)
        elif kind == "other":
            (other,) = [o for o in record.objects if o.name == focus.name and o is not focus]
            assert box_of(said) == other.box
            focus = other
        elif kind == "side":
            way = next(w for w in SIDES if f"{w} " in text)
            there = [o for o in record.objects if o is not focus and SIDES[way](o.box, focus.box)]
            assert [o.name for o in there] == [words]
            focus = there[0]
        elif kind == "place":
            assert box_of(said) == focus.box
        elif kind == "others":
            assert int(words) == sum(o.name == focus.name for o in record.objects) - 1
        elif kind == "says":
            assert [w.text for w in record.words if w.object == focus.id] == [words]
        else:
            assert words in focus.attributes or words in ("medium", "plain")
        seen[kind] += 1
        pronouns = set(re.findall(r"\b(it|him|her|that)\b", text.split("that class")[0])) if kind in (
            "place", "colour", "size", "texture", "others", "says") else set()
        assert not pronouns or pronouns <= ({"him", "that", "it"} if focus.name == "person" else {"it", "that"})
    return seen


def test_every_answer_of_every_conversation_is_true(pictures):
    seen, made = Counter(), task("conversation", unsaid=UNSAID)
    for k, record in enumerate(pictures):
        for seed in range(5):
            s = made(record, np.random.default_rng([k, seed]))
            kinds = [part.split(".")[0] for part in s.id.split("/conversation/")[1].split("/")]
            assert 3 <= len(kinds) <= 5 and len(s.turns) == 2 * len(kinds) and s.extra["kind"] == kinds[-1]
            assert s.turns[-1] == assistant(s.extra["truth"])
            assert len(set(s.id.split("/conversation/")[1].split("/"))) == len(kinds)
            seen += check(record, kinds, s.turns)
    assert set(seen) == {"what", "where", "mistaken", "correction", "place", "size", "texture", "colour", "side",
                         "others", "other", "says"}


def test_pronouns():
    man = Object("m", Box(40, 5, 60, 65), ("man",), ("red",))
    cup = Object("c", CUP_LEFT, ("cup",), ("blue",))
    texts = {p for s in drawn("conversation", kitchen(objects=(man, cup)), tries=200) for t in s.turns for p in t.parts
             if isinstance(p, str)}
    assert any(re.search(r"colour (of|on|fits) him", t) for t in texts)
    assert any(re.search(r"colour (of|on|fits) it", t) for t in texts)
    assert any(re.search(r"\bthat\b", t) for t in texts)


def test_evaluation_asks_the_last_turn(pictures):
    for record in pictures[:8]:
        for s in task("conversation", each=3).every(record):
            assert len(s.turns) % 2 == 1 and s.turns[-1].role == "user" and len(s.turns) >= 5
    ends = {s.extra["kind"] for record in pictures for s in task("conversation", last=("side", "other")).every(record)}
    assert ends == {"side", "other"}
    corrected = [s for r in pictures for s in task("conversation", last=("correction",), least=2).every(r)]
    assert corrected and all(s.turns[-1].parts[0].startswith("No, I meant") for s in corrected)
    assert corrected[0].turns[0] == user(corrected[0].turns[0].parts[0])


def test_too_little_to_talk_about():
    assert not drawn("conversation", kitchen(objects=(Object("c", CUP_LEFT, ("cup",)),), exhaustive=False), tries=50)
