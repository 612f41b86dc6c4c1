"""Every recipe is a value that survives JSON, and trains on small data when only names and paths are changed."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import instructed_layouts
import numpy as np
import pytest
import question_layouts
import torch

from loupe import world
from loupe.config import from_json, to_json
from loupe.errors import ConfigError
from loupe.image import Image
from loupe.models.assembly import count
from loupe.models.checkpoint import load
from loupe.readers import reader
from loupe.recipes import RECIPES, recipe
from loupe.training.recipe import Recipe
from loupe.training.run import train
from loupe.training.start import trained, weights_folder

QUIET = {"device": "cpu", "workers": 0, "log_every": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world") / "data"
    world.write(out, 12, seed=1, val=2, also="lyrics")
    shutil.copytree(out / "vqav2", out / "okvqa")
    world.write(out.parent / "asked", 12, seed=1, val=2, also="chatspot")
    shutil.copytree(out.parent / "asked" / "pointqa", out / "pointqa")
    instructed_layouts.aokvqa(out / "aokvqa", out / "aokvqa")
    instructed_layouts.flickr30k_entities(out / "flickr30k")
    return out


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """A tiny CLIP and a tiny Llama in transformers' own layout, with a tokenizer that has begin and end tokens."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    CLIPVisionModel(CLIPVisionConfig(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                                     image_size=48, patch_size=16)).save_pretrained(folder / "clip")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(["where is the cup?"], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                            ).save_pretrained(folder / "llama")
    LlamaForCausalLM(LlamaConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=32, intermediate_size=32,
                                 num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2)
                     ).save_pretrained(folder / "llama")
    return {"vision": folder / "clip", "language": folder / "llama"}


def shortened(made: Recipe, **changes) -> Recipe:
    """Two updates of two pictures a stage; everything else as it is."""
    stages = [replace(s, steps=2, batch=2 * s.mixture.pairs_per_image, accumulation=1, **changes) for s in made.stages]
    return replace(made, stages=tuple(stages))


@pytest.mark.parametrize("name", RECIPES)
def test_json_round_trip(name):
    assert RECIPES[name].name == name
    assert from_json(Recipe, json.loads(json.dumps(to_json(RECIPES[name])))) == RECIPES[name]


def test_unknown_names_are_near():
    with pytest.raises(ConfigError, match="did you mean 'mini-start'"):
        recipe("mini-strat")
    with pytest.raises(ConfigError, match="did you mean 'weight_decay'"):
        recipe("pink").change("stages.tune.optim.weight_decai=0")


def test_numbers_of_pink():
    """§4.1, and the release's scripts where the printed numbers are its warm-up ratios."""
    align, tune = recipe("pink").stages
    assert (align.epochs, align.batch, align.optim.warmup, align.optim.weight_decay) == (1, 128, 200, 0.0)
    assert (tune.epochs, tune.batch, tune.optim.warmup, tune.optim.lr) == (6, 32, 10_000, 5e-4)
    assert (align.optim.lr, tune.optim.weight_decay) == (2e-3, 0.02)
    source = Path(__import__("loupe.recipes.pink").recipes.pink.__file__).read_text()
    for line in source.splitlines():
        if "differs from paper" in line and not line.strip().startswith('"'):
            assert "because" in line, line


def test_sources_of_pink():
    """Table 3 in thousands, without Objects365; Table 2a: 396K, with OK-VQA's and GQA's training pictures 477K."""
    thousands = {"llava": 158, "vqav2": 83, "aokvqa": 17, "flickr30k": 30, "visual-genome": 108, "okvqa": 9, "gqa": 72}

    def samples(name: str) -> int:
        return sum(thousands[s.name] for s in recipe(name).stages[1].mixture.sources if s.name in thousands)

    for name in ("pink", "pink-release", "pink-llama2"):
        sources = {s.name: s for s in recipe(name).stages[1].mixture.sources}
        assert set(sources) == {*thousands, "objects365"} - {"okvqa", "gqa"} and samples(name) == 396
    assert samples("pink-plus") == 477
    assert sources["aokvqa"].tasks == (("multiple-choice", 1.0),)
    assert sources["flickr30k"].tasks == (("grounded-caption", 1.0),)


@pytest.mark.parametrize("name, vision, bridge, language", [
    ("pink", 393_216, 4_194_304, 2_097_152), ("pink-release", 400_568, 4_198_400, 2_228_480),
    ("pink-llama2", 393_216, 4_194_304, 2_097_152), ("pink-plus", 393_216, 4_194_304, 2_097_152),
    ("pink-finetuned", 393_216, 4_194_304, 2_097_152), ("pink-g", 1_277_952, 6_815_744, 2_097_152)])
def test_trainable_parameters_of_pink(name, vision, bridge, language):
    """§4.1, and the sizes of the released weights; ViT-G: 48 layers x 2 x 1664 x 8, and 1664 x 4096."""
    made = recipe(name)
    counted = count(made.model, made.stages[1].tune)
    assert (counted["vision"].trainable, counted["bridge"].trainable, counted["language"].trainable) == (
        vision, bridge, language)
    if name == "pink":  # no token is new to Vicuna: §4.1's 6.7 M is all that trains
        assert sum(part.trainable for part in counted.values()) == 6_684_672
    aligned = count(made.model, made.stages[0].tune)
    assert sum(part.trainable for part in aligned.values()) == bridge


def caption_pairs(data: Path, out: Path) -> Path:
    """The world's captions as LLaVA-CC3M-595K has them: chat.json and images/."""
    shutil.copytree(data / "coco" / "train2017", out / "images")
    pairs = [{"id": record.id, "image": record.image.path.name, "conversations": [
        {"from": "human", "value": "<image>\nSay what this shows."}, {"from": "gpt", "value": record.captions[0]}]}
        for record in reader("coco")(data / "coco", "train2017")]
    (out / "chat.json").write_text(json.dumps(pairs))
    return out


@pytest.mark.parametrize("name", ["pink", "pink-release", "pink-plus", "pink-finetuned", "pink-mini"])
def test_pink_changes_only_names_and_paths(name, data, checkpoints, tmp_path):
    """The world's folders stand for the downloads, tiny checkpoints of the same classes for CLIP and Vicuna."""
    made = shortened(recipe(name).change(
        f"model.vision.checkpoint={checkpoints['vision']}", f"model.language.checkpoint={checkpoints['language']}",
        "model.vision.size=48"))
    roots = {"": data, "llava_cc3m": caption_pairs(data, tmp_path / "llava_cc3m"),
             "visual7w": question_layouts.visual7w(tmp_path / "visual7w")}
    which = roots["visual7w"] / "dataset_v7w_pointing.json"
    which.write_text(which.read_text().replace('"val"', '"train"'))
    run = train(made, tmp_path / "run", roots, **QUIET)
    lines = run.metrics
    assert [(m["stage"], m["step"]) for m in lines] == [("align", 1), ("align", 2), ("tune", 1), ("tune", 2)]
    assert all(math.isfinite(m["loss"]) for m in lines)
    model = load(run.model)
    assert model.encoder.codec.name == "pink"
    names = [n for n, _ in model.named_parameters()]
    assert any("adapter" in n.lower() for n in names), "the second stage's adapters are in the checkpoint"


def test_pink_takes_bootstrapped_records(data, checkpoints, tmp_path):
    """The command of docs/recipes.md, with the world's records in the place of `loupe bootstrap`'s."""
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    command = next(line for line in page.replace("\\\n", " ").splitlines() if "runs/pink-star" in line)
    said = [word for word in shlex.split(command) if word.startswith("tune.")]
    made = shortened(recipe("pink").change(
        *said, f"model.vision.checkpoint={checkpoints['vision']}", "model.vision.size=48",
        f"model.language.checkpoint={checkpoints['language']}"))
    made = replace(made, stages=made.stages[1:])
    source = {s.name: s for s in made.stages[0].mixture.sources}["objects365"]
    assert (source.reader, source.folder, len(source.tasks)) == ("records", "pairs/records", 5)
    run = train(made, tmp_path / "run", {"": data, "pairs/records": data / "records"}, **QUIET)
    assert run.metrics[-1]["step"] == 2 and math.isfinite(run.metrics[-1]["loss"])


@pytest.mark.parametrize("name", ["mini-start", "coco-mini"])
def test_minis_train(name, data, tmp_path):
    run = train(shortened(recipe(name)), tmp_path / "run", data, **QUIET)
    assert [m["stage"] for m in run.metrics] == ["see", "see", "talk", "talk"]
    assert all(math.isfinite(m["loss"]) for m in run.metrics)


def test_real_photos(shared_data, tmp_path):
    """Real annotations and photos pass untouched."""
    root = shared_data / "coco_photos"
    run = train(shortened(recipe("coco-mini")), tmp_path / "run", {"coco": root}, **QUIET)
    assert run.metrics[-1]["pairs"] > 0 and math.isfinite(run.metrics[-1]["loss"])


def test_a_text_only_model_sees_the_same_in_every_picture():
    model = trained(recipe("mini-text"))
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    one, other = model.encoder.pixels([Image.of(np.zeros_like(noise)), Image.of(noise)])
    assert np.abs(one - other).max() < 1e-5
    told = load(weights_folder("mini"))  # its words are mini's, its bridge knows nothing yet
    same = zip(model.language.parameters(), told.language.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same) and not torch.equal(model.bridge.project.weight,
                                                                       told.bridge.project.weight)
