"""Lyrics' printed numbers, and what is said of what a run cannot do."""

from __future__ import annotations

import pytest

from loupe.cli.show import model_rows
from loupe.errors import ConfigError
from loupe.models.assembly import build
from loupe.models.bridge import Querying
from loupe.models.spec import ModelSpec
from loupe.models.tuner import Frozen, LoRA
from loupe.recipes import recipe
from loupe.training.materials import Materials


def test_numbers():
    """§3.1 and §4."""
    made = recipe("lyrics")
    align, multitask, dialogue = made.stages
    assert (align.steps, align.batch) == (800_000, 512) and multitask.batch == dialogue.batch == 64
    assert multitask.steps + dialogue.steps == 300_000 and made.model.vision.size == 224
    for stage in made.stages:
        o = stage.optim
        assert (o.lr, o.weight_decay, o.warmup, o.schedule, o.betas) == (1e-4, 0.05, 0.15, "cosine", (0.9, 0.98))
        assert stage.tune.vision == Frozen()
    assert isinstance(multitask.tune.language, LoRA) and align.tune.language == Frozen()
    former = made.model.bridge.mqformer
    assert (former.visual_queries, former.grounding_queries, former.width, former.detector_width) == (32, 32, 768, 260)
    assert ModelSpec.from_plain(made.model.to_plain()) == made.model


def test_every_second_block_is_a_change_of_the_recipe():
    changed = recipe("lyrics").change("model.bridge.mqformer.cross_every=2")
    assert changed.model.bridge.mqformer.cross_every == 2
    assert "32 grounding queries, cross-attention every 2" in dict(model_rows(changed))["bridge"]


def test_the_first_stage_says_that_it_is_not_run():
    made = recipe("lyrics-mini")
    with pytest.raises(ConfigError, match="stage align; train with loupe.training.aligning"):
        Materials.open(None, made.stages[0], None)


def test_miniature_is_built():
    made = recipe("lyrics-mini").model
    model = build(made, device="meta")
    assert isinstance(model.bridge, Querying) and model.bridge.tokens == 64
