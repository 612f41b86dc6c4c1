"""The commands of docs/real-data.md as they stand there, on a small world and small checkpoints of the same classes."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import instructed_layouts
import pytest

from loupe import cli, world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "real-data.md"
SHORT = {  # what makes a real run end in seconds; names and paths stay those of the page
    ("train", "pink"): ["align.steps=1", "align.batch=2", "align.accumulation=1", "tune.steps=1", "tune.batch=2",
                        "tune.accumulation=1"],
    ("train", "coco-mini"): ["see.steps=2", "see.batch=4", "talk.steps=1", "talk.batch=8"],
    ("evaluate", "runs/pink"): ["--limit", "3", "--max-tokens", "4"],
    ("evaluate", "runs/photos"): ["--limit", "3", "--max-tokens", "4"],
    ("chat", "runs/photos"): ["--max-tokens", "4"],
}


def page_commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    lines = re.sub(r"\\\n\s*", " ", "\n".join(blocks)).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("loupe ")]


def small_weights(folder: Path) -> None:
    """CLIPVisionModel and LlamaForCausalLM as transformers saves them, with a tokenizer."""
    from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

    from loupe.models.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["Where is the red ring? [0.123,0.456,0.789,0.999]", "USER: ASSISTANT:"], 320, ())
    CLIPVisionModel(CLIPVisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                                     image_size=224, patch_size=56)).save_pretrained(folder / "clip-vit-large-patch14")
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                 num_attention_heads=2, max_position_embeddings=2048)
                     ).save_pretrained(folder / "vicuna-7b-v1.1")
    tokenizer.save_pretrained(folder / "vicuna-7b-v1.1")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """data/, weights/ and photos/ in the layouts the page describes."""
    folder = tmp_path_factory.mktemp("real")
    world.write(folder / "data", 24, 0, val=20, also="lyrics")
    instructed_layouts.aokvqa(folder / "data/aokvqa", folder / "data/aokvqa")
    instructed_layouts.flickr30k_entities(folder / "data/flickr30k")
    small_weights(folder / "weights")
    pictures = sorted((folder / "data/coco/train2017").iterdir())[:6]
    captions = [{"id": p.stem, "image": p.name, "conversations": [
        {"from": "human", "value": "Say briefly what is there.\n<image>"}, {"from": "gpt", "value": "some shapes"}]}
        for p in pictures]
    first = folder / "data/llava_cc3m"
    first.mkdir()
    (first / "chat.json").write_text(json.dumps(captions))
    (first / "images").symlink_to(folder / "data/coco/train2017")
    world.write(folder / "large", 8, 1, val=20, size=256)  # some boxes above 2,000 square pixels
    photos = folder / "photos"
    photos.mkdir()
    (photos / "images").symlink_to(folder / "large/coco")
    (photos / "annotations").symlink_to(folder / "large/coco/annotations")
    (photos / "refer").symlink_to(folder / "large/refer")
    return folder


def test_the_page_has_the_commands_of_the_job():
    verbs = [words[0] for words in page_commands()]
    assert {"doctor", "show", "train", "build", "evaluate", "score", "chat"} <= set(verbs)


def test_every_command_of_the_page_runs(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    picture = next((place / "large/coco/val2017").iterdir()).name
    for words in page_commands():
        argv = [re.sub(r"(^|=)/(data|weights)\b", r"\1\2", word) for word in words]
        argv = [word.replace("000000000139.jpg", picture).replace("100000", "12") for word in argv]
        argv += SHORT.get(tuple(words[:2]), [])
        print(f"\n$ loupe {' '.join(argv)}", file=sys.stderr)
        assert cli.main(argv) == 0, f"loupe {' '.join(argv)}\n{capsys.readouterr().err[-2000:]}"
    for made in ("runs/pink/model/manifest.json", "runs/pink/evaluation/report.html", "corpora/pink/manifest.json",
                 "runs/photos/evaluation/report.html", "answer.png"):
        assert (place / made).is_file(), made
    spec = json.loads((place / "runs/pink/recipe.json").read_text())
    assert spec["model"]["vision"]["checkpoint"] == "weights/clip-vit-large-patch14"
    report = (place / "runs/pink/evaluation/report.html").read_text()
    assert report.count('class="card"') >= 3 and "mean-box" in report
