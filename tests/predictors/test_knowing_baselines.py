"""Baselines that know what a picture holds but never look, worked out by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from loupe.cli.evaluate import asked_blind
from loupe.errors import ConfigError
from loupe.evals import BENCHMARKS
from loupe.evals.metrics import measure
from loupe.evals.predictions import prediction
from loupe.image import Image
from loupe.predictors import baseline
from loupe.regions import Box, Mask, pixels
from loupe.sample import Sample, user

PLACES = Box(10, 10, 30, 30), Box(60, 12, 80, 32), Box(10, 60, 50, 100)
SCENE = {"width": 100, "height": 100, "relations": [], "objects": [
    {"id": "a", "names": ["star"], "attributes": ["red"], "place": PLACES[0]},
    {"id": "b", "names": ["star"], "attributes": ["small", "blue"], "place": PLACES[1]},
    {"id": "c", "names": ["moon"], "attributes": ["large", "blue"], "place": PLACES[2]}]}
WHERE = Sample((), (user("?"),), extra={"scene": SCENE, "object": "a", "truth": PLACES[0]})


def asked(truth, count: int = 300) -> list[Sample]:
    return [replace(WHERE, id=str(k), extra={**WHERE.extra, "truth": truth}) for k in range(count)]


def test_one_of_its_class():
    found = Counter(answer.regions[0] for answer in baseline("random-object").answer(asked(PLACES[0])))
    assert set(found) == set(PLACES[:2]) and min(found.values()) > 100
    said = Counter(answer.text for answer in baseline("random-object").answer(asked("red star")))
    assert set(said) == {"red star", "small blue star"} and min(said.values()) > 100
    assert next(baseline("class-name").answer([WHERE])).text == "star"


@pytest.mark.parametrize("truth", [(), PLACES[:1], PLACES])
def test_as_many_as_training_pictures_have(truth):
    """Half of the training questions have none, half have two: so has every answer, whatever the truth."""
    train = [*asked((), 2), *asked(PLACES[:2], 2)]
    fitted = baseline("random-objects", train)
    assert fitted.identity == {"about": "[(0, 2), (2, 2)]"}
    answers = list(fitted.answer(asked(truth)))
    counts = Counter(len(answer.regions) for answer in answers)
    assert set(counts) == {0, 2} and min(counts.values()) > 100
    assert {answer.text for answer in answers if not answer.regions} == {"none"}
    assert {box for answer in answers for box in answer.regions} == set(PLACES)


def test_the_most_frequent_list():
    assert baseline("majority", [*asked((), 2), *asked(("star", "moon"), 1)]).text == "none"


@pytest.mark.parametrize("name,told,blind", [("mini-grounding", False, True), ("mini-masks", False, True),
                                             ("mini-pixels", False, True), ("coco-pixels-val2017", False, False),
                                             ("coco-pixels-val2017", True, True), ("refcoco-val", False, False)])
def test_who_is_asked_blind(name, told, blind):
    assert asked_blind(SimpleNamespace(benchmark=BENCHMARKS[name]), SimpleNamespace(blind=told)) is blind


def test_a_list_needs_training_questions():
    for train in (None, asked("red star", 2)):
        with pytest.raises(ConfigError, match="fitted on"):
            baseline("random-objects", train)


def test_a_caption_with_random_places():
    """Of the six orders of three things one has all right, three have one right, two none: a third of the pairs."""
    truth = tuple(part for place in PLACES for part in (place, "a thing"))
    samples = asked(truth)
    answers = list(baseline("random-object").answer(samples))
    assert {tuple(f.phrase for f in a.found) for a in answers} == {("red star", "small blue star", "large blue moon")}
    scores = measure("captions", [prediction(s, a) for s, a in zip(samples, answers)])
    assert scores["pairs that agree"] == pytest.approx(1 / 3, abs=0.06)
    assert scores["all right and complete"] == pytest.approx(1 / 6, abs=0.06)


def test_a_mask_is_the_box_of_one_of_its_class():
    """Both boxes have 400 pixels: the right one is all of the thing, the other shares none of it."""
    truth = Mask.from_array(pixels(PLACES[0], 100, 100))
    picture = Image.of(np.zeros((100, 100, 3), np.uint8))
    samples = [replace(s, images=(picture,), extra={"truth": truth, "alike": PLACES[:2]}) for s in asked(truth, 40)]
    answers = list(baseline("random-object-filled").answer(samples))
    right = np.mean([answer.regions[0] == PLACES[0] for answer in answers])
    assert 0.2 < right < 0.8
    assert measure("masks", [prediction(s, a) for s, a in zip(samples, answers)])["gIoU"] == pytest.approx(right)
