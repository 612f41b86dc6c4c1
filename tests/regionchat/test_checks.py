"""What makes a dialogue unusable: hand-written ones, each with the one fault it has."""

import json

import pytest

from loupe.errors import ConfigError, FileError
from loupe.record import Object, Phrase, Relation, Word
from loupe.regionchat import REASONS, Bounds, seeds
from loupe.regionchat.checks import content, faults, likeness, named, stem
from loupe.regionchat.grammar import write
from loupe.regionchat.listing import listed
from loupe.regionchat.talk import Talk, Unreadable, parse, written
from loupe.regions import Box
from tests.handmade import kitchen
from tests.regionchat.talks import rng

CUP, TABLE = Box(10, 10, 30, 30), Box(0, 50, 100, 100)
RECORD = kitchen(objects=(Object("c", CUP, ("cup",), ("red", "empty")), Object("t", TABLE, ("table",), ("wooden",)),
                          Object("m", Box(40, 5, 60, 65), ("man",), ("standing",))),
                 relations=(Relation("c", "on", "t"), Relation("m", "next to", "t")),
                 phrases=(Phrase("a man in a striped shirt", Box(40, 5, 60, 65)),
                          Phrase("a crack in the wall", Box(70, 0, 99, 20))),
                 words=(Word("12", CUP, "c"),), captions=("A man waits for his coffee.",))
LISTING = listed(RECORD)
THINGS = frozenset(("cup", "table", "man", "dog", "hot dog", "person", "coffee", "people"))


def why(*turns, **bounds) -> list[str]:
    return [reason for reason, _ in faults(Talk(tuple(turns)), LISTING, Bounds(**bounds), THINGS)]


def test_what_is_told():
    assert [(e.handle, e.name, e.looks, e.phrases, e.says) for e in LISTING.entries] == [
        ("<r1>", "cup", ("red", "empty"), (), ("12",)), ("<r2>", "table", ("wooden",), (), ()),
        ("<r3>", "man", ("standing",), ("a man in a striped shirt",), ()),
        ("<r4>", "", (), ("a crack in the wall",), ())]
    assert LISTING.relations == (("<r1>", "on", "<r2>"), ("<r3>", "next to", "<r2>"))
    assert LISTING.absent == {"dog"} and dict(LISTING.counts) == {"cup": 1, "table": 1, "man": 1}
    text = LISTING.text()
    assert '<r1>: cup; red, empty; it says "12"; at 100 100 300 300' in text and "<r1> on <r2>" in text


def test_the_same_thing_twice_is_told_once():
    twice = kitchen(objects=(Object("a", CUP, ("cup",)), Object("b", Box(10, 10, 30, 31), ("cup",)),
                             Object("t", TABLE, ("table",)), Object("x", CUP, ()),
                             Object("y", CUP, ("crowd",), crowd=True)),
                    phrases=(), relations=(Relation("b", "on", "t"), Relation("a", "on", "t"), Relation("a", "is", "b"))
                    )
    told = listed(twice)
    assert [e.name for e in told.entries] == ["cup", "table"] and told.relations == (("<r1>", "on", "<r2>"),)
    assert len(listed(RECORD, most=2).entries) == 2


GOOD = [
    (("What is <r1>?", "That is a red cup with 12 on it."), ("Where does it stand?", "On the wooden table <r2>.")),
    (("Who waits at <r3>?", "A man in a striped shirt, for his coffee."),),
    (("Is there a dog near <r2>?", "No, there is no dog."),),
    (("Is <r1> blue?", "No, it is not blue, the cup is red."),),
    (("How many cups are there beside <r1>?", "There is one cup."),),
    (("How do <r1> and <r2> relate?", "These two things: the cup is on the table."),),
    (("What number is on <r1>?", "It says 12."),),
    (("Which person is near <r2>?", "The man, the only person."),),
]
BAD = [
    ("too few turns", [], {}),
    ("too many turns", [("What is <r1>?", "A cup."), ("And <r2>?", "A table.")], {"most": 1}),
    ("empty turn", [("What is <r1>?", " ... ")], {}),
    ("turn too long", [("What is <r1>?", "A cup, a cup, a cup.")], {"words": 5}),
    ("question repeated", [("What is <r1>?", "A cup."), ("what is <r1>", "A red cup.")], {}),
    ("no region", [("What is on the table?", "A cup.")], {}),
    ("unknown region", [("What is <r9>?", "A cup.")], {}),
    ("unknown region", [("What is <r1>?", "A cup on <r0>.")], {}),
    ("region without its handle", [("What is <r1>?", "A cup next to r2.")], {}),
    ("region without its handle", [("What is <r1>?", "The cup in region 2.")], {}),
    ("region without its handle", [("What is <r1>?", "A cup on <region>.")], {}),
    ("coordinates", [("What is <r1>?", "A cup at [0.1, 0.2, 0.3, 0.4].")], {}),
    ("coordinates", [("What is <r1>?", "A cup at (100, 200).")], {}),
    ("coordinates", [("What is <r1>?", "A cup at 100 100 300 300.")], {}),
    ("coordinates", [("What is <r1>?", "A cup, 0.25 from the left.")], {}),
    ("coordinates", [("What is <r1>?", "A cup; its bounding box is small.")], {}),
    ("not answered", [("What is <r1>?", "I cannot tell.")], {}),
    ("not answered", [("Who is <r3>?", "A man, according to the captions.")], {}),
    ("not answered", [("What is <r1> made of?", "That is not mentioned.")], {}),
    ("number not annotated", [("What is <r1>?", "One of seven cups.")], {}),
    ("number not annotated", [("What is <r1>?", "A cup with 13 on it.")], {}),
    ("look not annotated", [("What is <r1>?", "A purple cup.")], {}),
    ("look not annotated", [("What is <r1>?", "A cup of glass.")], {}),
    ("thing not annotated", [("What is <r3>?", "A man with a dog.")], {}),
    ("thing not annotated", [("What is <r3>?", "A man with two hot dogs.")], {}),
    ("not supported", [("What is <r3>?", "A plumber who repairs broken pipes under the sink.")], {}),
]


@pytest.mark.parametrize("turns", GOOD, ids=[t[0][0] for t in GOOD])
def test_good_ones_pass(turns):
    assert why(*turns) == []


@pytest.mark.parametrize("reason, turns, bounds", BAD, ids=[f"{r}-{k}" for k, (r, _, _) in enumerate(BAD)])
def test_bad_ones_do_not(reason, turns, bounds):
    assert reason in why(*turns, **bounds) and reason in REASONS


def test_a_colour_of_another_region():
    two = listed(kitchen(objects=(Object("a", CUP, ("cup",), ("red",)), Object("b", TABLE, ("table",), ("brown",))),
                         phrases=(), relations=()))
    said = Talk((("What colour is <r1>?", "The cup is brown."),))
    assert [r for r, _ in faults(said, two, Bounds())] == ["look of another region"]
    assert not faults(Talk((("What colour is <r1>?", "It is red, on the brown table."),)), two, Bounds())


def test_words():
    assert [stem(w) for w in ("dogs", "sitting", "striped", "stripes", "glass", "bus")] == [
        "dog", "sit", "strip", "strip", "glas", "bus"]
    assert content("The red cup <r1> is standing") == ["red", "cup"] and content("There are five cups") == ["cup"]
    assert named(["two", "hot", "dogs", "and", "people"], THINGS) == {"hot dog", "people"}
    assert named(["a", "man"], THINGS) == {"man"}
    assert likeness(Talk((("What is <r1>?", "A cup!"),)), LISTING) == "what is cup a cup"


@pytest.mark.parametrize("text, finish, reason", [
    ("sorry", "stop", "not JSON"), ("", "stop", "not JSON"), ('{"dialogues": [[{"user": "a', "stop", "cut short"),
    ('{"dialogues": [[{"user": "a", "assistant": "b"}', "length", "cut short"), ("{oops}", "stop", "not JSON"),
    ('{"talks": []}', "stop", "another shape"), ('{"dialogues": []}', "stop", "another shape"),
    ('{"dialogues": [[{"user": 3, "assistant": "b"}]]}', "stop", "another shape"),
    ('{"dialogues": [{"user": "a"}]}', "stop", "another shape"), ('{"dialogues": "a"}', "stop", "another shape"),
    ('{"a": "\\"}', "stop", "cut short"),
    ('{"dialogues": [[{"user": "a\\ud800", "assistant": "b"}]]}', "stop", "another shape"),
    ('{"dialogues": ' + "[" * 100_000 + "]" * 100_000 + "}", "stop", "not JSON"),
])
def test_replies_that_cannot_be_read(text, finish, reason):
    with pytest.raises(Unreadable, match=reason):
        parse(text, finish)


def test_replies_that_can():
    talk = Talk((("What is <r1>?", 'A "cup".'),))
    assert parse(written(talk)) == [talk] == parse(f"Here:\n```json\n{written(talk)}\n```\nDone.")
    assert talk.handles == ("<r1>",)


def test_the_built_in_seeds_obey(tmp_path):
    known = seeds.read()
    assert len(known.examples) >= 4 and "{count}" in known.instructions
    said = known.system(3, Bounds(2, 5))
    assert "3 conversation" in said and "2 to 5" in said and '{"dialogues"' in said
    assert len({s.name for s in known.chosen(3, rng())}) == 3
    own = tmp_path / "seeds"
    own.mkdir()
    with pytest.raises(FileError, match="no seed"):
        seeds.read(own)
    first = json.loads((seeds.BUILT_IN / "market.json").read_text())
    (own / "mine.json").write_text(json.dumps(first))
    assert seeds.read(own).hash != known.hash
    first["dialogue"][0]["assistant"] = "It lies at (3, 4) in <r8>."
    (own / "mine.json").write_text(json.dumps(first))
    with pytest.raises(ConfigError, match="breaks the rules"):
        seeds.read(own)
    for broken in ("{", '{"picture": 3, "dialogue": []}', '{"picture": {"regions": [{"box": [1]}]}, "dialogue": []}'):
        (own / "mine.json").write_text(broken)
        with pytest.raises((FileError, ConfigError)):
            seeds.read(own)
    with pytest.raises(FileError):
        seeds.read(tmp_path / "none")


def test_rules_write_what_passes():
    for k in range(40):
        talk = write(LISTING, rng(k))
        assert talk is not None and faults(talk, LISTING, Bounds(), THINGS) == [], talk
    assert write(listed(kitchen(objects=(), phrases=(), relations=())), rng()) is None


@pytest.mark.parametrize("bounds", [{"least": 0}, {"least": 5, "most": 4}, {"support": 2.0}, {"words": 0}])
def test_bounds_that_cannot_be(bounds):
    with pytest.raises(ConfigError):
        Bounds(**bounds)
