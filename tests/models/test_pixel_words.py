"""A family's own words for pixel questions, through the engine and through plain answers; impossible questions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_look import picture, tiny

from loupe.dialogue import dialogue
from loupe.errors import CodecError, ConfigError
from loupe.models import dense
from loupe.models.look import Look
from loupe.predictors.checkpoint import Model
from loupe.regions import Colour, Point
from loupe.sample import Sample, assistant
from loupe.tasks import question


@pytest.fixture
def model():
    """Random weights that read PAE-LaMM's words."""
    made = tiny(marks="pae", seed=3)
    own = dialogue("pae")
    made.encoder.dialogue = replace(
        made.encoder.dialogue, tags=own.tags, questions=own.questions, answers=own.answers)
    return made


def text_of(model, sample: Sample) -> str:
    encoder = model.encoder
    return encoder.dialogue.render(sample, encoder.codec, encoder.frames(sample.images)).text("#")


def test_masks_in_the_familys_words(model):
    """0 and 1 instead of no and yes, in the engine's shares and in answers one by one."""
    look = Look.at(model, [picture(2, 40, 40)])
    found = look.likely("the red cup", 4, check=False)
    rail, watch = dense._words(look, ("yes", "no"), "segmentation")
    one, zero = (model.encoder.tokenizer.encode(t, add_special_tokens=False)[-1] for t in ("1", "0"))
    assert watch == (one, zero)
    point = Point(5, 15)
    sample = look._task("segmentation", phrase="the red cup", region=point)
    assert "[segmentation] the red cup loc: [12,38] mask:" in text_of(model, sample)
    predictor = Model(model)
    (answer,) = predictor.answer([sample])
    weights = [w for w in predictor.seen([look.images]).weigh(
        [replace(sample, turns=(*sample.turns, assistant(word))) for word in ("yes", "no")])]
    likelier = "yes" if weights[0] > weights[1] else "no"
    assert (found.probability[1, 0] > 0.5) == (likelier == "yes")
    assert answer.text not in ("0", "1")  # where it says one of them it is heard as a word
    assert model.encoder.dialogue.heard(" 1", "segmentation") == "yes"


def test_pixels_in_the_familys_words(model):
    look = Look.at(model, [picture(2, 40, 40)])
    whole = look.pixels(3)
    asked = [look._task("reconstruction", region=Point((i + 0.5) * 40 / 3, (j + 0.5) * 40 / 3))
             for j in range(3) for i in range(3)]
    assert "[reconstruct] loc: [17,17] rgb:" in text_of(model, asked[0])
    for answer, pixel in zip(look.answers(asked, constrain="colour"), whole.reshape(-1, 3)):
        assert answer.parts[-1] == Colour(*pixel.tolist())


def test_impossible_questions(model):
    """A place outside the picture, no places, nothing to look for: an error, or an honest empty answer."""
    image = picture(2, 40, 40)
    look = Look.at(model, [image])
    with pytest.raises(CodecError, match="outside what the model sees"):
        look.ask("Which colour is at", Point(55, 10), "?")
    outside = Sample((image,), (question("reconstruction", region=Point(10, -3)),), "reconstruction")
    inside = replace(outside, turns=(question("reconstruction", region=Point(10, 3)),))
    bad, good = Model(model).dense([outside, inside])
    assert [p.kind for p in bad.problems] == ["question"] and "outside" in bad.problems[0].text and not bad.parts
    assert not any(p.kind == "question" for p in good.problems)
    for wrong in (0, -1, 2.5):
        with pytest.raises(ConfigError, match="at least one place"):
            look.pixels(wrong)
        with pytest.raises(ConfigError, match="at least one place"):
            look.segment("the red cup", wrong)
    with pytest.raises(ConfigError, match="nothing to look for"):
        look.segment("   ")
    look.locate = lambda phrase: ()  # the model says it is not there
    nothing = look.likely("the green elephant", 8, within=True, check=False)
    assert nothing.mask.area == 0 and nothing.asked == 0 and np.array_equal(nothing.probability, np.zeros((8, 8)))
    with pytest.raises(ConfigError, match="no question"):
        look.ask(" ")
