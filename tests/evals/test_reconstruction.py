"""Reconstruction error by hand and on real photos; whole pictures asked densely and one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import predictors, world
from loupe.evals import BENCHMARKS, open_questions
from loupe.evals.grid import Colours, Masks
from loupe.evals.ladder import ladder
from loupe.evals.metrics import measure
from loupe.evals.metrics.reconstruction import READINGS, errors
from loupe.evals.predictions import Prediction
from loupe.image import Image, downsampled
from loupe.predictors import Blind
from loupe.regions import Colour
from loupe.sample import Answer


def test_errors_by_hand():
    """Channels off by 51, 0 and 102 of 255 in one pixel, by nothing in the other."""
    truth = np.array([[[10, 20, 30], [1, 2, 3]]])
    said = truth + np.array([[[51, 0, 102], [0, 0, 0]]])
    mean, length, total = errors(said, truth)
    assert mean == pytest.approx((0.2 + 0.4) / 3 / 2)
    assert length == pytest.approx((0.04 + 0.16) ** 0.5 / 2)
    assert total == pytest.approx(0.6 / 2)
    assert errors(truth.astype(np.uint8), said.astype(np.uint8)) == (mean, length, total)  # no wrap below 0


def test_the_ladder_by_hand():
    """Left half black, right half white: halves survive any blur that shrinks whole pixels, the flat one is grey."""
    values = np.zeros((64, 64, 3), np.uint8)
    values[:, 32:] = 255
    rungs = ladder(Image.of(values), 64)
    assert list(rungs) == ["flat", "16 x 16 blur", "32 x 32 blur", "nearest"]
    assert (rungs["flat"] == 127.5).all() and (rungs["nearest"] == values).all()
    assert errors(rungs["flat"], values) == pytest.approx((0.5, 0.5 * 3**0.5, 1.5))
    assert errors(rungs["32 x 32 blur"], values)[0] < errors(rungs["16 x 16 blur"], values)[0] < 0.1
    assert list(ladder(Image.of(values), 16)) == ["flat", "nearest"]


def test_figures_stand_beside_their_ladder():
    truth = (Colour(0, 0, 0), Colour(255, 255, 255))
    extra = {"patch mean": 0.5, "noise floor": 0.0, "image mean": 0.5, "ladder": {"flat": (0.5, 0.8, 1.5)}}
    said = Answer((Colour(0, 0, 0), Colour(153, 255, 255)))
    scores = measure("colours", [Prediction("a", (), truth, said, extra=extra)])
    assert scores["error, channel mean"] == pytest.approx(0.4 / 3 / 2) == scores["mean error"]
    assert scores["error, L2"] == pytest.approx(0.2) == scores["error, sum"]
    assert scores["- flat, L2"] == 0.8
    older = Prediction("a", (), truth, said, extra={k: v for k, v in extra.items() if k != "ladder"})
    names = [figure.name for figure in measure("colours", [older]).figures]
    assert "error, sum" in names and "- flat, L2" not in names


def test_the_ladder_on_real_photos(shared_data):
    """What a flat grey, two blurs and another filter give on 81 photos, in per cent."""
    photos = sorted((shared_data / "coco_photos").rglob("*.jpg"))
    if len(photos) != 81:
        pytest.skip("not the 81 photos")
    found: dict[str, list] = {}
    for path in photos:
        image = Image(path=path)
        for name, rung in ladder(image).items():
            found.setdefault(name, []).append(errors(rung, downsampled(image, 64)))
    means = {name: 100 * np.mean(rows, 0) for name, rows in found.items()}
    assert means["flat"] == pytest.approx([18.8, 33.9, 56.4], abs=0.06)
    assert means["16 x 16 blur"] == pytest.approx([6.1, 11.1, 18.4], abs=0.06)
    assert means["32 x 32 blur"] == pytest.approx([3.5, 6.5, 10.6], abs=0.06)
    assert means["nearest"] == pytest.approx([4.6, 8.3, 13.8], abs=0.06)
    assert len(READINGS) == 3


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("dense") / "data"
    world.write(out, 2, seed=4, val=3, world="mini")
    return out


@pytest.mark.parametrize("name,form,grid", [("mini-masks", Masks, 6), ("mini-pixels", Colours, 8)])
@pytest.mark.parametrize("constrain", [None, "colour"])
def test_dense_answers_are_those_one_by_one(name, form, grid, constrain, root, carried, tmp_path):
    """A predictor is asked densely where it can be; the pictures and masks are the same, a torn picture too."""
    questions = open_questions(replace(BENCHMARKS[name], most=2, grid=grid), root).samples[:2]
    torn = replace(questions[0], images=(Image(path=tmp_path / "torn.png"),))
    Pillow.new("RGB", (96, 96)).save(torn.images[0].path)
    samples = [*questions, torn]
    model = predictors.load("mini", device="cpu", answer=6, constrain=constrain)
    calls = []

    class Counting:
        name, answer = "counting", model.answer

        def dense(self, samples):
            calls.append(1)
            return model.dense(samples)

    class Plain:
        name, answer = "plain", model.answer

    for asked in (lambda p: p, Blind):
        whole, plain = (list(form(asked(p), grid).answer(samples)) for p in (Counting(), Plain()))
        assert [a.parts for a in whole] == [a.parts for a in plain]
        assert [a.problems for a in whole] == [a.problems for a in plain]
    assert len(calls) == 2
    Pillow.new("RGB", (96, 96)).save(torn.images[0].path)
    torn.images[0].path.write_bytes(torn.images[0].path.read_bytes()[:60])
    looks = [replace(s, images=(Image(path=torn.images[0].path),)) for s in questions[:1]]
    assert all(a.problems for a in model.dense(looks))
