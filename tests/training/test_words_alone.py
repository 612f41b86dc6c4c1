"""Instructions without pictures in training, beside pictures and by themselves (with an MQ-Former: test_lyrics_run)."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from loupe.data.mixture import Mixture, Source
from loupe.training.run import train

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}
WORDS = Source("alpaca", "instructions", "alpaca", "train", (("dialogue", 1.0),))


@pytest.fixture(scope="module")
def roots(data, tmp_path_factory):
    alpaca = tmp_path_factory.mktemp("words") / "alpaca"
    alpaca.mkdir()
    (alpaca / "train.json").write_text(json.dumps(
        [{"instruction": f"Say {k} twice.", "input": "", "output": f"{k} {k}"} for k in range(9)]))
    return {"": data, "alpaca": alpaca}


@pytest.mark.parametrize("beside", [True, False])
def test_a_stage_learns_from_words(small, roots, tmp_path, beside):
    see, talk = small.stages
    sources = (*talk.mixture.sources, WORDS) if beside else (WORDS,)
    talk = replace(talk, mixture=Mixture(sources, pairs_per_image=2), steps=4)
    run = train(replace(small, stages=(see, talk)), tmp_path / "run", roots, **QUIET)
    told = [m for m in run.metrics if m["stage"] == "talk"]
    assert len(told) == 4 and all(math.isfinite(m["loss"]) for m in told)
    assert any("dialogue" in m["losses"] for m in told)
