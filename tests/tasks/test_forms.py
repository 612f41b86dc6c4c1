"""How regions are given, how long answers are asked for, questions about regions, kinds of things."""

from collections import Counter

import numpy as np
import pytest

from loupe.errors import ConfigError
from loupe.record import Question, Turns, Word
from loupe.regions import Box, Mask, Point, Polygon, contains
from loupe.sample import Regions, user
from loupe.tasks import question, task
from loupe.tasks.base import STYLES
from loupe.tasks.forms import FORMS, corners, each, given, inside
from tests.handmade import CUP_LEFT, MAN, TABLE, kitchen

RING = Polygon(((10, 10), (20, 10), (20, 20), (10, 20)))


def rng(k=0):
    return np.random.default_rng(k)


def test_every_form_of_a_box_means_the_same_place():
    record = kitchen()
    assert given(record, CUP_LEFT, "", rng()) == given(record, CUP_LEFT, "box", rng()) == CUP_LEFT
    assert given(record, CUP_LEFT, "polygon", rng()) == corners(CUP_LEFT) == RING
    for k in range(50):
        point = given(record, CUP_LEFT, "point", rng(k))
        assert 12.5 <= point.x <= 17.5 and 12.5 <= point.y <= 17.5  # the inner half of 10..20
    assert given(record, CUP_LEFT, "point", rng(), point=Point(11, 12)) == Point(11, 12)


def test_a_known_object_is_pointed_at_where_it_alone_is():
    record = kitchen()  # the man (40..60, 5..65) stands before the table (0..100, 50..100)
    places = [given(record, TABLE, "point", rng(k), about="t") for k in range(200)]
    assert all(contains(TABLE, p) and not contains(MAN, p) for p in places)


def test_outlines_and_points():
    record, triangle = kitchen(), Polygon(((0, 0), (40, 0), (0, 40)))
    assert given(record, triangle, "polygon", rng()) == triangle
    assert given(record, triangle, "box", rng()) == triangle.box
    assert all(contains(triangle, inside(triangle, rng(k))) for k in range(60))
    array = np.zeros((100, 100), bool)
    array[3:7, 10:30] = True
    mask = Mask.from_array(array)
    assert given(record, mask, "polygon", rng()) == Polygon(((10, 3), (30, 3), (30, 7), (10, 7)))
    at = Point(3, 4)
    assert given(record, at, "point", rng()) == at and given(record, at, "box", rng()) is None
    assert each(record, at, FORMS, "k") == [("point", at)]
    assert each(record, CUP_LEFT, FORMS, "k") == each(record, CUP_LEFT, FORMS, "k")


@pytest.mark.parametrize("name, record", [
    ("reading", kitchen(words=(Word("STOP", RING),))), ("description", kitchen()),
    ("region-question", kitchen(questions=(Question("What?", ("a cup",), "q", CUP_LEFT, Point(12, 12)),)))])
def test_forms_are_drawn_evenly_by_the_seed(name, record):
    made = task(name, forms=FORMS, **({"kinds": ("read",)} if name == "reading" else {}))
    drawn = [made(record, rng(k)) for k in range(300)]
    assert drawn == [made(record, rng(k)) for k in range(300)]
    forms = Counter(s.extra["form"] for s in drawn)
    assert set(forms) == set(FORMS) and min(forms.values()) > 60
    for s in drawn:
        (region,) = next(p for p in s.turns[0].parts if isinstance(p, Regions)).regions
        assert isinstance(region, {"point": Point, "box": Box, "polygon": Polygon}[s.extra["form"]])
    asked = made.every(record)
    assert Counter(s.extra["form"] for s in asked) == dict.fromkeys(FORMS, len(asked) // 3)
    assert {s.id for s in drawn} <= {s.id for s in asked} and len({s.id for s in asked}) == len(asked)
    with pytest.raises(ConfigError, match="did you mean 'polygon'"):
        task(name, forms=("polygn",))


def test_each_human_turn_draws_a_form():
    talk = Turns(("What is <r1>?", "A cup, <r1>.", "And beside <r1>, <r2>?", "A man."), "d",
                 (("<r1>", CUP_LEFT), ("<r2>", MAN)))
    record = kitchen(dialogues=(talk, Turns(("Hello?", "A kitchen."), "w")))
    made = task("dialogue", forms=FORMS, about="regions")
    kinds = Counter()
    for k in range(300):
        turns = made(record, rng(k)).turns
        first, last = (next(p for p in turns[at].parts if isinstance(p, Regions)).regions for at in (0, 2))
        assert turns[1].parts == ("A cup, ", Regions((CUP_LEFT,)), ".")  # answers as annotated
        assert len({type(r) for r in last}) == 1 and len(last) == 2  # one form a turn
        kinds[type(first[0]), type(last[0])] += 1
    assert len(kinds) == 9 and min(kinds.values()) > 15  # the turns draw independently
    assert [s.id for s in made.every(record)] == ["hand/val/7/dialogue/d"] and made.every(record) == made.every(record)
    (whole,) = task("dialogue", about="picture").every(record)
    assert whole.turns == (user("Hello?"),)
    with pytest.raises(ConfigError, match="sort of dialogue"):
        task("dialogue", about="pictures")


def test_styles_are_a_field_and_words():
    assert question("question", question="Why?") == user("Why? Answer in a word or two.")
    assert question("question", question="Why?", style="short") == user("Why? Answer in short.")
    assert question("question", question="why", style="detailed") == user("why. Answer in detail.")
    assert question("description", region=MAN, style="detailed") == user("Describe ", MAN, ". Answer in detail.")
    assert question("caption", style="detailed") == user("Describe the whole picture. Answer in detail.")
    for name in ("caption", "question", "counting", "region", "dialogue", "conversation", "detection"):
        samples = [task(name, style="short")(kitchen(), rng(k)) for k in range(60)]
        plain = [task(name)(kitchen(), rng(k)) for k in range(60)]
        assert {s.extra["style"] for s in samples if s} == {"short"} and not any("style" in s.extra for s in plain if s)
        requests = {"Answer in short.", "Be brief.", "Keep the answer short.", "A short answer will do."}
        for s in filter(None, samples):
            asked = [t.parts[-1] for t in s.turns if t.role == "user"]
            assert all(isinstance(text, str) for text in asked)
        assert any(any(text.endswith(r) for r in requests) for s in samples if s for text in [s.turns[0].parts[-1]])
    with pytest.raises(ConfigError, match="did you mean 'detailed'"):
        task("caption", style="detaild")
    with pytest.raises(ConfigError, match="no style of its own"):
        task("stated", style="short")
    assert STYLES[0] == "" == task("caption").style


def test_a_users_own_words_for_a_style(tmp_path):
    (tmp_path / "style.short.txt").write_text("En un mot.\n", encoding="utf-8")
    assert question("caption", style="short", templates=str(tmp_path)).parts[0].endswith(" En un mot.")


def test_questions_about_regions_are_kept_apart():
    asked = (Question("How many?", ("two",), "q1"), Question("How many of these?", ("2", "two"), "q2", CUP_LEFT,
                                                             Point(12, 13), "general"),
             Question("How many cups?", ("2",), "q3", CUP_LEFT, None, "object"))
    record = kitchen(questions=asked)
    assert [s.id.rsplit("/", 1)[1] for s in task("question").every(record)] == ["q1"]
    whole, named = task("region-question").every(record)
    assert whole.turns == (user("How many of these? ", CUP_LEFT),) and whole.extra["references"] == ("2", "two")
    assert (whole.extra["truth"], whole.extra["wording"], named.extra["wording"]) == ("2", "general", "object")
    (point,) = task("region-question", forms=("point",), kinds=("general",)).every(record)
    assert point.turns[0].parts[1] == Regions((Point(12, 13),)) and point.extra["form"] == "point"


def test_inventory():
    (sample,) = task("inventory").every(kitchen())
    assert sample.extra["truth"] == ("table", "man", "cup")  # the largest first, each class once
    assert task("inventory")(kitchen(), rng()).turns[1].parts == ("table, man, cup",)
    assert not task("inventory").every(kitchen(exhaustive=False)) and not task("inventory", most=2).every(kitchen())
