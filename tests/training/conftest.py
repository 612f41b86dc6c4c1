"""A small world on disk, and a recipe of a few thousand weights that trains on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loupe import world
from loupe.recipes import recipe
from loupe.training.recipe import Recipe


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world") / "data"
    world.write(out, 16, seed=3, val=4)
    return out


@pytest.fixture(scope="session")
def small() -> Recipe:
    """mini-start with two layers of width 32: three updates of each stage, float32."""
    made = recipe("mini-start").change(
        "model.vision.config.hidden_size=32", "model.vision.config.intermediate_size=32",
        "model.vision.config.num_hidden_layers=1", "model.vision.config.patch_size=24",
        "model.vision.config.num_attention_heads=2", "model.language.config.hidden_size=32",
        "model.language.config.intermediate_size=32", "model.language.config.num_hidden_layers=1",
        "model.language.config.num_attention_heads=2", "model.language.config.num_key_value_heads=2",
        "model.language.config.head_dim=16", "vocabulary=600")
    see, talk = made.stages
    return replace(made, stages=(
        replace(see, steps=3, batch=4, precision="float32"),
        replace(talk, steps=6, batch=8, precision="float32", mixture=replace(talk.mixture, pairs_per_image=2)),
    ))
