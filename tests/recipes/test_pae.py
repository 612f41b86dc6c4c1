"""PAE-LaMM's recipes: the paper's numbers, exact parameter counts, and two updates of every stage on tiny parts."""

from __future__ import annotations

import math
from dataclasses import replace

import instructed_layouts
import pytest
import torch
import transformers

from loupe import cli, world
from loupe.data.draw import open_mixture
from loupe.models.assembly import build
from loupe.models.checkpoint import load
from loupe.models.tuner import apply
from loupe.readers import READERS
from loupe.recipes import recipe
from loupe.recipes.pae import PICTURES
from loupe.training.run import train

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}
WIDTH, INNER, DEPTH, HEAD = 1408, 6144, 39, 4096


def shares(stage) -> dict[str, float]:
    """Source -> its part of a stage's questions."""
    sizes = {s.name: s.weight * PICTURES.get(s.name, PICTURES["coco"]) for s in stage.mixture.sources}
    return {name: size / sum(sizes.values()) for name, size in sizes.items()}


def test_numbers_of_the_paper():
    """§3.2, §4."""
    familiar, adapt, balance = recipe("pae").stages
    pixels = [s.batch * shares(s)["pixels"] for s in (familiar, adapt, balance)]
    assert pixels == pytest.approx([64, 16, 64])
    assert sum(n * s.steps for n, s in zip(pixels, (familiar, adapt, balance))) == pytest.approx(3.6e6)
    assert shares(balance)["pixels"] < shares(familiar)["pixels"]  # "reduce the sampling ratio"
    assert shares(familiar)["refcoco"] == pytest.approx(shares(familiar)["refcocog"])
    # MiniGPT-v2's batch sizes x sampling ratios
    questions = {"vqav2": 90, "okvqa": 48, "gqa": 300, "ocr-vqa": 180, "aokvqa": 72}
    for stage in (familiar, adapt, balance):
        sources = {s.name: s for s in stage.mixture.sources}
        assert {task for s in sources.values() for task, _ in s.tasks} == {
            "reconstruction", "grounding", "description", "caption", "dialogue", "question", "grounded-caption",
            "detection"}
        assert shares(stage)["textcaps"] == pytest.approx(3 * shares(stage)["coco-captions"])
        assert shares(stage)["flickr30k"] == pytest.approx(8 * shares(stage)["coco-captions"])
        for name, share in questions.items():
            assert sources[name].tasks == (("question", 1.0),) and sources[name].reader in READERS
            assert shares(stage)[name] / shares(stage)["coco-captions"] == pytest.approx(share / 60)
    assert sum(shares(familiar)[name] for name in questions) == pytest.approx(
        690 / 2 / (630 + 240 + 60 + 180 + 480 + 460 + 690 + 100 + 10))
    assert [type(s.tune.vision).__name__ for s in recipe("pae").stages] == ["Frozen", "Full", "Frozen"]
    assert all(s.tune.language.rank == 64 for s in recipe("pae").stages)
    segment, = recipe("pae-segment").stages
    assert segment.batch == 64 + 24 and dict(segment.mixture.sources[0].tasks) == {"segmentation": 64, "grounding": 24}


def test_parameters():
    """Of MiniGPT-v2's shape, by hand: the tower, four of its tokens in one, LoRA on queries and values."""
    made = recipe("pae")
    layer = (WIDTH * 3 * WIDTH + 3 * WIDTH) + (WIDTH * WIDTH + WIDTH) + (WIDTH * INNER + INNER) + (
        INNER * WIDTH + WIDTH) + 4 * WIDTH
    around = (WIDTH * 3 * 14 * 14 + WIDTH) + WIDTH + 257 * WIDTH + 2 * WIDTH
    tower, bridge, lora = DEPTH * layer + around, 5632 * HEAD + HEAD, 32 * 2 * 64 * (HEAD + HEAD)
    assert (tower, bridge, lora) == (985_952_256, 23_072_768, 33_554_432)
    with torch.device("meta"):  # as imported: positions of 32 x 32 patches and the class
        imported = transformers.Blip2VisionModel(transformers.Blip2VisionConfig(image_size=448))
    assert sum(p.numel() for p in imported.parameters()) == tower + (32 * 32 - 16 * 16) * WIDTH == 987_033_600
    model = build(made.model, device="meta")
    assert (model.vision.tokens, model.bridge.tokens) == (1024, 256)
    assert tuple(model.bridge.project.weight.shape) == (HEAD, 5632)
    assert model.vision.final == "post_layernorm"
    assert sum(p.numel() for p in model.vision.parameters()) == tower
    for stage, seen in zip(made.stages, (0, tower, 0)):
        apply(model, stage.tune)
        trains = {part: sum(p.numel() for p in getattr(model, part).parameters() if p.requires_grad)
                  for part in ("vision", "bridge", "language")}
        assert trains == {"vision": seen, "bridge": bridge, "language": lora}
    assert sum(p.numel() for p in model.language.parameters()) == 6_738_415_616 + lora


def test_show(capsys):
    assert cli.main(["show", "pae", "--samples", "40", "--no-parameters"]) == 0
    said = capsys.readouterr().out
    assert "4 tokens into one" in said and "lora (rank 64" in said
    assert "<s>[INST] <Img><image></Img> [reconstruct] loc: [" in said and "] rgb: [/INST]" in said


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("world") / "data"
    world.write(out, 8, seed=1, val=2, world="mini", also="lyrics")
    return out


@pytest.fixture(scope="module")
def roots(data, tmp_path_factory):
    """Every source of the full recipe; OK-VQA's layout is VQAv2's."""
    printed = tmp_path_factory.mktemp("printed") / "data"
    world.write(printed, 8, seed=2, val=2, world="mini", also="chatspot")
    return {"": data, "okvqa": data / "vqav2", "ocr_vqa": printed / "ocr_vqa",
            "aokvqa": instructed_layouts.aokvqa(printed / "aokvqa", printed / "aokvqa"),
            "textcaps": instructed_layouts.textcaps(printed / "textcaps"),
            "flickr30k": instructed_layouts.flickr30k_entities(printed / "flickr30k"),
            "multitask_conversation": instructed_layouts.multitask(printed / "multitask_conversation"),
            "unnatural_instructions": instructed_layouts.unnatural_instructions(printed / "unnatural_instructions")}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Tiny Blip2VisionModel and Llama in transformers' layout."""
    from tests.parity.test_pink_parts import llama_tokenizer

    folder = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    transformers.Blip2VisionModel(transformers.Blip2VisionConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
    ).save_pretrained(folder / "eva")
    tokenizer = llama_tokenizer()
    transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2)).save_pretrained(folder / "llama")
    tokenizer.save_pretrained(folder / "llama")
    return folder


def shortened(made):
    return replace(made, stages=tuple(replace(s, steps=2, batch=2 * s.mixture.pairs_per_image, accumulation=1)
                                      for s in made.stages))


def test_three_stages_and_masks_on_tiny_parts(roots, parts, tmp_path):
    """Only names, paths and lengths change; the tower moves in the second stage alone; masks go on from the run."""
    places = (f"model.vision.checkpoint={parts / 'eva'}", f"model.language.checkpoint={parts / 'llama'}",
              "model.vision.size=56")
    made = shortened(recipe("pae").change(*places))
    made = replace(made, stages=tuple(replace(s, precision="float32") for s in made.stages))
    drawn = open_mixture(made.stages[0].mixture, roots, 0, groups=900)
    assert {drawn[k][0].task for k in range(900)} == {
        "reconstruction", "grounding", "description", "caption", "dialogue", "question", "grounded-caption",
        "detection"}
    mixture = made.stages[0].mixture
    others = replace(mixture, sources=mixture.sources[-2:])  # tags of their own; no picture
    drawn = open_mixture(others, roots, 0, groups=300)
    assert {len(drawn[k][0].images) for k in range(300)} == {0, 1}
    run = train(made, tmp_path / "run", roots, **QUIET)
    assert [m["stage"] for m in run.metrics] == ["familiar"] * 2 + ["adapt"] * 2 + ["balance"] * 2
    assert all(math.isfinite(m["loss"]) for m in run.metrics)
    model = load(run.model)
    assert [type(t).__name__ for t in model.structure["vision"]] == ["Full"]  # stored whole: it has left its base
    assert "vision" not in model.bases or model.structure["vision"]
    after = shortened(recipe("pae-segment").change("model.vision.size=56", f"weights={tmp_path / 'run'}"))  # no places
    after = replace(after, stages=tuple(replace(s, precision="float32") for s in after.stages))
    masks = train(after, tmp_path / "masks", roots, **QUIET)
    assert set(masks.metrics[-1]["losses"]) <= {"segmentation", "grounding"}


@pytest.mark.parametrize("name", ["pae-mini", "pae-photos"])
def test_miniatures_train(name, data, carried, tmp_path):
    made = shortened(recipe(name))
    roots = {"": data, "pictures": data / "coco"}
    run = train(made, tmp_path / "run", roots, **QUIET)
    assert all(math.isfinite(m["loss"]) for m in run.metrics) and len(run.metrics) == 6
    mixture = made.stages[2].mixture
    drawn = open_mixture(mixture, roots, 0, groups=40)
    tasks = [drawn[k][0].task for k in range(40)]
    assert 0 < tasks.count("reconstruction") < 25


def test_the_miniature_from_the_command_line(data, carried, tmp_path, capsys):
    """Trained, asked for pixels and masks, and probed by the commands the page tells."""
    few = [f"stages.{stage}.{name}" for stage in ("familiar", "adapt", "balance") for name in ("steps=1", "batch=8")]
    run = tmp_path / "run"
    assert cli.main(["train", "pae-mini", *few, "--root", str(data), "--out", str(run), "--device", "cpu"]) == 0
    assert cli.main(["evaluate", str(run), "mini-pixels", "--root", str(data), "--limit", "1", "--device", "cpu",
                     "--out", str(tmp_path / "measured")]) == 0
    said = capsys.readouterr().out
    assert "error, L2" in said and "16 x 16 blur" in said
    picture = str(next(p for p in sorted(data.rglob("*")) if p.suffix in (".png", ".jpg")))
    assert cli.main(["segment", str(run), picture, "circle", "--grid", "4", "--out", str(tmp_path / "masks")]) == 0
    assert cli.main(["probe", str(run), picture, "--size", "4", "--out", str(tmp_path / "probed")]) == 0
    assert (tmp_path / "probed" / "report.html").is_file() and list((tmp_path / "masks").glob("*.png"))
