"""Checkpoints of a run as models, and the curve through them."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from loupe.cli import main
from loupe.errors import CheckpointError
from loupe.predictors import load
from loupe.training import resumed
from loupe.training.run import Run, train


@pytest.fixture(scope="module")
def run(small, data, tmp_path_factory) -> Run:
    see, talk = small.stages
    recipe = replace(small, stages=(replace(see, steps=1), replace(talk, steps=4)))
    return train(recipe, tmp_path_factory.mktemp("runs") / "tiny", data, device="cpu", save_steps=2, keep=9)


def test_a_checkpoint_is_the_model_it_was(run):
    names = [path.name for _, path in resumed.answering(run)]
    assert len(names) == 2 and names[0].endswith("-2") and names[1].endswith("-4")
    first, last = (resumed.model_at(path) for _, path in resumed.answering(run))
    final = load(run.folder, device="cpu").vlm.state_dict()
    stored = last.state_dict()
    assert all(torch.equal(stored[name], tensor) for name, tensor in final.items() if "vision" in name)
    assert all(torch.allclose(stored[name].float(), tensor.float(), atol=1e-3) for name, tensor in final.items())
    assert any(not torch.equal(tensor, stored[name]) for name, tensor in first.state_dict().items())
    with pytest.raises(CheckpointError, match="no checkpoint"):
        resumed.model_at(run.folder / "checkpoints" / "talk-3")


def test_a_curve_keeps_the_points_of_checkpoints_that_are_gone(run, data, tmp_path, capsys):
    words = ["evaluate", str(run.folder), "mini-counting,mini-presence", "--root", str(data), "--curve", "--limit", "3",
             "--out", str(tmp_path), "--device", "cpu"]
    assert main(words) == 0
    points = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert len(points) == 4 and points[0]["pictures"] < points[-1]["pictures"] and points[0]["count"] == 3
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    shutil.rmtree(resumed.answering(Run(copy))[0][1])
    words[1] = str(copy)
    capsys.readouterr()
    assert main(words) == 0
    assert "talk-" not in capsys.readouterr().out.replace("copy", "")  # nothing is measured twice
    assert len((tmp_path / "curve.jsonl").read_text().splitlines()) == 4
    assert (tmp_path / "curve.html").read_text().count('class="curve"') == 2
    assert main([*words[:1], str(data), *words[2:]]) == 2
