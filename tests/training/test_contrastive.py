"""Contrastive pretraining: transformers' loss, a batch learnt by heart, a killed run that goes on, files that last."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from loupe.errors import CheckpointError, ConfigError
from loupe.models.assembly import build, build_vision
from loupe.models.clip import image_features, join, load_clip, retrieval, text_features, text_tokenizer
from loupe.models.spec import VisionSpec
from loupe.recipes import recipe
from loupe.training import state
from loupe.training.contrastive import Contrastive, alike, choice
from loupe.training.materials import Materials, tokenizer_for
from loupe.training.run import train

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}
WORDS = ["A large red cup.", "There is a star and a heart in this picture.", "A small blue star above a black cross."]


@pytest.fixture(scope="module")
def tiny():
    """Four pictures an update, four updates."""
    made = recipe("mini-vision").change(
        "model.vision.checkpoint=",
        *(f"model.vision.config.{side}_config.{name}={value}" for side in ("vision", "text") for name, value in (
            ("hidden_size", 32), ("intermediate_size", 32), ("num_hidden_layers", 1), ("num_attention_heads", 2))),
        "model.vision.config.vision_config.patch_size=24", "model.vision.config.projection_dim=16",
        "model.vision.config.text_config.vocab_size=400", "vocabulary=600",
        "stages.match.steps=4", "stages.match.batch=4")
    return made


@pytest.fixture(scope="module")
def opened(tiny, data, tmp_path_factory):
    """(objective, work, groups)"""
    materials = Materials(data, None, 0)
    model = build(tiny.model, seed=0, tokenizer=tokenizer_for(tiny, materials, tmp_path_factory.mktemp("opened")))
    return materials.open(tiny.stages[0], model)


@pytest.fixture(scope="module")
def whole(tiny, data, tmp_path_factory):
    return train(tiny, tmp_path_factory.mktemp("runs") / "whole", data, **QUIET, save_steps=2)


def test_loss_is_that_of_transformers(opened):
    """Padded captions, no caption twice: per picture the same as CLIPModel(return_loss=True), and so are gradients."""
    objective, work, groups = opened
    batch = work([groups[k] for k in range(6)]).batch
    batch = replace(batch, same=torch.eye(6, dtype=torch.bool))
    mask = (batch.ids != objective.tokenizer.pad_token_id).long()
    assert mask.min() == 0, "some caption is padded"
    theirs = objective.clip(input_ids=batch.ids, attention_mask=mask, pixel_values=batch.pixels, return_loss=True)
    total, terms = objective(batch)
    assert float(total.detach()) / 6 == pytest.approx(float(theirs.loss.detach()), abs=1e-5)
    assert float(terms.sum()) / 12 == pytest.approx(float(theirs.loss.detach()), abs=1e-5)
    grads = []
    for loss in (total / 6, theirs.loss):
        objective.zero_grad()
        loss.backward()
        grads.append({n: p.grad.clone() for n, p in objective.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys() and "clip.logit_scale" in grads[0]
    assert all(torch.allclose(grads[0][n], grads[1][n], atol=1e-5) for n in grads[0])


def test_equal_captions_share_the_target():
    """By hand: rows 0 and 2 carry the same caption, all logits 0 but one of log 2."""
    logits = torch.tensor([[math.log(2), 0, 0], [0, 0, 0], [0, 0, 0]])
    same = alike(["a", "b", "a"])
    assert same.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
    expected = -(0.5 * math.log(2 / 4) + 0.5 * math.log(1 / 4)) + 2 * math.log(3)
    assert float(choice(logits, same)) == pytest.approx(expected)
    alone = torch.nn.functional.cross_entropy(logits, torch.arange(3), reduction="sum")
    assert float(choice(logits, alike([1, 2, 3]))) == pytest.approx(float(alone))


def test_repeated_pictures_and_captions_are_positives(opened):
    _, work, groups = opened
    (a, first), (b, second) = groups[0], groups[1]
    assert a.key != b.key
    done = work([(a, first), (b, second), (a, "Something else."), (b, first)])
    assert done.batch.same.int().tolist() == [[1, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 1]]
    assert done.weight == 4 and done.counts.tolist() == [4, 4] and not done.drops
    assert torch.equal(done.batch.pixels[0], torch.from_numpy(work.encoder.pixels([a.record.image]))[0])


def test_long_captions_are_cut_and_counted(opened):
    _, work, groups = opened
    limit = work.tokenizer.model_max_length
    done = work([(groups[0][0], "a b " * limit), groups[1]])
    assert done.batch.ids.shape == (2, limit) and done.batch.ids[0, -1] == work.tokenizer.eos_token_id
    assert list(done.drops.values()) == [1]


def test_captions_of_a_pass(opened):
    """One caption per picture, its own; another pass draws others."""
    _, _, groups = opened
    passes = [[groups[k] for k in range(p * groups.per_pass, (p + 1) * groups.per_pass)] for p in range(3)]
    for drawn in passes:
        assert len({d.key for d, _ in drawn}) == groups.per_pass
        assert all(caption in d.record.captions for d, caption in drawn)
    said = [{d.key: caption for d, caption in drawn} for drawn in passes]
    assert said[0] != said[1] and [groups[k] for k in range(groups.per_pass)] == passes[0]


def test_padding_and_the_end_mark_change_nothing(opened):
    """Pooled at the end mark: what stands behind it is not seen, what stands before it is."""
    objective = opened[0]
    ids = objective.tokenizer(WORDS, padding=True, return_tensors="pt").input_ids
    longer = torch.cat([ids, torch.full((3, 5), objective.tokenizer.pad_token_id)], 1)
    short, long = (text_features(objective.clip, each) for each in (ids, longer))
    assert torch.allclose(short, long, atol=1e-6)
    assert objective.clip.config.text_config.eos_token_id == objective.tokenizer.eos_token_id != 2
    alone = torch.cat([text_features(objective.clip, objective.tokenizer(w, return_tensors="pt").input_ids)
                       for w in WORDS])
    assert torch.allclose(alone, short, atol=1e-6) and not torch.allclose(short[0], short[1], atol=1e-2)


def test_a_batch_learnt_by_heart(opened):
    objective, work, groups = opened
    objective = Contrastive(_fresh(objective), objective.tokenizer)
    batch = work([groups[k] for k in range(8)]).batch
    adam = torch.optim.AdamW(objective.parameters(), 3e-3)
    for _ in range(50):
        adam.zero_grad()
        loss = objective(batch)[0] / 8
        loss.backward()
        adam.step()
    floor = float((batch.same / batch.same.sum(1, keepdim=True)).clamp(min=1e-9).log().neg()[batch.same].sum()) / 8
    assert float(loss.detach()) < 0.1 + floor
    with torch.no_grad():
        found = (image_features(objective.clip, batch.pixels) @ text_features(objective.clip, batch.ids).T).argmax(1)
    assert bool(batch.same[torch.arange(8), found].all())


def _fresh(objective):
    """A VLM around the objective's encoder with weights of its own, which the other tests do not see."""
    class Seen:
        encoder = objective.encoder
        spec = type("Spec", (), {"vision": objective.encoder.vision})

    model = Seen()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model.vision = build_vision(objective.encoder.vision)[0]
    return model


def test_a_run_ends_with_a_whole_clip(whole, data):
    """transformers alone reads it and gives the same features; a spec takes its tower; half precision on disk."""
    folder = whole.folder / "vision"
    assert not (whole.folder / "model").exists() and whole.model == folder
    clip, tokenizer = load_clip(folder)
    theirs = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    pixels = torch.rand(2, 3, 96, 96)
    words = AutoTokenizer.from_pretrained(folder)(WORDS, padding=True, return_tensors="pt")
    with torch.no_grad():
        features = theirs.get_text_features(**words).pooler_output
        ours = text_features(clip, tokenizer(WORDS, padding=True, return_tensors="pt").input_ids)
        tower = build(replace(whole.recipe.model, vision=VisionSpec(str(folder), layer=-1, size=96)),
                      tokenizer=tokenizer).vision
        patches = theirs.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states[-1][:, 1:]
        assert torch.allclose(torch.nn.functional.normalize(features, dim=-1), ours, atol=1e-5)
        assert torch.allclose(tower(pixels), patches, atol=1e-5)
    facts = json.loads((folder / "preprocessor_config.json").read_text())
    assert facts["image_mean"] == list(VisionSpec().mean) and facts["size"] == {"height": 96, "width": 96}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    scores = whole.report()["scores"]
    assert scores["pictures"] == 4 and scores["chance"] == 0.25 and 0 <= scores["image-to-text@1"] <= 1
    assert scores["temperature"] == pytest.approx(0.07, rel=0.1), "hardly moved in four updates"


@pytest.mark.parametrize("left", ["match-2", "match-4"])
def test_resumed_as_if_never_stopped(whole, tiny, data, tmp_path, left):
    """Stopped within the stage; and behind its last update, before the part was written."""
    out = tmp_path / "run"
    shutil.copytree(whole.folder, out)
    shutil.rmtree(out / "vision")
    for _, place in state.checkpoints(out):
        if place.name > left:
            shutil.rmtree(place)
    again = train(tiny, out, data, **QUIET)
    assert [m["loss"] for m in again.metrics] == pytest.approx([m["loss"] for m in whole.metrics], abs=1e-6)
    ours, theirs = (dict(load_clip(run.folder / "vision")[0].named_parameters()) for run in (again, whole))
    assert ours.keys() == theirs.keys() and all(torch.allclose(ours[n], theirs[n], atol=1e-5) for n in ours)
    assert again.report()["scores"] == whole.report()["scores"]


def test_going_on_from_a_clip(whole, tiny, data, tmp_path):
    """A run that starts from the written part begins with its text side and words."""
    further = tiny.change(f"model.vision.checkpoint={whole.folder / 'vision'}", "stages.match.steps=1")
    materials = Materials(data, None, 0)
    model = build(further.model, seed=5, tokenizer=tokenizer_for(further, materials, tmp_path))
    objective = materials.open(further.stages[0], model)[0]
    clip, tokenizer = load_clip(whole.folder / "vision")
    assert all(torch.equal(p, q) for p, q in zip(objective.clip.parameters(), clip.parameters()))
    assert objective.tokenizer.get_vocab() == tokenizer.get_vocab()


def test_foreign_and_torn_files(whole, tmp_path):
    folder = tmp_path / "vision"
    shutil.copytree(whole.folder / "vision", folder)
    text_tokenizer(["others say others"], 262, 64).save_pretrained(str(folder))
    with pytest.raises(CheckpointError, match="tokenizer is not the text side's own.*262 tokens.*400 tokens"):
        load_clip(folder)
    shutil.rmtree(folder)
    shutil.copytree(whole.folder / "vision", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="cannot load model.vision.*whole file.*model.safetensors"):
        load_clip(folder)


def test_what_cannot_be_contrasted_is_refused(tiny, data, tmp_path):
    with pytest.raises(ConfigError, match="no text side.*clip_vision_model"):
        train(replace(tiny, model=replace(tiny.model, vision=recipe("mini-tower").model.vision)), tmp_path / "a", data,
              **QUIET)
    with pytest.raises(ConfigError, match="tells the pictures of one forward pass apart"):
        train(tiny.change("stages.match.accumulation=2"), tmp_path / "b", data, **QUIET)


def test_retrieval_by_hand():
    """Both first pictures look like the first caption; the third pair agrees."""
    images = torch.tensor([[1.0, 0, 0], [0.9, 0.1, 0], [0, 0, 1]])
    texts = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert retrieval(images, texts) == {"pictures": 3, "chance": 0.3333, "image-to-text@1": 0.6667,
                                        "text-to-image@1": 1.0}


def test_dense_pretraining_ends_with_a_tower(data, tmp_path, small):
    """RUN/vision is a CLIPVisionModel that transformers reads."""
    from transformers import CLIPVisionModel

    dense = replace(small, stages=small.stages[:1], part="vision")
    run = train(dense, tmp_path / "tower", data, **QUIET)
    tower = CLIPVisionModel.from_pretrained(run.folder / "vision")
    assert tower.dtype == torch.float16 and tower.config.hidden_size == 32
    assert (run.folder / "vision/preprocessor_config.json").is_file() and not (run.folder / "model").exists()
    assert train(dense, run.folder, None).model == run.folder / "vision", "a finished run is returned at once"


def test_a_text_side_joins_a_tower_of_a_checkpoint(tiny, opened, tmp_path):
    """A checkpoint of a tower alone beside a config with a text side: its weights, and words yet to learn."""
    tower = opened[0].clip.vision_model
    tower.save_pretrained(tmp_path / "tower")
    spec = replace(tiny.model.vision, checkpoint=str(tmp_path / "tower"))
    joined = join(spec, build_vision(spec)[0], opened[0].tokenizer)
    assert all(torch.equal(p, q) for p, q in zip(joined.vision_model.parameters(), tower.parameters()))
    assert joined.config.text_config.vocab_size == len(opened[0].tokenizer)
    with pytest.raises(ConfigError, match="no text side"):
        join(replace(spec, config=None), build_vision(spec)[0], opened[0].tokenizer)
