"""Words for looks, and the little English around them."""

import pytest

from loupe.errors import ConfigError
from loupe.record import Object
from loupe.regions import Box
from loupe.tasks import task
from loupe.tasks.grammar import CONTRARY, article, could_be, number, plural, pronoun
from loupe.tasks.looks import SORTS, described, look, looks


def thing(*attributes, name="car"):
    return Object("1", Box(0, 0, 1, 1), (name,), attributes)


def test_attributes_are_sorted_and_strangers_left_out():
    o = thing("red", "parked", "Large", "striped", "White")
    assert looks(o) == {"size": ("large",), "texture": ("striped",), "colour": ("red", "white")}
    assert described(o) == "large striped red car" and described(thing(), "van") == "van"
    assert [look(o, sort) for sort in SORTS] == ["large", "striped", ""]  # two colours: neither is the one
    assert look(thing(), "texture", {"texture": "plain"}) == "plain"
    assert not set.intersection(*map(set, SORTS.values()))


@pytest.mark.parametrize("word, said, more, him", [
    ("star", "a star", "stars", "it"), ("orange", "an orange", "oranges", "it"), ("cross", "a cross", "crosses", "it"),
    ("person", "a person", "people", "him"), ("young woman", "a young woman", "young women", "her"),
    ("bus", "a bus", "buses", "it"), ("baby", "a baby", "babies", "it"), ("boy", "a boy", "boys", "him"),
    ("trousers", "trousers", "trousers", "them"), ("fish", "a fish", "fish", "it"), ("box", "a box", "boxes", "it")])
def test_english(word, said, more, him):
    assert (article(word), plural(word), pronoun(word)) == (said, more, him)


def test_numbers_contraries_and_names_for_one_thing():
    assert number(0) == "no" and number(3) == "three" and number(12) == "12"
    assert all(CONTRARY[CONTRARY[p]] in CONTRARY and CONTRARY[p] != p for p in CONTRARY)
    assert could_be("cup", "coffee cup") and could_be("man", "person") and not could_be("cup", "dog")


def test_odd_options_are_refused():
    for name, options in (("region", {"forms": ["circle"]}), ("region", {"asks": []}), ("presence", {"kinds": ["x"]}),
                          ("region", {"unsaid": [["shape", "round"]]}), ("reconstruction", {"filter": "cubic"}),
                          ("reconstruction", {"size": 0}), ("segmentation", {"near": -1}), ("choice", {"kinds": ["a"]}),
                          ("grounded-caption", {"order": "size"}), ("conversation", {"least": 1}),
                          ("conversation", {"last": ["why"]}), ("reading", {"kinds": ["spell"]}),
                          ("statement", {"kinds": []}), ("grounding", {"per_kind": 0})):
        with pytest.raises(ConfigError):
            task(name, **options)
