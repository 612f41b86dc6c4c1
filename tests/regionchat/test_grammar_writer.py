"""Dialogues by rule: names and predicates make English, nothing is said twice, "it" means one thing."""

import re

import pytest

from loupe.record import Object, Phrase, Relation, Word
from loupe.regionchat.checks import Bounds, faults
from loupe.regionchat.english import bare, link, named, some
from loupe.regionchat.grammar import Theme, telling, write
from loupe.regionchat.listing import listed
from loupe.regions import Box
from tests.handmade import kitchen
from tests.regionchat.talks import rng


@pytest.mark.parametrize("predicate, one, several, asks", [
    ("ON", "is on", "are on", "is it on"), ("are on", "is on", "are on", "is it on"),
    ("on the", "is on", "are on", "is it on"), ("wearing a", "is wearing", "are wearing", "is it wearing"),
    ("wears", "wears", "wear", "does it wear"), ("wear", "wears", "wear", "does it wear"),
    ("has a", "has", "have", "does it have"), ("have", "has", "have", "does it have"),
    ("with", "has", "have", "does it have"), ("of", "belongs to", "belong to", "does it belong to"),
    ("carries", "carries", "carry", "does it carry"), ("reaches for", "reaches for", "reach for",
                                                       "does it reach for"),
    ("crosses", "crosses", "cross", "does it cross"), ("sits on", "sits on", "sit on", "does it sit on"),
    ("across", "is across", "are across", "is it across"), ("in front of", "is in front of", "are in front of",
                                                            "is it in front of"),
    ("above and to the left of", "is above and to the left of", "are above and to the left of",
     "is it above and to the left of"),
])
def test_predicates(predicate, one, several, asks):
    made = link(predicate)
    assert (made.says(False), made.says(True), made.asks("it", False)) == (one, several, asks) and made.asked


@pytest.mark.parametrize("predicate", ["", "a", "is", "and", "not", "have been", "has been", "on (left)", "99", "'s"])
def test_predicates_that_make_no_sentence(predicate):
    assert link(predicate) is None


def test_comparisons_ask_for_nothing():
    assert not any(link(p).asked for p in ("smaller than", "the same colour as", "far from", "like"))


def test_names():
    assert [some(w) for w in ("red cup", "apple", "cars", "tall grass", "sky", "bus", "people", "skis")] == [
        "a red cup", "an apple", "cars", "tall grass", "the sky", "a bus", "people", "skis"]
    assert (named("Cell Phone"), named("TV")) == ("cell phone", "TV")
    assert bare("hot dog") and bare("t-shirt") and bare("Käse") and not bare("Moniter/TV") and not bare("cup 2")


STREET = kitchen(
    objects=(Object("c", Box(10, 60, 40, 80), ("cars",), ("parked",)), Object("r", Box(0, 70, 100, 100), ("road",)),
             Object("g", Box(60, 40, 100, 69), ("grass",), ("green",)),
             Object("t", Box(60, 0, 70, 30), ("tree",), ("green",)), Object("u", Box(80, 0, 90, 30), ("tree",)),
             Object("w", Box(20, 10, 40, 50), ("woman",), ("standing", "young"))),
    relations=(Relation("c", "ON", "r"), Relation("w", "wears", "g"), Relation("t", "on the", "g"),
               Relation("w", "of", "c"), Relation("u", "and", "t")),
    phrases=(), words=(Word("STOP", Box(0, 70, 100, 100), "r"),), captions=())


def talks(record, count=120, **bounds):
    told = listed(record)
    return told, [t for t in (write(told, rng(k), **bounds) for k in range(count)) if t]


def test_sentences_about_a_street():
    _, made = talks(STREET, 400)
    said = {a for t in made for _, a in t.turns}
    asked = {q for t in made for q, _ in t.turns}
    assert {"Those are cars.", "That is green grass.", "The cars are on the road.", "They are on the road <r2>.",
            "The woman wears green grass.", "The woman belongs to the cars.", 'It says "STOP".',
            "The green tree <r4> is on the green grass.", "The woman is standing."} <= said
    assert {"What are they on?", "What is the woman doing?", "Where is the other tree?", "How many trees are there in "
            "the picture?", "What does the woman wear?"} <= asked
    assert not any(re.search(r"\b(?:is|are) (?:is|are)\b|\ba (?:grass|cars)\b|\bcars is\b|is of", text)
                   for text in said | asked)


def test_nothing_is_told_twice_and_every_dialogue_passes():
    told, made = talks(STREET)
    for talk in made:
        assert faults(talk, told, Bounds(2, 5)) == [], talk
        known = frozenset()
        for _, answer in talk.turns:
            assert telling(answer) - known, talk
            known |= telling(answer)


def test_it_means_the_theme_as_long_as_nothing_else_came_up():
    _, made = talks(STREET, 300)
    pointed = 0
    for talk in made:
        theme, others = re.search(r"<r\d+>", talk.turns[0][0])[0], set()
        for question, answer in talk.turns[1:]:
            if others:
                assert not re.search(r"\b(?:it|they|them)\b", question), talk
            others |= set(re.findall(r"<r\d+>", question + answer)) - {theme}
            pointed += "<r" in answer
    assert pointed > 50  # answers point at regions, too


def test_twins_go_by_their_handles():
    told = listed(STREET)
    tree = told.handles["<r4>"]
    theme = Theme(told, tree)
    assert theme.it == "it" and theme.after(("Where is <r2>?", "The road is there.")).it == "the tree <r4>"
    assert Theme(told, told.handles["<r6>"]).it == "the woman"


def test_phrases_about_several_things_describe_none_of_them():
    road, trees = Box(0, 70, 100, 100), Box(60, 0, 70, 30)
    _, made = talks(kitchen(objects=STREET.objects, relations=(), phrases=(
        Phrase("a wet road.", road), Phrase("two old trees", trees))))
    said = {a for t in made for _, a in t.turns}
    assert "A wet road." in said and "Two old trees." not in said


def test_absent_things_and_counts_need_whole_annotations():
    open_ended = kitchen(objects=STREET.objects, relations=(), phrases=(), exhaustive=False, vocabulary=("dog",))
    _, made = talks(open_ended)
    assert made and not any(re.search(r"How many|another|other one|there is no|What lies", text)
                            for t in made for text in t.texts)
    _, closed = talks(kitchen(objects=STREET.objects, relations=(), phrases=(), vocabulary=("dog", "tree")))
    assert {"No, there is no dog."} == {a for t in closed for _, a in t.turns if "there is no" in a}
