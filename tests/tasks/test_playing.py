"""Actions as text, both ways."""

import math

import numpy as np
import pytest

from loupe.dialogue import dialogue
from loupe.errors import ConfigError
from loupe.image import Image
from loupe.record import Record, Step
from loupe.tasks import task

CAR, INVADERS = task("car-racing"), task("space-invaders")


@pytest.mark.parametrize("action,text", [
    ((-0.2, 0.0, 0.0), "[8,10,10]"),  # the paper's slight left
    ((1.0, 1.0, 1.0), "[20,20,20]"), ((-1.0, 0.0, 0.0), "[0,10,10]"), ((0.05, 0.25, 0.0), "[11,13,10]"),  # halves up
    ((-0.05, 0.0, 0.0), "[10,10,10]"), ((-3.0, -1.0, 2.0), "[0,10,20]")])
def test_an_action_is_said_as_the_paper_says_it(action, text):
    assert CAR.said(action) == text


def test_what_is_said_comes_back_within_half_a_step():
    for v in np.random.default_rng(0).uniform((-1, 0, 0), (1, 1, 1), (200, 3)):
        assert np.abs(np.array(CAR.read(CAR.said(tuple(v)))) - v).max() <= 0.05 + 1e-9
    assert [INVADERS.read(INVADERS.said((float(k),))) for k in range(6)] == [(float(k),) for k in range(6)]


@pytest.mark.parametrize("text,action", [
    ("[8, 10, 10]", (-0.2, 0, 0)), ("8,10,10", (-0.2, 0, 0)), ("steering 8, gas 10, brake 12.", (-0.2, 0, 0.2)),
    ("[10,4,3]", (0, 0, 0)), ("[8,10]", None), ("[8,10,10,10]", None), ("[8,10,21]", None), ("[-1,10,10]", None),
    ("", None), ("left", None), ("[1e9,10,10]", None), ("٣,10,10", None)])
def test_reading_steering_gas_and_brake(text, action):
    assert CAR.read(text) == (None if action is None else pytest.approx(action))


@pytest.mark.parametrize("text,action", [
    ("2", 2), ("2.", 2), ("RIGHT", 2), ("rightfire!", 4), ("2: RIGHT", 2), ("I choose 5 (LEFTFIRE)", 5), ("6", None),
    ("-1", None), ("LEFT or RIGHT", None), ("3 RIGHT", None), ("", None), ("12", None)])
def test_reading_a_move(text, action):
    assert INVADERS.read(text) == (None if action is None else (float(action),))


def test_what_is_no_action_is_refused():
    for wrong in ((0.0,), (math.nan, 0.0, 0.0)):
        with pytest.raises(ConfigError):
            CAR.said(wrong)
    for wrong in ((6.0,), (1.5,), (0.0, 0.0)):
        with pytest.raises(ConfigError):
            INVADERS.said(wrong)


def test_a_step_is_asked_about_with_the_pictures_before_it_and_the_games_tag():
    older, newer = (Image.of(np.full((4, 4, 3), k, np.uint8)) for k in (0, 9))
    record = Record(newer, 4, 4, "a", "games", steps=(Step("car-racing", (-0.2, 0.0, 0.0), (older,)),))
    sample = CAR(record, np.random.default_rng(0))
    assert sample.images == (older, newer) and sample.turns[1].parts == ("[8,10,10]",) and sample.task == "car-racing"
    from loupe.codec import codec
    from loupe.frame import Frame
    from loupe.regions import Box

    frames = [Frame(4, 4, 8, 8, Box(0, 0, 4, 4))] * 2
    text = dialogue("pae").render(sample, codec("pae"), frames).text()
    assert text.startswith("<s>[INST] <Img><image></Img><Img><image></Img> [CarRacing] This is a car racing game")
    assert text.endswith(" [/INST] [8,10,10]</s>")
    assert CAR.every(record)[0].extra["truth"] == "[8,10,10]" and INVADERS(record, np.random.default_rng(0)) is None
