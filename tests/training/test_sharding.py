"""A model cut up over two processes learns what a whole one does, stops and goes on, and is whole again on disk."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import modeling_utils

from loupe import config
from loupe.errors import ConfigError
from loupe.models.tuner import Frozen, Full, LoRA, Tune
from loupe.training import sharding
from loupe.training.run import train

CHILD = """
import json, sys
from loupe import config
from loupe.training.recipe import Recipe
from loupe.training.run import train
made = config.from_json(Recipe, json.loads(open(sys.argv[1]).read()))
train(made, sys.argv[2], sys.argv[3], device="cpu", log_every=1, save_steps=2, keep=9, shard=True, recompute=True)
"""


@pytest.fixture(scope="module")
def made(small):
    """Patches, then LoRA beside a frozen tower, then everything; parts accumulated."""
    see, talk = small.stages
    talk = replace(talk, steps=3, batch=12, optim=replace(talk.optim, lr=1e-3))
    lora = replace(talk, name="lora", tune=Tune(vision=Frozen(), bridge=Full(), language=LoRA(rank=2)))
    return replace(small, stages=(see, lora, replace(talk, accumulation=2, tune=Tune(Full(), Full(), Full()))))


@pytest.fixture(scope="module")
def whole(made, data, tmp_path_factory):
    return train(made, tmp_path_factory.mktemp("whole") / "run", data, device="cpu", log_every=1)


def two(made, out, data) -> None:
    (out.parent / "recipe.json").write_text(json.dumps(config.to_json(made)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    children = [subprocess.Popen(
        [sys.executable, "-c", CHILD, str(out.parent / "recipe.json"), str(out), str(data)],
        env={**os.environ, "RANK": str(k), "LOCAL_RANK": str(k), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
             "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}) for k in range(2)]
    assert [child.wait(400) for child in children] == [0, 0]


def weights(folder):
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def alike(one, other) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert (tensor.float() - other[name].float()).abs().max() < 2e-3, name


def test_two_halves_learn_what_a_whole_does(made, whole, data, tmp_path):
    out = tmp_path / "run"
    two(made, out, data)
    assert losses(out) == pytest.approx(losses(whole.folder), rel=1e-3)
    alike(weights(out / "model"), weights(whole.model))
    last = sorted((out / "checkpoints").iterdir(), key=lambda p: p.stat().st_mtime)
    assert {"see-3", "lora-2", "lora-3", "talk-2", "talk-3"} <= {p.name for p in last}

    shutil.copytree(out, tmp_path / "alone")
    for folder in (out, tmp_path / "alone"):  # as if killed between the saves of the last stage
        shutil.rmtree(folder / "model")
        shutil.rmtree(folder / "checkpoints" / "talk-3")
    two(made, out, data)
    train(made, tmp_path / "alone", data, device="cpu", log_every=1)  # what two began one ends
    for folder in (out, tmp_path / "alone"):
        assert losses(folder) == pytest.approx(losses(whole.folder), rel=1e-3)
        alike(weights(folder / "model"), weights(whole.model))


def test_layers_computed_again_learn_the_same(made, whole, data, tmp_path, monkeypatch):
    real, calls = modeling_utils.checkpoint, []
    monkeypatch.setattr(modeling_utils, "checkpoint", lambda *args, **named: (calls.append(1), real(*args, **named))[1])
    run = train(made, tmp_path / "run", data, device="cpu", log_every=1, recompute=True)
    assert losses(run.folder) == losses(whole.folder) and calls
    for name, tensor in weights(run.model).items():
        assert torch.equal(tensor, weights(whole.model)[name]), name


def test_what_cannot_be_cut_up_is_said(made):
    muon = replace(made.stages[0], optim=replace(made.stages[0].optim, method="muon"))
    with pytest.raises(ConfigError, match="one process has nobody"):
        sharding.check(made.stages, 1)
    with pytest.raises(ConfigError, match="whole matrices.*stages.see"):
        sharding.check((muon,), 2)
    sharding.check(made.stages, 2)


def test_states_of_a_whole_optimiser_come_back():
    layer = torch.nn.Linear(3, 2)
    first = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    first.step()
    second = torch.optim.AdamW(layer.parameters())
    sharding.load_states(second, sharding.states_of(first))
    for p in layer.parameters():
        assert all(torch.equal(first.state[p][k], second.state[p][k]) for k in ("step", "exp_avg", "exp_avg_sq"))
    assert sharding.states_of(first, keep=False)["state"] == {}
