"""Lyrics' two stages as runs: whole, resumed, on two processes; batches learnt by heart; starts; bad input."""

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
from safetensors.torch import load_file, save_file

from loupe import config, world
from loupe.data.mixture import Source
from loupe.errors import CheckpointError, ConfigError, FileError
from loupe.models import checkpoint
from loupe.models.assembly import build
from loupe.models.look import Limits
from loupe.models.tuner import Frozen, Full, LoRA, Tune, apply
from loupe.predictors import without
from loupe.predictors.checkpoint import Model
from loupe.recipes import recipe
from loupe.recipes.mini import SMALL
from loupe.refining.views import Shown
from loupe.training import materials as materials_module
from loupe.training.aligning import TERMS
from loupe.training.materials import FORMER_TOKENIZER, Materials, tokenizer_for
from loupe.training.recipe import Align, Recipe, Refined
from loupe.training.run import train
from loupe.training.start import former

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}
LANGUAGE = LoRA(rank=4)


@pytest.fixture(scope="module", autouse=True)
def few_words():
    """Vocabularies are learnt from few texts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(materials_module, "SCANNED", 60)
        yield


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    out = tmp_path_factory.mktemp("scenes") / "data"
    world.write(out, 8, seed=3, val=2, world="mini")
    return out


@pytest.fixture(scope="module")
def tiny() -> Recipe:
    """Width 32; four updates of stage one, two of stage two with LoRA; two views of each picture."""
    made = recipe("lyrics-mini")
    small = replace(SMALL, bridge=replace(made.model.bridge, mqformer=replace(
        made.model.bridge.mqformer, width=32, depth=2, heads=2, inner=64, visual_queries=4, grounding_queries=4,
        vocabulary=700)), refiner=made.model.refiner)
    made = replace(made, model=small, vocabulary=700, start=None).change(
        "model.vision.config.hidden_size=32", "model.vision.config.intermediate_size=32",
        "model.vision.config.num_hidden_layers=1", "model.vision.config.patch_size=24",
        "model.vision.config.num_attention_heads=2", "model.language.config.hidden_size=32",
        "model.language.config.intermediate_size=32", "model.language.config.num_hidden_layers=2",
        "model.language.config.num_attention_heads=2", "model.language.config.num_key_value_heads=2",
        "model.language.config.head_dim=16")
    align, talk, *_ = made.stages
    few = replace(talk.mixture.sources[0], tasks=(("grounding", 1.0), ("counting", 1.0)), task_options={})
    return replace(made, stages=(
        replace(align, steps=4, batch=4, refined=Refined(views=2), align=Align(least=1)),
        replace(talk, steps=2, batch=4, mixture=replace(talk.mixture, sources=(few,), pairs_per_image=2),
                tune=Tune(Frozen(), Full(), LANGUAGE, "full"), refined=Refined(views=2, spatial=0.5))))


@pytest.fixture(scope="module")
def whole(tiny, scenes, tmp_path_factory):
    return train(tiny, tmp_path_factory.mktemp("runs") / "whole", scenes, **QUIET, save_steps=2, keep=4)


@pytest.fixture(scope="module")
def opened(tiny, scenes, tmp_path_factory):
    """(model, materials) of a run not begun; findings are kept in its folder."""
    folder = tmp_path_factory.mktemp("opened")
    materials = Materials(scenes, None, 0, folder)
    return build(tiny.model, tokenizer=tokenizer_for(tiny, materials, folder)), materials


def losses(run) -> list[tuple]:
    return [(m["stage"], m["step"], m["loss"], m["grad_norm"]) for m in run.metrics]


def test_both_stages_run(whole, tiny):
    assert [(m["stage"], m["step"]) for m in whole.metrics] == [
        *(("align", k) for k in (1, 2, 3, 4)), ("multitask", 1), ("multitask", 2)]
    assert set(whole.metrics[0]["losses"]) == set(TERMS)
    first = load_file(whole.folder / "checkpoints/align-4/weights.safetensors")
    start = dict(build(tiny.model, tokenizer=checkpoint.load(whole.model).encoder.tokenizer).named_parameters())
    last = dict(checkpoint.load(whole.model).named_parameters())
    moved = {name for name in start if not torch.equal(start[name], last.get(name, start[name]))}
    assert any("blocks.0.grounding" in name for name in moved) and any("bridge.project" in name for name in moved)
    assert not any(name.startswith("vision") for name in moved), "the tower is frozen throughout"
    tuned = {name for name, p in last.items() if ".lora_B" in name and bool(p.any())}
    assert len(tuned) == 4 and all("q_proj" in name or "v_proj" in name for name in tuned)
    assert all(torch.equal(p, start[name.replace(".base_layer", "")]) for name, p in last.items()
               if name.startswith("language.") and ".layers." in name and ".lora_" not in name)
    assert torch.equal(first["model.bridge.project.weight"], start["bridge.project.weight"]), "of stage two alone"
    assert (whole.folder / FORMER_TOKENIZER).is_dir() and list((whole.folder / "refined").glob("*/*.npz"))
    manifest = json.loads((whole.model / "manifest.json").read_text())
    assert manifest["refiner"] == Model.load(whole.folder).vlm.encoder.finder.identity
    assert manifest["spec"]["refiner"]["name"] == "mini"


@pytest.mark.parametrize("left", ["align-2", "multitask-2"])
def test_a_killed_run_goes_on(whole, scenes, tmp_path, left):
    out = tmp_path / "killed"
    shutil.copytree(whole.folder, out)
    shutil.rmtree(out / "model")
    keep = {"align-2": ("align-2",), "multitask-2": ("align-4", "multitask-2")}[left]
    for path in (out / "checkpoints").iterdir():
        if path.name not in keep:
            shutil.rmtree(path)
    again = train(whole.recipe, out, scenes, **QUIET)
    for got, expected in zip(losses(again), losses(whole), strict=True):
        assert got[:2] == expected[:2] and got[2:] == pytest.approx(expected[2:], abs=1e-5)


def test_stage_one_is_learnt_by_heart(tiny, opened):
    """One batch through the frozen tower, the refiner's rows and all four objectives: every loss falls."""
    model, materials = opened
    stage = tiny.stages[0]
    apply(model, stage.tune)
    torch.manual_seed(0)
    objective, work, groups = materials.open(stage, model)
    batch = work([groups[k] for k in range(4)])
    assert batch.counts.tolist() == [4, 4, 4, float((batch.batch.texts.owner >= 0).any(1).sum())]
    optim = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad], 4e-3)
    told = []
    for _ in range(80):
        loss, terms = objective(batch.batch)
        optim.zero_grad()
        loss.backward()
        optim.step()
        told.append(terms / batch.counts)
    for term, first, last in zip(TERMS, told[0].tolist(), torch.stack(told[-3:]).mean(0).tolist()):
        assert last < (0.9 if term == "match" else 0.4) * first, f"{term}: {first} -> {last}"  # hard negatives: slowly


def test_stage_two_is_learnt_by_heart(tiny, opened):
    """MQ-Former, projection, LoRA and the words say a batch's answers; the model that looks says the same."""
    model, materials = opened
    stage = replace(tiny.stages[1], refined=Refined(spatial=1.0))
    apply(model, stage.tune)
    objective, work, groups = materials.open(stage, model)
    samples = [groups[k] for k in range(2)]
    batch = work(samples).batch
    assert len(batch.batch.found.detector) == len(batch.batch.pixels) == 2
    optim = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad], 1e-2)
    for step in range(120):
        loss = objective(batch)[0] / len(batch.term)
        optim.zero_grad()
        loss.backward()
        if not step:
            seen = model.bridge.former.blocks[0].grounding.value.weight.grad
            assert float(seen.abs().max()) > 0, "grounding queries look at what was found"
        optim.step()
    assert float(loss.detach()) < 0.05
    said = Model(model, limits=Limits(answer=24))
    asked = [s for group in samples for s in group]
    for sample, answer in zip(asked, said.answer([replace(s, turns=s.turns[:1]) for s in asked])):
        truth = model.encoder.encode([sample])[0]
        assert model.encoder.decode([t for t in truth.labels if t >= 0]).strip() == answer.raw.strip()


def test_a_model_refines_what_it_looks_at(whole, scenes):
    """Once per look; without its refiner it is refused; blank pictures for one module change what that module says."""
    model = Model.load(whole.folder, device="cpu", answer=4)
    finder = model.vlm.encoder.finder
    picture = next((scenes / "records").rglob("*.png"), None) or next((scenes / "coco").rglob("*.jpg"))
    calls, refine = [], finder.source.refine
    finder.source.refine = lambda images, view=0: calls.append(len(images)) or refine(images, view)
    look = model.look(picture)
    look.ask("Where is it?")
    look.ask("How many?")
    assert calls == [1]
    image = look.images[0]
    seen = {name: m.vlm.encoder for name, m in {
        "": model, **{name: without(model, name) for name in ("tower", "refiner", "detector", "segmenter")}}.items()}
    pixels = {name: torch.from_numpy(e.pixels([image])) for name, e in seen.items()}
    rows = {name: e.found([image]) for name, e in seen.items()}
    assert rows[""].detector_mask.any() and rows[""].outline_mask.any()
    assert not torch.equal(pixels["tower"], pixels[""]) and torch.equal(pixels["refiner"], pixels[""])
    gone = {name: (not bool(r.detector_mask.any()), not bool(r.outline_mask.any())) for name, r in rows.items()}
    assert gone == {"": (False, False), "tower": (False, False), "refiner": (True, True), "detector": (True, False),
                    "segmenter": (False, True)}
    words = {name: len(e.finder.refine([image])[0].things) for name, e in seen.items()}
    assert words["refiner"] == words["detector"] == 0 < words["segmenter"] == words["tower"] == words[""]
    assert without(model, "tower").name.endswith("without tower")
    assert without(model, "tower", "refiner").identity["without"] == ["tower", "refiner"]
    assert not torch.equal(look.prefix.seen, without(model, "refiner").look(picture).prefix.seen)
    bare = checkpoint.load(whole.model)
    with pytest.raises(ConfigError, match="what a refiner found"):
        bare.see(torch.zeros(1, 3, 96, 96))


def test_another_refiner_is_refused(whole):
    vlm = checkpoint.load(whole.model)
    vlm.refined_by = {**vlm.refined_by, "detector": {**vlm.refined_by["detector"], "box": 0.9}}
    with pytest.raises(CheckpointError, match="not the one this model was trained with"):
        assert Model(vlm).vlm.encoder.finder.identity


def test_spatial_text_is_told_when_asked(whole, scenes):
    picture = next((scenes / "coco").rglob("*.jpg"), None) or next((scenes / "coco").rglob("*.png"))
    lengths = [len(m.vlm.encoder.encode([m.look(picture)._sample("Where is the cup?")])[0].ids)
               for m in (Model.load(whole.folder), Model.load(whole.folder, spatial=True))]
    assert lengths[1] > lengths[0] + 5


def test_a_stage_may_begin_with_a_run_or_blip2(whole, tiny, tmp_path):
    fresh = build(tiny.model, seed=7, tokenizer=checkpoint.load(whole.model).encoder.tokenizer)
    trained = checkpoint.load(whole.model)
    taken = former(fresh, str(whole.folder), tmp_path)
    assert not taken.unfilled and (tmp_path / FORMER_TOKENIZER / "tokenizer.json").is_file()
    ours, theirs = fresh.bridge.state_dict(), trained.bridge.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    queries = torch.randn(1, 4, 32)
    (tmp_path / "blip2").mkdir()
    save_file({"query_tokens": queries}, tmp_path / "blip2" / "model.safetensors")
    taken = former(fresh, str(tmp_path / "blip2"), tmp_path)
    assert torch.equal(fresh.bridge.former.visual_queries.detach(), queries[0])
    assert "grounding_queries" in taken.unfilled
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "recipe.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not finished"):
        former(fresh, str(tmp_path / "half"), tmp_path)
    other = build(replace(tiny.model, bridge=replace(tiny.model.bridge, mqformer=replace(
        tiny.model.bridge.mqformer, depth=1, inner=32))), tokenizer=trained.encoder.tokenizer)
    with pytest.raises(CheckpointError, match="another shape"):
        former(other, str(whole.folder), tmp_path)


@pytest.mark.parametrize("changes, error, words", [
    (["stages.align.refined.features=cached"], ConfigError, "--refined"),
    (["model.bridge.mqformer.detector_width=99"], ConfigError, "detector_width=99"),
    (["model.bridge.mqformer.vocabulary=120"], ConfigError, "vocabulary"),
    (["stages.align.accumulation=2"], ConfigError, "accumulation=1"),
    (["model.refiner=none"], ConfigError, "model.refiner"),
    (["model.refiner.words=WORDS", "model.refiner.name=openai/clip-vit-base-patch32,mini,mini"], FileError,
     "list of tags is empty")])
def test_bad_input_says_what_to_do(tiny, scenes, opened, tmp_path, changes, error, words):
    (tmp_path / "words.txt").write_text("\n\n")
    made = tiny.change(*(c.replace("WORDS", str(tmp_path / "words.txt")) for c in changes))
    model = build(made.model, tokenizer=opened[0].encoder.tokenizer)
    with pytest.raises(error, match=words.replace("--", "\\-\\-")):
        objective, work, groups = Materials(scenes, None, 0, None).open(made.stages[0], model)
        work([groups[0], groups[1]])


def test_a_picture_that_was_not_refined_is_named(tiny, scenes, opened, tmp_path):
    from loupe.refining.loading import load
    from loupe.refining.run import Settings
    from loupe.refining.run import run as refine
    from loupe.refining.views import Views

    stage = replace(tiny.stages[0], refined=Refined("cached", views=2))
    groups = Materials(scenes, None, 0).open(replace(stage, refined=Refined("live")), opened[0])[2]
    some = [groups[k] for k in range(4)]
    images = list(dict.fromkeys(pair.drawn.record.image for pair in some))
    refine(images[:-1], tmp_path / "refined", load(), Settings(Views(2), "found"))
    materials = Materials(scenes, None, 0, None, tmp_path / "refined")
    _, work, groups = materials.open(stage, opened[0])
    kept = work([replace(pair, view=view) for pair in some[:-1] for view in (0, 1)]).batch
    with pytest.raises(ConfigError, match="was not refined.*features=filled"):
        work([some[-1]])
    live = Materials(scenes, None, 0, None).open(replace(stage, refined=Refined("live", views=2)), opened[0])[1]
    fresh = live([replace(pair, view=view) for pair in some[:-1] for view in (0, 1)]).batch
    assert torch.equal(kept.found.detector_mask, fresh.found.detector_mask)
    assert torch.allclose(kept.found.detector, fresh.found.detector, rtol=2e-3, atol=2e-3)
    assert torch.equal(kept.texts.spatial, fresh.texts.spatial) and torch.equal(kept.pixels, fresh.pixels)


def test_views_move_record_picture_and_findings(tiny, opened):
    """View 1 of a language stage: the sample's picture is the view, its rows are those of the view."""
    model, materials = opened
    stage = replace(tiny.stages[1], steps=16, refined=Refined(views=2))
    groups = materials.open(stage, model)[2]
    shown = {image for k in range(16) for sample in groups[k] for image in sample.images}
    moved = [image for image in shown if isinstance(image, Shown)]
    assert moved and len(moved) < len(shown), "both views come"
    finder, view = model.encoder.finder, moved[0]
    rows, whole_rows = finder.rows([view]), finder.rows([view.origin])
    place = finder.views.frame(view.origin.content_hash, *view.origin.size, 1)
    assert view.size == (place.width, place.height) and view.number == 1
    assert rows.detector.shape != whole_rows.detector.shape or not torch.equal(rows.detector, whole_rows.detector)


CHILD = """
import json, sys
from loupe.config import from_json
from loupe.training.recipe import Recipe
from loupe.training.run import train
train(from_json(Recipe, json.load(open(sys.argv[1]))), sys.argv[2], sys.argv[3], device="cpu", workers=0, log_every=1)
"""


@pytest.mark.long
def test_two_processes_train_as_one(tiny, whole, scenes, tmp_path):
    """Both stages, launched as accelerate launches them: losses and weights of one process."""
    (tmp_path / "recipe.json").write_text(json.dumps(config.to_json(tiny)))
    out = tmp_path / "two"
    out.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    children = [subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "recipe.json"), str(out / "run"), str(scenes)],
        env={**os.environ, "RANK": str(k), "LOCAL_RANK": str(k), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
             "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}) for k in range(2)]
    assert [child.wait(400) for child in children] == [0, 0]
    lines = [json.loads(line) for line in (out / "run/metrics.jsonl").read_text().splitlines()]
    for got, expected in zip(lines, whole.metrics, strict=True):
        assert got["loss"] == pytest.approx(expected["loss"], rel=2e-3), got["stage"]


@pytest.mark.parametrize("beside", [True, False])
def test_queries_read_nothing_of_words_alone(tiny, scenes, tmp_path, beside):
    """What names no picture is neither refined nor queried."""
    (tmp_path / "words").mkdir()
    (tmp_path / "words/train.json").write_text(json.dumps(
        [{"instruction": f"Say {k} twice.", "output": f"{k} {k}"} for k in range(9)]))
    align, talk = tiny.stages
    words = Source("words", "instructions", "words", "train", (("dialogue", 1.0),))
    sources = (*talk.mixture.sources, words) if beside else (words,)
    talk = replace(talk, mixture=replace(talk.mixture, sources=sources), steps=3)
    made = replace(tiny, stages=(replace(align, steps=1), talk))
    run = train(made, tmp_path / "run", {"": scenes, "words": tmp_path / "words"}, **QUIET)
    assert any("dialogue" in m["losses"] for m in run.metrics)
    assert len(run.metrics) == 4 and run.model.is_dir()
