"""Each task and kind on a hand-worked record, then every task against brute force on records by chance."""

import json

import numpy as np
import pytest

from loupe import world
from loupe.errors import ConfigError
from loupe.plain import from_plain, to_plain
from loupe.record import Object, Phrase
from loupe.regions import Box, Point, contains
from loupe.sample import Found, Regions, Sample, assistant, turn, user
from loupe.tasks import TASKS, question, task
from loupe.tasks.drawn import DrawnTask
from tests.handmade import CUP_LEFT, CUP_RIGHT, MAN, PEOPLE, TABLE, kitchen, scattered


def asked(name, record=None, **options) -> dict:
    """question's key -> (sample in the fixed wording, truth)."""
    record = record or kitchen()
    start = f"{record.source}/{record.split}/{record.id}/{name}/"
    return {s.id.removeprefix(start): s for s in task(name, **options).every(record)}


def drawn(name, record=None, tries=300, **options) -> list[Sample]:
    made = task(name, **options)
    samples = [made(record or kitchen(), np.random.default_rng([1, k])) for k in range(tries)]
    return [s for s in samples if s]


def answer(sample: Sample):
    return sample.turns[-1].parts


def test_grounding():
    found = asked("grounding")
    assert set(found) == {"phrase:p1", "phrase:p2"}
    assert found["phrase:p1"].turns == (user("Where is the left cup?"),)
    assert found["phrase:p1"].extra["truth"] == CUP_LEFT and found["phrase:p1"].extra["object"] == "c1"
    assert found["phrase:p2"].turns == (user("Where is wood {brown} %s?"),)  # braces of the data stay what they are
    assert set(asked("grounding", phrases="refers")) == {"phrase:p1"}
    assert {k: s.extra["truth"] for k, s in asked("grounding", phrases="unique").items()} == {
        "unique:man": MAN, "unique:table": TABLE}  # two cups; "mug" is what nobody calls an object first
    assert asked("grounding", kitchen(phrases=())).keys() == {"unique:man", "unique:table"}
    assert not asked("grounding", kitchen(exhaustive=False), phrases="unique")
    assert not asked("grounding", kitchen(phrases=()), phrases="refers")
    for s in drawn("grounding"):
        assert s.turns[1] == assistant(s.extra["truth"]) and s.extra["phrase"] in s.turns[0].parts[0]


def test_a_phrase_in_a_question_loses_its_full_stop():
    record = kitchen(phrases=(Phrase("the left cup. ", CUP_LEFT, refers=True, object="c1", id="p"),))
    assert asked("grounding", record)["phrase:p"].turns == (user("Where is the left cup?"),)
    assert asked("coarse-position", record)["names:top-left:phrase:p"].turns[0].parts[0].endswith("the left cup?")
    assert "names:c1:on:the left cup" in asked("relation-objects", record)
    assert asked("description", record)["phrase:p"].extra["truth"] == "the left cup."  # answers stay as annotated


def test_description():
    found = asked("description")
    assert found["phrase:p1"].turns == (user("Describe ", CUP_LEFT, "."),)
    assert found["phrase:p1"].extra["truth"] == "the left cup"
    twice = kitchen(phrases=(*kitchen().phrases, Phrase("a cup", CUP_LEFT, id="p3")))
    assert asked("description", twice)["phrase:p3"].extra["references"] == ("the left cup", "a cup")
    assert {answer(s) for s in drawn("description")} == {("the left cup",), ("wood {brown} %s",)}


def test_the_longest_phrase_of_each_region():
    """By words that tell something: "the left cup" (2) before "a cup" (1), and before "the big" (1)."""
    said = (Phrase("a cup", CUP_LEFT, id="p3"), Phrase("the the cup", CUP_LEFT, id="p4"))
    record = kitchen(phrases=(*said, *kitchen().phrases))
    assert set(asked("description", record, longest=True)) == set(asked("description"))
    assert set(asked("description", kitchen(phrases=said), longest=True)) == {"phrase:p3"}, "the first of equals"
    assert {answer(s) for s in drawn("description", record, longest=True)} == {("the left cup",), ("wood {brown} %s",)}


def test_kinds_of_phrases(pictures):
    kinds = [("attribute", True), ("relation", True), ("attribute", True), ("", True), ("attribute", False)]
    record = kitchen(phrases=tuple(Phrase(f"cup {k}", CUP_LEFT, refers, "c1", f"p{k}", kind)
                                   for k, (kind, refers) in enumerate(kinds)))
    for name in ("grounding", "description"):
        assert list(asked(name, record, kinds=["attribute"], phrases="refers")) == ["phrase:p0", "phrase:p2"]
        assert list(asked(name, record, per_kind=1)) == ["phrase:p0", "phrase:p1", "phrase:p3"]
        assert {s.id[-2:] for s in drawn(name, record, kinds=["relation", ""], per_kind=1)} == {"p1", "p3"}
        assert [s.extra.get("kind") for s in asked(name, record).values()] == [
            "attribute", "relation", "attribute", None, "attribute"]
    assert asked("description", record, per_kind=1)["phrase:p0"].extra["references"] == tuple(
        f"cup {k}" for k in range(5))
    known = {p.kind for record in pictures for p in record.phrases if p.refers}
    for record in pictures[:3]:
        for kind in known:
            texts = {s.extra["phrase"] for s in asked("grounding", record, phrases="refers", kinds=[kind]).values()}
            assert texts == {p.text.rstrip(".") for p in record.phrases if p.kind == kind and p.refers}


def test_relation():
    found = asked("relation")
    assert {k: s.extra["truth"] for k, s in found.items()} == {
        "c1:on:t": "on", "m:next to:c1": "next to", "m:next to:c2": "next to"}  # duplicates, loops and strays are gone
    assert found["c1:on:t"].turns == (user("What is the relation of ", CUP_LEFT, " to ", TABLE, "?"),)


def test_frequent_predicates_are_damped():
    def share(**options):
        kept = drawn("relation", kitchen(relations=kitchen().relations[:2]), tries=2000, **options)
        return sum(answer(s) == ("on",) for s in kept) / len(kept)
    assert share() == pytest.approx(0.1, abs=0.03)  # "on" is kept one time in five, then drawn one time in two
    assert share(keep=1.0) == pytest.approx(0.5, abs=0.05)
    only = drawn("relation", kitchen(relations=kitchen().relations[:1]), tries=1000)
    assert len(only) == pytest.approx(200, abs=50)  # else nothing to ask
    assert drawn("relation-objects", kitchen(relations=kitchen().relations[:1]), tries=200, keep=0.0) == []


def test_relation_objects():
    found = asked("relation-objects")
    first = 'Give the boxes of everything that '
    assert found["boxes:m:next to"].turns == (user(first, MAN, ' is related to by "next to".'),)
    assert found["boxes:m:next to"].extra["truth"] == (CUP_LEFT, CUP_RIGHT)  # smallest first
    assert found["names:m:next to"].extra["truth"] == ("cup", "cup")
    assert found["both:m:next to"].extra["truth"] == (CUP_LEFT, "cup", CUP_RIGHT, "cup")
    assert found["boxes:c1:on:the left cup"].turns == (user(first + 'the left cup is related to by "on".'),)
    assert found["boxes:m:next to:the man"].turns == (user(first + 'the man is related to by "next to".'),)
    next_to = kitchen(relations=kitchen().relations[1:3])
    answers = {s.extra["kind"]: answer(s) for s in drawn("relation-objects", next_to)}
    assert answers == {"boxes": (Regions((CUP_LEFT, CUP_RIGHT)),), "names": ("cup, cup",),
                       "both": (Regions((CUP_LEFT,)), " cup ", Regions((CUP_RIGHT,)), " cup")}
    assert not asked("relation-objects", most=0)


def test_coarse_position():
    found = {k: s for k, s in asked("coarse-position").items()}
    assert found["boxes:top-left:box:t"].turns == (user("Which boxes lie to the top-left of ", TABLE, "?"),)
    truths = {k: s.extra["truth"] for k, s in found.items() if k.startswith("names:") and ":box:" in k}
    assert {k.removeprefix("names:"): v for k, v in truths.items() if v} == {
        "top-left:box:t": ("cup",), "top-right:box:t": ("cup",),
        "top-left:box:m": ("cup",), "top-right:box:m": ("cup",),
        "bottom-right:box:c1": ("cup", "man", "table"),  # (77, 17) lies 2 px lower than (15, 15)
        "top-left:box:c2": ("cup",), "bottom-left:box:c2": ("man", "table")}
    # man and table are level on x: in no quadrant of each other
    assert found["both:bottom-left:box:c2"].extra["truth"] == (MAN, "man", TABLE, "table")
    assert found["names:bottom-right:phrase:p1"].turns == (user("What lies to the bottom-right of the left cup?"),)
    assert found["names:bottom-right:phrase:p1"].extra["truth"] == ("cup", "man", "table")
    assert found["names:top-left:phrase:p2"].extra["truth"] == ("cup",)
    empty = [s for s in drawn("coarse-position") if not s.extra["truth"]]
    assert empty and {answer(s) for s in empty} == {("none",)}
    assert len(empty) > len([s for s in drawn("coarse-position", empty=0.1) if not s.extra["truth"]]) > 0


def test_a_quadrant_step_by_step():
    """The box of the thing the question starts from, then of what lies there; the names are judged."""
    found = asked("coarse-position", kinds=["steps"])
    assert found["steps:bottom-left:box:c2"].extra["truth"] == ("man", "table")
    assert found["steps:bottom-right:phrase:p1"].extra["truth"] == ("cup", "man", "table")
    record = kitchen(phrases=(Phrase("the right cup", CUP_RIGHT, refers=True, object="c2", id="p"),), objects=tuple(
        o for o in kitchen().objects if o.id in ("c2", "m", "t")))
    answers = {tuple(s.turns[-1].parts) for s in drawn("coarse-position", record, kinds=["steps"], by_phrase=1.0)}
    start = Regions((CUP_RIGHT,))
    assert answers == {(start, ": none"), (
        start, ":", " ", Regions((MAN,)), " man", " ", Regions((TABLE,)), " table")}
    assert not {s.extra["kind"] for s in drawn("coarse-position")} & {"steps"}, "only where it is asked for"


def test_nothing_is_said_of_quadrants_a_crowd_reaches_into():
    crowd = Object("x", PEOPLE, ("person",), crowd=True)
    found = asked("coarse-position", kitchen(objects=(*kitchen().objects, crowd)), kinds=["names"])
    assert "names:top-left:box:t" not in found and "names:top-right:box:t" in found
    assert not any("box:x" in k for k in found)


def test_counting():
    found = asked("counting")
    assert found["name:cup"].turns == (user("How many objects of the class cup are there?"),)
    assert {k: s.extra["truth"] for k, s in found.items() if k.startswith("name:")} == {
        "name:cup": "2", "name:man": "1", "name:table": "1", "name:dog": "0"}
    assert found["region:cup:c2"].turns == (user("How many objects are of the same class as ", CUP_RIGHT, "?"),)
    assert found["region:cup:c2"].extra["truth"] == "2"
    assert "name:dog" not in asked("counting", kitchen(exhaustive=False))
    crowded = kitchen(objects=(*kitchen().objects, Object("x", PEOPLE, ("cup",), crowd=True)))
    assert not any("cup" in k for k in asked("counting", crowded)) and "name:man" in asked("counting", crowded)


def test_counting_by_a_point():
    """A place on the cup itself stands for its box, in evaluation and in training."""
    found = asked("counting", form="point", kinds=("region",))
    assert {k: s.extra["truth"] for k, s in found.items()} == {
        "point:cup:c1": "2", "point:cup:c2": "2", "point:man:m": "1", "point:table:t": "1"}
    point = found["point:cup:c2"].turns[0].parts[1].regions[0]
    assert isinstance(point, Point) and contains(CUP_RIGHT, point)
    assert found == asked("counting", form="point", kinds=("region",)), "the same place every time"
    for s in drawn("counting", form="point", kinds=("region",)):
        assert [type(p.regions[0]) for p in s.turns[0].parts if isinstance(p, Regions)] == [Point]
    with pytest.raises(ConfigError, match="form of region"):
        task("counting", form="mask")


def test_counting_flattens_the_numbers():
    def share(number, **options):
        kept = drawn("counting", tries=1000, absent=0.0, **options)
        return sum(answer(s) == (number,) for s in kept) / len(kept)
    assert share("2") == pytest.approx(1 / 2, abs=0.06)  # numbers 1 and 2 occur
    assert share("2", flatten=False) == pytest.approx(1 / 3, abs=0.06)  # three classes occur
    absent = drawn("counting", tries=1000, absent=0.3)
    assert sum(answer(s) == ("0",) for s in absent) == pytest.approx(300, abs=60)


def test_detection():
    found = asked("detection")
    assert found["name:cup"].turns == (user("Give the boxes of all objects of the class cup."),)
    assert found["name:cup"].extra["truth"] == (CUP_LEFT, CUP_RIGHT) and found["name:dog"].extra["truth"] == ()
    of_one = user("Give the boxes of all objects of the same class as ", CUP_RIGHT, ".")
    assert found["region:cup:c2"].turns == (of_one,)
    answers = {(s.extra["name"], answer(s)) for s in drawn("detection")}
    assert answers == {("cup", (Regions((CUP_LEFT, CUP_RIGHT)),)), ("man", (Regions((MAN,)),)),
                       ("table", (Regions((TABLE,)),)), ("dog", ("none",))}
    assert "name:cup" not in asked("detection", most=1)
    wide = kitchen(objects=(Object("a", Box(50, 0, 60, 10), ("cup",)), Object("b", Box(0, 0, 40, 40), ("cup",))))
    assert [b.x1 for b in asked("detection", wide)["name:cup"].extra["truth"]] == [50, 0]
    assert [b.x1 for b in asked("detection", wide, order="left")["name:cup"].extra["truth"]] == [0, 50]


def test_caption_question_dialogue():
    assert [s.extra["references"] for s in asked("caption").values()] == [
        ("A man between two cups.", "A man at a table.")]
    assert {answer(s) for s in drawn("caption")} == {("A man between two cups.",), ("A man at a table.",)}
    assert asked("question")["q1"].turns == (user("How many cups? Answer in a word or two."),)
    assert asked("question")["q1"].extra == {"truth": "two", "references": ("two", "2")} and len(asked("question")) == 1
    assert drawn("dialogue")[0].turns == (user("Hello?"), assistant("A kitchen."), user("More?"), assistant("A man."))
    (talk,) = asked("dialogue").values()
    assert talk.turns[-1] == user("More?") and talk.extra["truth"] == "A man." and talk.id.endswith("/d1")


@pytest.mark.parametrize("name", TASKS)
def test_every_task(name):
    made = task(name)
    bare = kitchen(exhaustive=False, **{need: () for need in made.needs})
    assert not made.needs or (made(bare, np.random.default_rng(0)) is None and not made.every(bare))
    for seed in range(40):
        record = scattered(np.random.default_rng([3, seed]))
        every = made.every(record)
        assert len({s.id for s in every}) == len(every)
        one, same = (made(record, np.random.default_rng([5, seed])) for _ in range(2))
        assert one == same and (one is None or one.extra == same.extra)
        for s in [*every, *([one] if one else [])]:
            assert s.images == (() if name == "stated" else (record.image,))
            assert s.task == name and s.record == record.id and "truth" in s.extra
        assert all(s.turns[-1].role == "user" for s in every)
        if one and name not in ("caption", "reconstruction", "stated") and not isinstance(made, DrawnTask):
            # what is drawn is one of the questions of every(), with the same truth
            assert {s.id: s.extra["truth"] for s in every}[one.id] == one.extra["truth"]


def test_answers_are_true_by_brute_force():
    seen = dict.fromkeys(["counting", "detection", "coarse-position", "relation-objects", "relation"], 0)
    for seed in range(150):
        record = scattered(np.random.default_rng([4, seed]))
        for name in seen:
            for sample in task(name).every(record):
                seen[name] += 1
                _check(name, record, sample)
    assert min(seen.values()) > 100


def _check(name, record, sample):
    truth, kind = sample.extra["truth"], sample.extra.get("kind")
    key = sample.id.split(f"/{name}/")[1].split(":")
    single = {o.id: o for o in record.objects if not o.crowd}
    if name in ("counting", "detection"):
        same = [o for o in single.values() if key[1] in o.names]
        assert not any(o.crowd and key[1] in o.names for o in record.objects)
        assert same or (record.exhaustive and key[1] in record.vocabulary)
        expected = str(len(same)) if name == "counting" else {o.box for o in same}
        assert (truth if name == "counting" else set(truth)) == expected
    elif name == "relation":
        assert any((r.subject, r.predicate, r.object) == tuple(key) for r in record.relations) and truth == key[1]
    else:
        if name == "relation-objects":
            ids = {r.object for r in record.relations if (r.subject, r.predicate) == (key[1], key[2])}
            wanted = [single[i] for i in ids if i in single and i != key[1]]
        else:
            thing = single.get(key[3].removeprefix("p")) or next(o for o in single.values() if key[3] in o.names)
            (x, y), (down, right) = (thing.box.centre.x, thing.box.centre.y), key[1].split("-")
            wanted = [o for o in single.values() if o.id != thing.id
                      and (o.box.centre.x < x if right == "left" else o.box.centre.x > x)
                      and (o.box.centre.y < y if down == "top" else o.box.centre.y > y)]
        names, boxes = sorted(o.name for o in wanted), {o.box for o in wanted}
        if kind in ("names", "both"):
            assert sorted(v for v in truth if isinstance(v, str)) == names
        if kind in ("boxes", "both"):
            assert {v for v in truth if isinstance(v, Box)} == boxes


def test_the_worlds_records_serve_every_task_but_those_about_other_peoples_words():
    records, seen = list(world.records(12, seed=3)), set()
    for name in TASKS:
        for k, record in enumerate(records):
            sample = task(name, **({"keep": 1.0} if "relation" in name else {}))(record, np.random.default_rng([6, k]))
            if sample is not None:
                seen.add(name)
                assert from_plain(json.loads(json.dumps(to_plain(sample)))) == sample
                for part in (p for t in sample.turns for p in t.parts if isinstance(p, Regions)):
                    assert all(0 <= b.x1 <= b.x2 <= record.width and 0 <= b.y1 <= b.y2 <= record.height
                               and (b.area > 0 or isinstance(r, Point)) for r in part.regions for b in (r.box,))
    assert seen == set(TASKS) - {"dialogue", "region-question", "multiple-choice", "judgement", "which-region",
                                 "car-racing", "space-invaders"}


def test_fixed_questions():
    assert question("grounding", phrase="the {cup}") == user("Where is the {cup}?")
    assert question("description", region=MAN) == user("Describe ", MAN, ".")
    assert question("detection", name="cup") == user("Give the boxes of all objects of the class cup.")
    assert question("counting", region=MAN).parts[1] == Regions((MAN,))
    assert question("caption") == user("Describe the picture in a sentence.")
    assert question("coarse-position", kind="names", position="top-left", reference=MAN).parts[0] == (
        "What lies to the top-left of ")
    with pytest.raises(ConfigError, match="expected phrase"):
        question("grounding", region=MAN)


def test_unknown_names_teach():
    with pytest.raises(ConfigError, match="did you mean 'grounding'"):
        task("groundig")
    with pytest.raises(ConfigError, match="option of task 'counting'.*did you mean 'flatten'"):
        task("counting", flaten=True)
    for name, options in (("grounding", {"phrases": "all"}), ("detection", {"order": "size"}),
                          ("coarse-position", {"kinds": ["box"]})):
        with pytest.raises(ConfigError):
            task(name, **options)


def test_a_question_is_words_and_regions():
    box = Box(5, 50, 36, 91)
    assert question("description", region=Found(box)) == question("description", region=box)
    assert turn("What is in", Found(box), "?") == turn("What is in", box, "?")
    for wrong, says in (((5, 50, 36, 91), r"write loupe.Box\(5, 50, 36, 91\)"), (None, "got None"), (5, "got 5")):
        with pytest.raises(ConfigError, match=says):
            turn("What is in", wrong, "?")
        with pytest.raises(ConfigError, match=says):
            question("description", region=wrong)
    with pytest.raises(ConfigError, match="nothing to ask about: got ' ', expected a phrase"):
        question("grounding", phrase=" ")
