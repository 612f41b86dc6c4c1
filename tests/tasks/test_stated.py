"""Scenes said in words: what is said, in which order, what is asked, and that nothing of it needs the picture."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import CUP_LEFT, MAN, TABLE, kitchen, scattered

from loupe import world
from loupe.codec import codec
from loupe.data.draw import Groups, Records
from loupe.data.mixture import Curriculum, Mixture, Source
from loupe.dialogue import MINI, dialogue
from loupe.errors import ConfigError, LoupeError
from loupe.frame import frame
from loupe.image import Image
from loupe.record import Object, Word
from loupe.regions import Box
from loupe.sample import Found, Regions, Sample, assistant, user
from loupe.tasks import TASKS, task
from loupe.tasks.base import single
from loupe.tasks.stated import ASKED, described, length, said
from loupe.tasks.wording import Wording

SIGN = Object("s", Box(30, 40, 60, 80), ("sign",), ("large", "red"))
RECORD = kitchen(objects=(Object("c1", CUP_LEFT, ("cup",), ("blue",)), SIGN), words=(
    Word("STOP", Box(35, 50, 55, 60), "s"), Word("LOST", Box(0, 0, 5, 5))))


def spoken(sample: Sample) -> str:
    frames = [frame("squash", *size, 100) for size in sample.sizes]
    return MINI.render(sample, codec("xy"), frames).text()


def test_the_words_by_hand():
    things = described(RECORD, list(RECORD.objects), False)
    assert things == [("blue cup ", Regions((CUP_LEFT,))), (
        "large red sign ", Regions((SIGN.box,)), " says STOP ", Regions((Box(35, 50, 55, 60),)))]
    assert described(RECORD, [SIGN], True)[0][:2] == (Regions((SIGN.box,)), " large red sign")
    wording = Wording.parse("See {scene}!", ("scene",), "here")
    assert said(wording, things) == ("See blue cup ", Regions((CUP_LEFT,)), "; large red sign ", Regions((SIGN.box,)),
                                     " says STOP ", Regions((Box(35, 50, 55, 60),)), "!")
    # "See blue cup", box, "; large red sign", box, "says STOP", box, "!"
    assert length(said(wording, things)) == 3 + 5 + 4 + 5 + 2 + 5 + 1


def test_one_question_as_a_model_reads_it():
    made = task("stated", tasks=(("counting", 1.0),))
    dogs = next(s for s in made.every(kitchen()) if s.extra["name"] == "dog")
    own = next(s for s in task("counting").every(kitchen()) if s.extra["name"] == "dog")
    scene = ("cup <x_10><y_10><x_20><y_20>; cup <x_70><y_10><x_84><y_24>; table <x_0><y_50><x_100><y_100>; "
             "man <x_40><y_5><x_60><y_65>")
    assert spoken(dogs) == f"<|user|>Objects: {scene}. {own.turns[0].parts[0]}<|assistant|>"
    assert dogs.extra["truth"] == "0" and dogs.canvas == (100, 100) and dogs.images == ()


def test_every_object_is_said_once_in_any_order():
    orders, firsts = set(), set()
    for seed in range(30):
        sample = task("stated", turns=1)(kitchen(), np.random.default_rng(seed))
        regions = [r for p in sample.turns[0].parts if isinstance(p, Regions) for r in p.regions][:4]
        assert sorted(b.xyxy for b in regions) == sorted(o.box.xyxy for o in kitchen().objects)
        orders.add(tuple(regions))
        text = spoken(sample)
        firsts.add(text.index("<x_0>") < text.index("table"))
    assert len(orders) > 10 and firsts == {True, False}


def test_turns_are_those_of_the_tasks():
    """Each answer is one its task gives to that very question about the record."""
    made = task("stated", tasks=(("grounding", 1.0), ("detection", 1.0), ("dialogue", 1.0)), turns=5)
    for seed in range(20):
        sample = made(kitchen(), np.random.default_rng(seed))
        roles = [t.role for t in sample.turns]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        asked = sample.extra["asked"]
        assert len(asked) == len(roles) // 2
        assert {name.split(".")[0] for name in asked} <= {"grounding", "detection", "dialogue"}
        for name, answer in zip(asked, sample.turns[1::2]):
            if name == "grounding":
                assert answer.parts in ((Regions((CUP_LEFT,)),), (Regions((TABLE,)),))
            if name == "dialogue":
                assert answer.parts in (("A kitchen.",), ("A man.",))
    assert {n for _, n in {(s, n) for s in range(9) for n in made(kitchen(), np.random.default_rng(s)).extra["asked"]}
            } >= {"grounding", "dialogue", "detection.name"}


def test_room_ends_the_questions():
    many = task("stated", turns=50, room=10**6)(kitchen(), np.random.default_rng(0))
    few = task("stated", turns=50, room=60)(kitchen(), np.random.default_rng(0))
    one = task("stated", turns=50, room=0)(kitchen(), np.random.default_rng(0))
    assert len(many.turns) > len(few.turns) > 2 and len(one.extra["asked"]) >= 1
    assert many.turns[1:4] == few.turns[1:4], "a smaller room cuts questions off and changes none"


def test_the_picture_is_never_opened():
    nowhere = Image(path="/nowhere/at/all.png")
    for record in world.records(6, 3, world="mini"):
        blind = kitchen(**{**vars(record), "image": nowhere})
        sample = task("stated")(blind, np.random.default_rng(1))
        assert sample == task("stated")(record, np.random.default_rng(1)) and spoken(sample)
        asked = task("stated").every(blind)
        assert {s.extra["asked"][0].split(".")[0] for s in asked} >= {"grounding", "counting", "region"}
    assert {name for name, _ in ASKED} <= set(TASKS) - {"reconstruction", "segmentation", "stated"}


def test_named_regions_are_read_back():
    for seed in range(10):
        record = scattered(np.random.default_rng(seed))
        sample = task("stated")(record, np.random.default_rng(seed))
        if sample is None:
            assert not single(record)
            continue
        parsed = codec("xy").parse(spoken(sample).split("<|assistant|>")[0], frame("squash", 100, 100, 100))
        found = {p.region.xyxy for p in parsed.parts if isinstance(p, Found) and isinstance(p.region, Box)}
        assert found >= {o.box.xyxy for o in single(record)} and not parsed.problems


class Listed(list):
    hash, problems = "", {}


def test_a_curriculum_counts_the_objects_said():
    records = Listed(world.records(30, 5, world="mini"))
    source = Source("world", "records", "records", tasks=(("stated", 1.0),))
    opened = Records(source, records)
    opened.count_objects()
    groups = Groups(Mixture((source,), curriculum=Curriculum(2, 8, 0.5)), [opened], 0)
    known = {r.id: len(single(r)) for r in records}
    counts = [known[groups[i][0].record] for i in range(30)]
    assert counts[0] == 2 and np.mean(counts[:8]) < np.mean(counts[8:15])


def test_regions_without_a_picture_need_a_canvas():
    ask = user("What is in ", MAN, "?")
    frames = [frame("squash", 100, 100, 50)]
    assert "<x_40><y_5>" in MINI.render(Sample((), (ask,), canvas=(100, 100)), codec("xy"), frames).text()
    with pytest.raises(LoupeError, match="does not have"):
        MINI.render(Sample((), (ask,)), codec("xy"), [])
    with pytest.raises(LoupeError, match="do not match"):
        MINI.render(Sample((), (ask,), canvas=(100, 100)), codec("xy"), [])
    with pytest.raises(LoupeError, match="does not have"):
        MINI.render(Sample((), (user("In ", Box(1, 1, 2, 2, image=1)), assistant("a")), canvas=(9, 9)), codec("xy"),
                    [frame("squash", 9, 9, 50)])


def test_unknown_tasks_are_named():
    with pytest.raises(ConfigError, match="grounding"):
        task("stated", tasks=(("groundin", 1.0),)).every(kitchen())


def test_other_families_say_scenes_too():
    sample = task("stated", turns=2)(kitchen(), np.random.default_rng(0))
    text = dialogue("pink").render(sample, codec("pink"), [frame("squash", 100, 100, 224)]).text()
    assert "[0.100,0.100,0.200,0.200]" in text and "Image:" not in text


def test_every_task_can_pose_a_question():
    """None, or a sample that ends with the user's turn: the same for the same generator."""
    for name in TASKS:
        for record in world.records(2, 5, "train", world="mini"):
            posed = task(name).pose(record, np.random.default_rng(1))
            assert posed is None or posed.turns[-1].role == "user", name
            assert posed == task(name).pose(record, np.random.default_rng(1)), name
