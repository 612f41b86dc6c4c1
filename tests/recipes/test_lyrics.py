"""Lyrics' printed numbers, its mixtures, and its miniature."""

from __future__ import annotations

import numpy as np

from loupe import world
from loupe.cli.show import model_rows
from loupe.models.assembly import build
from loupe.models.bridge import Querying
from loupe.models.spec import ModelSpec
from loupe.models.tuner import Frozen, LoRA
from loupe.readers import reader
from loupe.recipes import recipe
from loupe.tasks import task


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


def test_every_source_has_a_reader_and_its_tasks():
    """Table 1: what the recipe names is there, and every family of Appendix A is asked."""
    align, multitask, dialogue = recipe("lyrics").stages
    for stage in (align, multitask, dialogue):
        for source in stage.mixture.sources:
            reader(source.reader)
            for name, _ in source.tasks:
                task(name, **source.task_options.get(name, {}))
    assert {s.folder for s in align.mixture.sources} == {"laion", "cc12m", "cc3m", "sbu"}
    folders = {s.folder for s in multitask.mixture.sources}
    assert folders == {"coco", "cc3m", "mmc4", "ai_challenger", "refer", "grit", "visual_genome", "vqav2", "okvqa",
                       "gqa", "docvqa", "ai2d", "scienceqa", "textvqa", "dvqa", "chartqa"}
    assert {s.folder for s in dialogue.mixture.sources} == {
        "llava", "svit", "llavar", "m3it", "multiinstruct", "orca", "alpaca", "refer"}
    asked = {name for s in multitask.mixture.sources for name, _ in s.tasks}
    assert asked == {"caption", "question", "multiple-choice", "description", "grounding", "presence", "conversation"}
    web = [s for s in align.mixture.sources if s.reader == "webdataset"]
    assert len(web) == 4 and all(s.options == {"least": 0.25} for s in web)


def test_sources_of_the_recipe_open_on_the_world(tmp_path):
    """Those whose layouts the world writes; each source's tasks find something to ask."""
    world.write(tmp_path, 16, seed=2, val=20, world="mini", also="lyrics", oddities=0.0)
    seen, rng = set(), np.random.default_rng(0)
    for stage in recipe("lyrics").stages:
        for source in stage.mixture.sources:
            if not (tmp_path / source.folder).is_dir() or source.name.endswith("augmented"):
                continue
            records = reader(source.reader)(tmp_path / source.folder, source.split, **source.options)
            for name, _ in source.tasks:
                made = [task(name, **source.task_options.get(name, {}))(r, rng) for r in records]
                assert any(made), (source.name, name)
            seen.add(source.folder)
    assert {"laion", "grit", "vqav2", "gqa", "scienceqa", "chartqa", "dvqa", "refer", "coco"} <= seen


def test_the_miniature_has_both_parts():
    align, multitask, dialogue = recipe("lyrics-mini").stages
    assert (align.objective, multitask.objective, dialogue.objective) == ("mqformer", "language", "language")
    assert {name for s in dialogue.mixture.sources for name, _ in s.tasks} == {
        "conversation", "region", "description", "grounding"}


def test_miniature_is_built():
    made = recipe("lyrics-mini").model
    model = build(made, device="meta")
    assert isinstance(model.bridge, Querying) and model.bridge.tokens == 64
