"""A refiner's run: killed and resumed to the same weights, its scores, what it leaves, what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from loupe import world
from loupe.config import from_json, to_json
from loupe.data.mixture import Mixture, Source
from loupe.errors import ConfigError, FileError
from loupe.image import Image
from loupe.models.refined import Refined, Tag, Thing
from loupe.models.refiner import RefinerConfig, load_refiner
from loupe.recipes.refiner import MINI_REFINER
from loupe.record import Object, Record
from loupe.regions import Box, Mask, pixels
from loupe.training import loop
from loupe.training.recipe import Optim, Stage
from loupe.training.refiner_recipe import RefinerRecipe
from loupe.training.refiner_run import _scores, judge, pretrain_refiner
from loupe.writers.records import write_records

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("world")
    for split, count in (("train", 8), ("val", 3)):
        write_records(world.records(count, seed=1, split=split, world="mini"), out / "records", split)
    return out


@pytest.fixture(scope="module")
def small() -> RefinerRecipe:
    sizes = {"size": 48, "widths": (8, 8, 8, 8), "neck": 8, "state_width": 16, "mask_width": 8, "masks": 4}
    return replace(MINI_REFINER, model=sizes).change("stages.refine.steps=6", "stages.refine.batch=2")


@pytest.fixture(scope="module")
def whole(small, data, tmp_path_factory):
    return pretrain_refiner(small, tmp_path_factory.mktemp("runs") / "whole", data, **QUIET)


def test_a_run_leaves_everything(whole, small, data):
    assert whole.recipe == small and [m["step"] for m in whole.metrics] == [1, 2, 3, 4, 5, 6]
    assert set(whole.metrics[-1]["losses"]) == {"class", "attribute", "box", "quality", "mask", "tag"}
    manifest = whole.manifest
    assert manifest["images"] == 12 and len(manifest["data"]["world"]) == 64 and manifest["parameters"] < 50_000
    assert manifest["scores"]["pictures"] == 3 and 0 <= manifest["scores"]["box F1"] <= 1
    assert sorted(p.name for p in whole.model.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((whole.model / "config.json").read_text())
    assert config["dtype"] == "float16" and "circle" in config["classes"] and "red" in config["attributes"]
    assert whole.report()["stages"]["refine"]["step"] == 6 and whole.report()["scores"] == manifest["scores"]
    assert pretrain_refiner(small, whole.folder, data, **QUIET).model == whole.model, "a finished run returns at once"


def test_killed_and_resumed(whole, small, data, tmp_path, monkeypatch):
    """Stopped in the fifth update without a word, two updates behind a checkpoint: the same losses and weights."""
    real, calls = loop._update, []

    def dying(*args):
        calls.append(args)
        if len(calls) == 5:
            raise MemoryError
        return real(*args)

    monkeypatch.setattr(loop, "_update", dying)
    with pytest.raises(MemoryError):
        pretrain_refiner(small, tmp_path / "r", data, **QUIET, save_steps=3)
    monkeypatch.setattr(loop, "_update", real)
    again = pretrain_refiner(small, tmp_path / "r", data, **QUIET)
    assert [(m["step"], m["loss"]) for m in again.metrics] == [
        (m["step"], pytest.approx(m["loss"], abs=1e-6)) for m in whole.metrics]
    ours, theirs = (load_refiner(run.model).state_dict() for run in (again, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert again.manifest["scores"] == whole.manifest["scores"]


def test_killed_behind_the_last_update(whole, small, data, tmp_path, monkeypatch):
    from loupe.training import refiner_run

    monkeypatch.setattr(refiner_run, "judge", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        pretrain_refiner(small, tmp_path / "r", data, **QUIET)
    assert not (tmp_path / "r" / "refiner").exists()
    monkeypatch.setattr(refiner_run, "judge", judge)
    assert pretrain_refiner(small, tmp_path / "r", data, **QUIET).manifest["scores"] == whole.manifest["scores"]


def test_refusals(whole, small, data, tmp_path):
    with pytest.raises(ConfigError, match="another recipe.*stages.refine.optim.lr"):
        pretrain_refiner(small.change("stages.refine.optim.lr=0.5"), whole.folder, data)
    with pytest.raises(FileError, match="--root"):
        pretrain_refiner(small, tmp_path / "r", {"coco": tmp_path}, **QUIET)
    talk = Stage("talk", Mixture((Source("world", "records", "records"),)), Optim(1e-3))
    with pytest.raises(ConfigError, match="one stage"):
        replace(small, stages=(talk,))
    assert dict(small.change("losses.box=5").losses)["box"] == 5
    with pytest.raises(ConfigError, match="unknown loss.*did you mean 'quality'"):
        replace(small, losses=(("qualty", 1.0),))
    with pytest.raises(ConfigError, match="did you mean 'steps'"):
        small.change("stages.refine.stepps=3")


def test_the_recipe_survives_json(small):
    for made in (MINI_REFINER, small):
        assert from_json(RefinerRecipe, json.loads(json.dumps(to_json(made)))) == made


def test_scores_by_hand():
    """One of two things found, half of its mask, one attribute of two wrong; one tag right, one wrong, two missing."""
    cup, ball = Box(0, 0, 8, 8), Box(8, 8, 16, 16)
    mask = lambda box: Mask.from_array(pixels(box, 16, 16))  # noqa: E731
    record = Record(Image(data=b""), 16, 16, "1", "hand", objects=(
        Object("1", cup, ("cup",), ("red",), mask(cup)), Object("2", ball, ("ball",), ("small",))))
    found = Refined(16, 16, (Tag("cup", 0.9), Tag("lamp", 0.8)), (
        Thing("cup", ("red", "small"), cup, mask(Box(0, 0, 8, 4)), 0.9), Thing("cup", (), ball, mask(ball), 0.8)),
        np.zeros(0), np.zeros((0, 20)), np.zeros((2, 4)))
    config = RefinerConfig(classes=["cup", "ball", "lamp"], attributes=["red", "small"])
    assert _scores([(record, found)], config) == {
        "box precision": 0.5, "box recall": 0.5, "box F1": 0.5, "box AP50": 0.5, "tag F1": round(2 / 6, 4),
        "mask IoU of found": 0.5, "all attributes right of found": 0.0, "each attribute right of found": 0.5}
    nothing = Refined(16, 16, (), (), np.zeros(0), np.zeros((0, 20)), np.zeros((0, 4)))
    assert _scores([(record, nothing)], config)["box F1"] == 0


def test_the_threshold_is_the_best_one(whole, monkeypatch):
    """Scores 0.9 and 0.5 are right, 0.6 and 0.2 are not, one of three things is missed: F1 is best at 0.5."""
    from loupe.training import refiner_run

    boxes = [Box(20 * k, 0, 20 * k + 9, 9) for k in range(5)]
    truth = Record(Image(data=b""), 100, 9, "1", "hand", objects=tuple(
        Object(str(k), boxes[k], ("cup",)) for k in (0, 1, 2)))
    things = tuple(Thing("cup", (), boxes[k], Mask.from_array(pixels(boxes[k], 100, 9)), score)
                   for k, score in ((0, 0.9), (3, 0.6), (1, 0.5), (4, 0.2)))
    model = load_refiner(whole.model)
    before = model.config.threshold
    monkeypatch.setattr(refiner_run, "refine", lambda *_: [
        Refined(100, 9, (), things, np.zeros(0), np.zeros((0, 20)), np.zeros((4, 4)))])
    assert 0.498 < refiner_run.threshold(model, [truth]) <= 0.5
    assert refiner_run.threshold(model, [replace(truth, objects=())]) == before == model.config.threshold


def test_unreadable_pictures_are_not_judged(whole, data):
    from loupe.readers import reader

    good = list(reader("records")(data / "records", "val"))
    torn = replace(good[1], image=Image(data=b"no picture"))
    assert judge(load_refiner(whole.model), [good[0], torn])["pictures"] == 1
