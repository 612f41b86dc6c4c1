"""Filters, overlaps, margins and checks against values worked by hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from boot_stubs import NAMES, Seer, Table, folder, opened, words

from loupe.bootstrapping.asking import ask
from loupe.bootstrapping.checks import _crop
from loupe.bootstrapping.figures import chosen, first
from loupe.bootstrapping.filters import CROWD, DAMAGED, MANY, NONE, NOTHING, SMALL, work
from loupe.bootstrapping.pair import ALONE, Candidate, Pair, best, from_line, score, share, to_line
from loupe.bootstrapping.settings import Rule, Settings
from loupe.bootstrapping.truth import RIGHT, Verdict
from loupe.errors import ConfigError, FileError, LoupeError
from loupe.image import Image
from loupe.record import Object, Record
from loupe.regions import Box
from loupe.sample import Answer, Problem

ALL = Settings(least_area=0)


def record(*boxes: Box, crowd: int | None = None) -> Record:
    objects = tuple(Object(f"o{k}", box, ("cup",), crowd=k == crowd) for k, box in enumerate(boxes))
    return Record(Image(data=b"none"), 100, 100, "r", "hand", objects=objects)


def boxes(count: int, side: float = 50) -> list[Box]:
    return [Box(k, 0, k + side, side) for k in range(count)]


def test_the_papers_filters():
    settings = Settings()
    assert (settings.most_objects, settings.least_area, Rule().iou) == (15, 2000, 0.5)
    assert not work(0, record(*boxes(15)), settings).reason
    many = work(0, record(*boxes(16)), settings)
    assert (many.reason, many.left_out) == (MANY, Counter({MANY: 16}))
    some = work(0, record(Box(0, 0, 50, 40), Box(0, 0, 50, 39.9), Box(0, 0, 90, 90), crowd=2), settings)
    assert [o.id for o in some.objects] == ["o0"]  # 2,000 pixels are enough, 1,995 are not
    assert some.left_out == Counter({SMALL: 1, CROWD: 1})
    assert work(0, record(), settings).reason == NONE
    assert work(0, record(Box(0, 0, 4, 4)), settings).reason == NOTHING


def test_an_area_may_be_a_share_of_the_picture():
    settings = Settings(least_share=0.05)  # of 100 x 100: 500 pixels
    assert [o.id for o in work(0, record(Box(0, 0, 25, 20), Box(0, 0, 25, 19)), settings).objects] == ["o0"]


def test_settings_say_what_is_wrong():
    nan = float("nan")
    for wrong in ({"candidates": 0}, {"least_share": 1.5}, {"crop_share": 0.6}, {"crop_share": -0.1}, {"together": 0},
                  {"least_area": nan}, {"least_area": float("inf")}, {"least_share": nan}, {"temperature": nan}):
        with pytest.raises(ConfigError):
            Settings(**wrong)
    with pytest.raises(ConfigError, match="likelihood"):
        Rule(by="likelyhood")
    with pytest.raises(ConfigError):
        Rule(share=60)


def test_options_that_could_not_do_what_they_say():
    Settings(candidates=14, wordings=13)  # as many wordings as there are, and all others
    Settings(candidates=40, temperature=0.5)
    for wrong, says in (({"candidates": 15}, "14 or fewer"), ({"wordings": 14}, "13 or fewer"),
                        ({"temperature": 0.5}, "candidates 2 or more")):
        with pytest.raises(ConfigError, match=says):
            Settings(**wrong)
    assert Settings().scores() == ("iou", "likelihood", "margin", "combined")
    assert Settings(margin=False, contrast=True).scores(second=True) == (
        "iou", "likelihood", "contrast", "agreement", "combined")


def test_overlap_and_likelihood_by_hand():
    predictor = Table({("r", 0): "The cup.", ("r", 60): "a plate", ("r", 10): ""},
                      {"The cup": Box(0, 0, 50, 25), "a plate": None})
    outcome, = ask([work(0, record(Box(0, 0, 50, 50), Box(60, 0, 100, 60), Box(10, 60, 60, 100)), ALL)], predictor, ALL)
    cup, plate = outcome.pairs
    assert cup.candidates[0] == Candidate("The cup.", 0.25, Box(0, 0, 50, 25), 0.5, 0.5)
    assert plate.candidates[0].iou == 0 and plate.candidates[0].problem == "no box"
    assert outcome.undescribed == ("box without a description: no words",)
    assert cup.rivals == 2 and cup.box == Box(0, 0, 50, 50)


def test_margin_and_contrast_by_hand():
    own, other, near = Box(0, 0, 50, 50), Box(60, 0, 100, 50), Box(1, 0, 50, 50)
    logs = {("the cup", 0): -2.0, ("the cup", 60): -3.5, ("the cup", 20): -1.0,  # where is it: the boxes
            (0, "the cup"): -4.0, (60, "the cup"): -9.0}  # what is there: the words
    predictor = Table({("r", 0): "the cup"}, {"the cup": Box(20, 0, 90, 50)}, logs)
    settings = Settings(least_area=2000, contrast=True)
    asked = work(0, record(own, other, near), settings)  # `near` is no rival of `own`: they overlap by 0.98
    outcome, = ask([asked], predictor, settings)
    pair = outcome.pairs[0]
    # the box found, IoU 1500 / 4500 with its own, is the strongest rival as a place; the words have one rival only
    assert pair.candidates[0].margin == -2.0 - -1.0 and pair.candidates[0].contrast == -4.0 - -9.0
    assert pair.rivals == 1
    assert score(pair, pair.candidates[0], "margin") == pytest.approx(1 / (1 + math.e))
    alone = ask([work(0, record(own), settings)], Table({("r", 0): "it"}, {"it": own}, {("it", 0): -1.0,
                                                                                   (0, "it"): -1.0}), settings)
    assert alone[0].pairs[0].candidates[0].margin == ALONE
    assert score(alone[0].pairs[0], alone[0].pairs[0].candidates[0], "contrast") == pytest.approx(1)
    silent = ask([asked], Table({("r", 0): "the cup"}, {"the cup": own}), settings)
    assert silent[0].pairs[0].candidates[0].margin is None


def test_a_box_that_overlaps_by_half_is_no_rival():
    own, half, less = Box(0, 0, 50, 50), Box(25, 0, 50, 50), Box(26, 0, 50, 50)
    for other, rivals in ((half, 0), (less, 1)):
        predictor = Table({("r", 0): "the cup", ("r", other.x1): "the cup"}, {"the cup": own})
        assert ask([work(0, record(own, other), ALL)], predictor, ALL)[0].pairs[0].rivals == rivals


def test_several_descriptions_and_the_best():
    draws = {(0, 1): "the cup", (0, 2): "the left cup", (0, 3): "The left cup"}
    predictor = Table({("r", 0): "the cup"}, {"the cup": Box(0, 0, 50, 20), "the left cup": Box(0, 0, 50, 50)}, {},
                      draws)
    settings = Settings(candidates=4, temperature=0.7, margin=False, least_area=0)
    outcome, = ask([work(0, record(Box(0, 0, 50, 50)), settings)], predictor, settings)
    pair, = outcome.pairs
    assert [c.text for c in pair.candidates] == ["the cup", "the left cup"]  # equal ones count once
    assert best(pair, "iou").text == "the left cup" and best(pair, "likelihood").text == "the cup"
    assert best(pair, "margin").text == "the cup"  # nothing known: the first


def test_a_box_without_a_plain_description_is_none_of_the_plain_methods():
    """Its first description is empty, a drawn one is not: it may be kept, and does not count as the plain method's."""
    predictor = Table({("r", 0): ""}, {"the cup": Box(0, 0, 50, 50)}, {}, {(0, 1): "the cup"})
    settings = Settings(candidates=2, temperature=0.7, margin=False, least_area=0)
    outcome, = ask([work(0, record(Box(0, 0, 50, 50)), settings)], predictor, settings)
    pair, = outcome.pairs
    right = Verdict(RIGHT)
    assert [c.text for c in pair.candidates] == ["the cup"] and not pair.plain and best(pair).iou == 1
    assert from_line(to_line(pair)) == pair
    assert first([pair], [(right,)]) == [] and len(chosen([pair], [(right,)], "iou")) == 1
    assert len(first([replace(pair, plain=True)], [(right,)])) == 1


def test_scores_by_hand():
    pair = Pair("r", "o", "cup", Box(0, 0, 9, 9), (100, 100), ())
    candidate = Candidate("a", 0.64, Box(0, 0, 9, 9), 0.81, margin=0.0, checks={"flip": 1.0, "crop-0": 0.5})
    assert score(pair, candidate, "agreement") == 0.75
    assert score(pair, candidate, "combined") == pytest.approx((0.81 + 0.64 + 0.5 + 0.75) / 4)
    assert score(pair, Candidate("a", iou=0.4), "combined") == pytest.approx(0.4)
    assert score(pair, Candidate("a"), "margin") is None
    assert share(800) == 1 and share(-800) == 0 and share(1) + share(-1) == pytest.approx(1)
    with pytest.raises(ConfigError):
        score(pair, candidate, "luck")


def test_pairs_survive_the_disk():
    full = Pair("r", "o", "cup", Box(1, 2, 3.25, 4), (100, 90), (
        Candidate("a", 0.5, Box(0, 0, 1, 1), 0.125, 0.25, -1.5, 2.5, {"flip": 0.5}, ""),
        Candidate("b", problem="no box")), 3, {"path": "x.png"})
    assert from_line(to_line(full)) == full
    with pytest.raises(FileError, match="no pair"):
        from_line({"record": "r"})


def test_every_check_sees_the_same_thing(tmp_path):
    """A predictor that reads the paint finds a thing in the mirror image and in every crop, to the pixel."""
    reader = opened(folder(tmp_path, [[(20, 20, 30, 40), (60, 30, 25, 25)], [(15, 20, 50, 60)]]))
    settings = Settings(least_area=0, flip=True, crops=2, wordings=2)
    seer, second = Seer(), Seer("other")
    works = [work(k, reader[k], settings) for k in range(2)]
    outcomes = ask(works, seer, settings, second)
    pairs = [pair for outcome in outcomes for pair in outcome.pairs]
    assert len(pairs) == 3
    for pair in pairs:
        checks = pair.candidates[0].checks
        assert set(checks) == {"wording-1", "wording-2", "flip", "crop-0", "crop-1", "second"}
        assert pair.candidates[0].iou == 1 and set(checks.values()) == {1.0}
    assert len(second.asked) == 3
    sizes = {sample.images[0].size for sample in seer.asked}
    assert (100, 100) in sizes and len(sizes) > 1
    views = {sample.images[0].content_hash for sample in seer.asked}
    assert len(views) == 2 * 4  # each picture, its mirror image and two crops that differ


def test_every_picture_and_every_number_has_a_crop_of_its_own():
    settings = Settings(least_area=0, crops=2, seed=3)
    works = [work(k, record(Box(40, 40, 60, 60)), settings) for k in range(2)]
    views = {_crop(each, number, settings).view for each in works for number in range(2)}
    assert len(views) == 4 and _crop(works[0], 0, settings).view in views


def test_words_are_mirrored_with_the_picture(tmp_path):
    reader = opened(folder(tmp_path, [[(20, 20, 30, 40)]]))
    settings = Settings(least_area=0, flip=True)

    class Sided(Seer):
        def reply(self, sample):
            if sample.task == "description":
                return Answer(("the leftmost red cup",), (), "", 0.5)
            return super().reply(sample)

    seer = Sided()
    pair = ask([work(0, reader[0], settings)], seer, settings)[0].pairs[0]
    assert pair.candidates[0].checks == {"flip": 1.0}
    assert words(seer.asked[-1]) == "Where is the rightmost red cup?"


def test_one_look_for_all_rounds(tmp_path):
    reader = opened(folder(tmp_path, [[(20, 20, 30, 40), (60, 30, 25, 25)], [(15, 20, 50, 60)], [(5, 5, 40, 40)]]))
    settings = Settings(least_area=0, contrast=True)
    table = Table({(str(k + 1), o.box.x1): f"cup {o.id}" for k in range(3) for o in reader[k].objects},
                  {f"cup {o.id}": o.box for k in range(3) for o in reader[k].objects}, {})
    outcomes = ask([work(k, reader[k], settings) for k in range(3)], table, settings)
    assert sum(len(o.pairs) for o in outcomes) == 4
    assert table.looks == [3]


class Short(Table):
    """Gives one answer too few where it is asked `where`."""

    def __init__(self, where: str):
        super().__init__({("1", 20): "a cup", ("1", 60): "the cup"}, {"a cup": Box(20, 20, 50, 60)}, {},
                         {(20, 1): "one", (60, 1): "two"})
        self.where = where

    def answer(self, samples):
        said = list(super().answer(samples))
        return said[:-1] if samples[0].task == self.where else said

    def weigh(self, samples):
        return list(super().weigh(samples))[self.where == "weigh":]

    def sampled(self, samples, temperature, seed=0):
        return list(super().sampled(samples, temperature, seed))[self.where == "sampled":]


@pytest.mark.parametrize("where", ["description", "grounding", "weigh", "sampled", "flip", "second", ""])
def test_another_number_of_answers_is_said(tmp_path, where):
    """Answers are joined to questions by their order: one that is missing would shift all behind it."""
    reader = opened(folder(tmp_path, [[(20, 20, 30, 40), (60, 30, 25, 25)]]))
    settings = Settings(least_area=0, candidates=2, temperature=0.5, flip=where == "flip")
    short, second = Short(where), Short("grounding") if where == "second" else None
    if where == "flip":
        answer = short.answer
        short.answer = lambda samples: answer(samples)[samples[0].images[0].path is None:]
    works = [work(0, reader[0], settings)]
    if where:
        with pytest.raises(LoupeError, match="another number of answers"):
            ask(works, short, settings, second)
    else:
        assert len(ask(works, short, settings)[0].pairs) == 2


def test_boxes_with_one_id_are_two_pairs():
    """Ids are given twice in real files: each box keeps its own description, rivals and overlap."""
    one, two = Object("7", Box(0, 0, 40, 40), ("cup",)), Object("7", Box(60, 0, 100, 50), ("plate",))
    twins = Record(Image(data=b"none"), 100, 100, "r", "hand", objects=(one, two))
    logs = {(0, "a cup"): -1.0, (60, "a cup"): -5.0, (0, "a plate"): -9.0, (60, "a plate"): -2.0}
    predictor = Table({("r", 0): "a cup", ("r", 60): "a plate"}, {"a cup": one.box, "a plate": two.box}, logs)
    settings = Settings(least_area=0, margin=False, contrast=True)
    outcome, = ask([work(0, twins, settings)], predictor, settings)
    assert [(p.name, p.box, len(p.candidates)) for p in outcome.pairs] == [("cup", one.box, 1), ("plate", two.box, 1)]
    assert [(p.candidates[0].iou, p.candidates[0].contrast) for p in outcome.pairs] == [(1.0, 4.0), (1.0, 7.0)]
    silent, = ask([work(0, twins, settings)], Table({("r", 0): "a cup"}, {}), settings)
    assert len(silent.pairs) == 1 and len(silent.undescribed) == 1


def test_what_does_not_decode_is_one_reason():
    class Blind(Seer):
        def reply(self, sample):
            return Answer((), (Problem("picture", "broken", 0),))

    outcome, = ask([work(0, record(Box(0, 0, 50, 50)), ALL)], Blind(), ALL)
    assert outcome.reason == DAMAGED and not outcome.pairs


def test_equal_descriptions_share_a_question(tmp_path):
    reader = opened(folder(tmp_path, [[(20, 20, 30, 40), (60, 30, 25, 25)]]))

    class Same(Seer):
        def reply(self, sample):
            return Answer((NAMES[0],), (), "", 0.5) if sample.task == "description" else super().reply(sample)

    seer = Same()
    outcome, = ask([work(0, reader[0], ALL)], seer, ALL)
    assert [p.candidates[0].iou for p in outcome.pairs] == [1.0, 0.0]
    assert [s.task for s in seer.asked].count("grounding") == 1
