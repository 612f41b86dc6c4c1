"""A run folder: killed and resumed to the same losses, refused under another recipe, whole after a full disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from functools import partial

import pytest
import torch

from loupe.errors import CheckpointError, ConfigError, FileError
from loupe.models import checkpoint
from loupe.training import state
from loupe.training.run import train

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}


@pytest.fixture(scope="module")
def whole(small, data, tmp_path_factory):
    """An uninterrupted run."""
    return train(small, tmp_path_factory.mktemp("runs") / "whole", data, **QUIET)


def losses(run) -> list[tuple]:
    return [(m["stage"], m["step"], m["loss"], m["grad_norm"]) for m in run.metrics]


def test_a_run_leaves_everything(whole, small):
    assert whole.recipe == small
    assert [(m["stage"], m["step"]) for m in whole.metrics] == [("see", k) for k in (1, 2, 3)] + [
        ("talk", k) for k in range(1, 7)]
    last = whole.metrics[-1]
    assert last["pairs"] == 6 * 8 and last["images"] == 3 * 4 + 6 * 4 and last["answer_tokens"] > 0
    assert {"losses", "lr", "grad_norm", "pairs_per_s", "images_per_s", "answer_tokens_per_s"} <= last.keys()
    assert whole.manifest["codec"] == "xy" and whole.manifest["versions"]["torch"] == torch.__version__
    assert all(len(h) == 64 for h in whole.manifest["data"].values())
    assert whole.report()["stages"]["talk"]["step"] == 6
    assert checkpoint.load(whole.model).encoder.codec.name == "xy"
    assert train(small, whole.folder, None).model == whole.model, "a finished run is returned at once"


CHILD = """
import sys, json
from loupe.config import from_json
from loupe.training.recipe import Recipe
from loupe.training.run import train
recipe = from_json(Recipe, json.load(open(sys.argv[1])))
train(recipe, sys.argv[2], sys.argv[3], device="cpu", workers=0, log_every=1, save_steps=2)
"""


def test_killed_and_resumed(whole, data, tmp_path):
    """kill -9 in the second stage, between checkpoints; the metrics and weights are those of the whole run."""
    out = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", CHILD, whole.folder / "recipe.json", out, data],
                             stderr=subprocess.PIPE, text=True)
    journal, deadline = out / "metrics.jsonl", time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_text().count("\n") >= 6:
            break
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, child.stderr.read()
    left = [(p.stage, p.step) for p, _ in state.checkpoints(out)]
    assert left[0] == ("see", 3) and left[-1][0] == "talk" and not (out / "model").exists()
    again = train(whole.recipe, out, data, **QUIET)
    assert len(losses(again)) == len(losses(whole))
    for got, expected in zip(losses(again), losses(whole)):
        assert got[:2] == expected[:2] and got[2:] == pytest.approx(expected[2:], abs=1e-6)
    ours, theirs = (dict(checkpoint.load(run.model).named_parameters()) for run in (again, whole))
    assert all(torch.allclose(ours[n], theirs[n], atol=1e-6) for n in theirs)


HOLDER = """
import os, sys, time
from pathlib import Path
from loupe.training.folder import held
with held(Path(sys.argv[1])):
    if os.fork() == 0:  # as a process that prepares data: it outlives the run
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_runs_on_one_folder_are_kept_apart(small, data, tmp_path):
    """Refused while another process trains there, told so; free as soon as that one is killed, whatever it forked."""
    out = tmp_path / "one"
    out.mkdir()
    other = subprocess.Popen([sys.executable, "-c", HOLDER, out], stdout=subprocess.PIPE, text=True,
                             start_new_session=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FileError, match="another process trains in this folder"):
            train(small, out, data, **QUIET)
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert len(train(small, out, data, **QUIET).metrics) == 9
    finally:
        os.killpg(other.pid, signal.SIGKILL)


def test_another_recipe_is_refused(whole, small, data):
    with pytest.raises(ConfigError) as caught:
        train(small.change("stages.talk.optim.lr=0.5", "seed=4"), whole.folder, data)
    assert "stages.talk.optim.lr (0.002 -> 0.5); seed (0 -> 4)" in str(caught.value) or all(
        words in str(caught.value) for words in ("stages.talk.optim.lr", "-> 0.5", "seed (0 -> 4)"))


def test_a_foreign_folder_is_refused(small, data, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(FileError, match="other files.*letters.txt"):
        train(small, tmp_path, data)


def test_a_missing_root_is_said_at_once(small, tmp_path):
    with pytest.raises(FileError, match="--root"):
        train(small, tmp_path / "r", {"coco": tmp_path}, **QUIET)


def test_a_full_disk_keeps_the_last_checkpoint(small, data, tmp_path, monkeypatch):
    """The third checkpoint finds no space: a FileError, two whole checkpoints stay, and the run can go on."""
    real, calls = state.save_file, []

    def full(tensors, path, **more):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(tensors, path, **more)

    monkeypatch.setattr(state, "save_file", full)
    out = tmp_path / "full"
    with pytest.raises(FileError, match="disk is full"):
        train(small, out, data, **QUIET, save_steps=2)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["see-2", "see-3"]
    assert len(train(small, out, data, **QUIET).metrics) == 9


@pytest.mark.parametrize("name", [state.PROGRESS, state.WEIGHTS, state.OPTIMISER])
def test_a_damaged_checkpoint_is_named_and_the_one_before_will_do(whole, small, data, tmp_path, name):
    """Any file of the last one cut short, as by a lost power supply: one line that says which, and the way out."""
    out = tmp_path / "cut"
    train(replace(small, stages=small.stages[:1], part="vision"), out, data, **QUIET, save_steps=2)
    shutil.rmtree(out / "vision")
    shutil.rmtree(out / "checkpoints/see-3")
    last = out / "checkpoints/see-2" / name
    last.write_bytes(last.read_bytes()[:last.stat().st_size // 2])
    again = partial(train, replace(small, stages=small.stages[:1], part="vision"), out, data, **QUIET)
    with pytest.raises(CheckpointError, match=f"checkpoint is damaged.*see-2/{name}; delete its folder"):
        again()
    shutil.rmtree(last.parent)
    assert losses(again()) == [(*key, pytest.approx(loss, abs=1e-6), pytest.approx(norm, abs=1e-6))
                               for *key, loss, norm in losses(whole)[:3]]


def test_checkpoints_are_pruned(small, data, tmp_path):
    """The last two and the ends of stages stay."""
    run = train(small, tmp_path / "p", data, **QUIET, save_steps=1, keep=2)
    assert sorted(p.name for p in (run.folder / "checkpoints").iterdir()) == ["see-3", "talk-5", "talk-6"]


@pytest.mark.parametrize("keep", [-1, 0, 1])
def test_the_last_checkpoint_stays(tmp_path, keep):
    """However few are asked for: a stopped run goes on from it."""
    for step in (1, 2, 3):
        place = tmp_path / "checkpoints" / f"see-{step}"
        place.mkdir(parents=True)
        (place / state.PROGRESS).write_text(json.dumps(asdict(state.Progress("see", step=step))))
    state.prune(tmp_path, keep)
    assert [path.name for _, path in state.checkpoints(tmp_path)] == ["see-3"]


def test_workers_change_nothing(whole, small, data, tmp_path):
    again = train(small, tmp_path / "w", data, **{**QUIET, "workers": 1})
    assert [m["loss"] for m in again.metrics] == pytest.approx([m["loss"] for m in whole.metrics], abs=1e-6)


def test_a_stage_that_trains_nothing_is_refused(small, data, tmp_path):
    from loupe.models.tuner import Frozen, Tune

    frozen = replace(small, stages=(replace(small.stages[1], tune=Tune(Frozen(), Frozen(), Frozen(), "frozen")),))
    with pytest.raises(ConfigError, match="nothing trains.*stages.talk.tune"):
        train(frozen, tmp_path / "n", data, **QUIET)


def test_metrics_of_a_torn_line_are_read(whole, tmp_path):
    from loupe.training.journal import Journal, read

    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(json.dumps(m) for m in whole.metrics) + '\n{"stage": "ta')
    assert len(read(path)) == 9
    Journal(path, 4)
    assert [m["update"] for m in read(path)] == [1, 2, 3, 4]


def test_a_run_may_begin_as_a_trained_model(whole, small, data, tmp_path):
    """With its own learning rate at nothing the model stays the one it began as; another shape is refused."""
    still = replace(small.stages[1], steps=1, optim=replace(small.stages[1].optim, lr=1e-12, weight_decay=0.0))
    again = train(replace(small, weights=str(whole.folder), stages=(still,)), tmp_path / "again", data, **QUIET)
    before, after = (checkpoint.load(run.model).state_dict() for run in (whole, again))
    assert before.keys() == after.keys() and all(torch.allclose(before[k], after[k], atol=1e-6) for k in before)
    assert checkpoint.load(again.model).encoder.tokenizer.get_vocab() == checkpoint.load(
        whole.model).encoder.tokenizer.get_vocab()
    other = replace(small, weights=str(whole.model)).change("model.bridge.kind=mlp")
    with pytest.raises(ConfigError, match="bridge.kind"):
        train(other, tmp_path / "other", data, **QUIET)
