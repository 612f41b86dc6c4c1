"""Wrong data is said before anything is learnt, and leaves nothing that the right command trips over."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from loupe.data.mixture import HeldOut
from loupe.errors import ConfigError, FileError
from loupe.recipes.refiner import MINI_REFINER as made
from loupe.training import state
from loupe.training.folder import given_back
from loupe.training.refiner_run import pretrain_refiner
from loupe.training.run import train

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}


@pytest.fixture(scope="module")
def short(small):
    """One update of each stage."""
    return replace(small, stages=tuple(replace(stage, steps=1) for stage in small.stages))


@pytest.fixture
def half(data, tmp_path):
    """The world without what its second stage reads."""
    shutil.copytree(data, tmp_path / "half", ignore=shutil.ignore_patterns("refer", "visual_genome"))
    return tmp_path / "half"


def test_the_folders_of_all_stages_are_looked_for_first(short, half, tmp_path):
    with pytest.raises(FileError, match=r"half/refer.*stages\.talk\.mixture.*holds coco"):
        train(short, tmp_path / "run", half, **QUIET)
    assert not (tmp_path / "run").exists()


def test_what_is_held_out_is_looked_for_too(short, data, tmp_path):
    see, talk = short.stages
    held = replace(talk, mixture=replace(talk.mixture, held_out=(HeldOut("coco", "judged", "val2017"),)))
    with pytest.raises(FileError, match=r"judged.*stages\.talk"):
        train(replace(short, stages=(see, held)), tmp_path / "run", data, **QUIET)


def test_a_split_that_is_not_there_leaves_no_run(short, data, tmp_path):
    """Found where the reader opens, behind a tokenizer."""
    with pytest.raises(FileError, match="train1999"):
        train(short.change("see.mixture.sources.coco.split=train1999"), tmp_path / "run", data, **QUIET)
    assert not (tmp_path / "run").exists()


def test_a_refiner_leaves_no_run_either(data, tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        pretrain_refiner(made, tmp_path / "run", tmp_path, **QUIET)
    wrong = replace(made, judged=replace(made.judged, split="test"))
    with pytest.raises(FileError, match="test"):
        pretrain_refiner(wrong, tmp_path / "run", data, **QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kept", ["checkpoints", "refined", "letter.txt"])
def test_what_was_learnt_stays(tmp_path, kept):
    out = tmp_path / "run"
    (out / kept).mkdir(parents=True)
    (out / "recipe.json").write_text("{}")
    with pytest.raises(FileError), given_back(out, True):
        raise FileError("wrong")
    assert (out / "recipe.json").exists() and (out / kept).exists()


def test_lines_of_metrics_stay(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(FileError), given_back(tmp_path, True):
        raise FileError("wrong")
    assert (tmp_path / "recipe.json").exists()


def test_a_run_goes_on_with_the_data_it_began_with(short, data, tmp_path):
    """A copy of the data elsewhere is the same data; another world is not."""
    two = replace(short, stages=(replace(short.stages[0], steps=2), short.stages[1]))
    run = train(two, tmp_path / "run", data, **QUIET, save_steps=1, keep=9)
    for path in (run.folder / "model", run.folder / "checkpoints/talk-1", run.folder / "checkpoints/see-2"):
        shutil.rmtree(path)
    assert state.checkpoints(run.folder)[-1][0].data.keys() == {"coco"}
    shutil.copytree(data, tmp_path / "moved")
    other = tmp_path / "other"
    shutil.copytree(data, other)
    path = next((other / "coco/annotations").glob("instances_train2017.json"))
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "annotations": said["annotations"][1:]}))
    with pytest.raises(ConfigError, match="began with other annotations.*coco.*stage see.*another --out"):
        train(two, run.folder, other, **QUIET)
    assert train(two, run.folder, tmp_path / "moved", **QUIET).model.is_dir()


def test_data_of_stages_that_are_done_is_needed_no_more(short, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    shutil.copytree(data / "coco", tmp_path / "data/before")
    two = short.change("see.mixture.sources.coco.folder=before")
    run = train(two, tmp_path / "run", tmp_path / "data", **QUIET, save_steps=1, keep=9)
    for path in (run.folder / "model", tmp_path / "data/before"):
        shutil.rmtree(path)
    assert train(two, run.folder, tmp_path / "data", **QUIET).model.is_dir()
