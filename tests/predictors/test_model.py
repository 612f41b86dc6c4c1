"""A saved model: loaded, asked sample by sample, evaluated and talked to from the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

import loupe
from loupe.cli import main
from loupe.errors import CheckpointError, LoupeError
from loupe.image import Image
from loupe.regions import Box, Point, Polygon
from loupe.sample import Sample, user

CLIP = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "image_size": 24, "patch_size": 8}
QWEN3 = {"model_type": "qwen3", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8,
         "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}
TEXTS = ["Where is the red cup?", "Describe this region.", "0123456789,.[]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import torch

    from loupe.codec import codec
    from loupe.dialogue import dialogue
    from loupe.models import checkpoint
    from loupe.models.assembly import build
    from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
    from loupe.models.tokenizer import train_tokenizer

    spec = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(), LanguageSpec(config=QWEN3), "pink", "mini")
    tokens = [*codec("pink").tokens, *dialogue("mini").tokens]
    model = build(spec, seed=1, tokenizer=train_tokenizer(TEXTS, 320, tokens))
    with torch.no_grad():
        model.language.get_input_embeddings().weight.normal_(generator=torch.Generator().manual_seed(1))
    return checkpoint.save(model, tmp_path_factory.mktemp("run") / "model")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two pictures with a cat each, one of them torn."""
    root = tmp_path_factory.mktemp("data")
    for split in ("val2017", "train2017"):
        place = root / "coco" / split
        place.mkdir(parents=True)
        for number in (1, 2, 3):
            Pillow.fromarray(np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)).save(
                place / f"{number:012d}.jpg")
        images = [{"id": n, "file_name": f"{n:012d}.jpg", "width": 80, "height": 60} for n in (1, 2, 3)]
        annotations = [{"id": n, "image_id": n, "category_id": 1, "bbox": [0, 0, 60, 50], "area": 3000, "iscrowd": 0,
                        "segmentation": [[0, 0, 60, 0, 60, 50]]} for n in (1, 2, 3)]
        file = root / "coco" / "annotations" / f"instances_{split}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"images": images, "annotations": annotations,
                                    "categories": [{"id": 1, "name": "cat"}]}))
    torn = root / "coco" / "val2017" / "000000000003.jpg"
    torn.write_bytes(torn.read_bytes()[:400])
    return root


def picture(seed=1, width=80, height=60) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_public_names_need_no_torch():
    code = ("import sys, loupe; loupe.Box, loupe.Point, loupe.draw, loupe.load, loupe.readers, loupe.evaluate; "
            "loupe.load('whole-image'); assert not {'torch', 'transformers'} & set(sys.modules); "
            "assert all(hasattr(loupe, n) for n in loupe.__all__) and 'torch' in sys.modules; dir(loupe)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'lood'"):
        loupe.lood  # noqa: B018


def test_answers_in_order_whatever_the_pictures(folder):
    model = loupe.load(folder, answer=8, device="cpu")
    pictures = [Image(data=picture(k)) for k in (1, 2)]
    broken = Image(data=picture(3)[:200])
    samples = [Sample((images,), (user(text),)) for images in (pictures[0], broken, pictures[1], pictures[0])
               for text in TEXTS]
    samples.insert(4, Sample((pictures[1],), (user("What is in", Box(200, 200, 210, 210)),)))  # outside the picture
    answers = list(model.answer(iter(samples)))
    assert len(answers) == len(samples)
    kinds = [a.problems[0].kind if a.problems else "" for a in answers]
    assert kinds[3:7] == ["picture", "question", "picture", "picture"]
    for sample, given in zip(samples, answers):
        if not given.problems or given.raw:
            alone = model.look(sample.images[0]).answers([sample])[0]
            assert (alone.raw, alone.regions) == (given.raw, given.regions)
            assert alone.score == pytest.approx(given.score, rel=1e-4)
    small = loupe.load(folder, answer=8, rows=2, device="cpu")
    assert [a.raw for a in small.answer(samples)] == [a.raw for a in answers]


def test_public_calls(folder, tmp_path):
    model = loupe.load(folder, answer=30, device="cpu")
    file = tmp_path / "kitchen.png"
    file.write_bytes(picture())
    look = model.look(file)
    answer = look.ask("What is in", Box(4, 6, 21, 30), "?")
    assert isinstance(answer.raw, str) and answer.raw
    boxes = look.locate("the cup", constrain="box")
    assert len(boxes) == 1 and 0 < boxes[0].score <= 1 and boxes[0].region.x2 <= 80.001
    assert look.describe(Point(12, 8)).raw
    talk = look.talk()
    assert talk.say("Who is on the left?").raw and talk.say("What is she holding?").raw
    assert len(talk.turns) == 4
    loupe.draw(look, boxes, tmp_path / "answer.png")
    assert model.look([picture(1), picture(2)]).ask("Which?").raw


def test_what_is_not_a_model_says_so(tmp_path, folder):
    with pytest.raises(CheckpointError, match="no model lies here: got an empty folder"):
        loupe.load(tmp_path)
    Pillow.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(CheckpointError, match="no model lies here: got a folder with a.png"):
        loupe.load(tmp_path)
    with pytest.raises(CheckpointError, match="a model is a folder: got a picture.*name the model first"):
        loupe.load(tmp_path / "a.png")
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(CheckpointError, match="run is not finished"):
        loupe.load(tmp_path)
    with pytest.raises(LoupeError, match="did you mean 'rows'"):
        loupe.load(folder, row=3)
    with pytest.raises(LoupeError, match="another codec"):
        loupe.load(folder, codec="xy")


def test_evaluate_from_the_command_line(folder, root, tmp_path, capsys):
    command = ["evaluate", str(folder.parent), "coco-unique-val2017,coco-counting-val2017", "--root", str(root),
               "--out", str(tmp_path), "--batch", "2", "--max-tokens", "6", "--device", "cpu"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "coco-unique-val2017: 3 questions, no number" in out and "mean-box" in out and "1 picture" in out
    assert (tmp_path / "report.html").is_file()
    lines = (tmp_path / "coco-unique-val2017.jsonl").read_text().splitlines()
    assert len(lines) == 4 and json.loads(lines[0])["model"]["codec"] == "pink"
    assert main(command) == 0 and len((tmp_path / "coco-unique-val2017.jsonl").read_text().splitlines()) == 4
    assert main([*command[:2], "coco-unique-val2017", *command[3:], "--count", "7"]) == 2
    assert "got 3, expected 7 (--count)" in capsys.readouterr().err
    assert main([*command, "--constrain", "box"]) == 2  # other answers than those in the file
    assert "another run" in capsys.readouterr().err
    report = loupe.evaluate(folder, "coco-unique-val2017", root=root, progress=False)
    assert report.count == 3 and report.scores.unread >= 1


def test_chat_from_the_command_line(folder, tmp_path, capsys, monkeypatch):
    file = tmp_path / "a.png"
    file.write_bytes(picture())
    out = tmp_path / "out.png"
    assert main(["chat", str(folder), str(file), "--say", "What is in @box(4,6,21,30)?", "--say", "Where is it?",
                 "--constrain", "box", "--draw", str(out), "--max-tokens", "40"]) == 0
    said = capsys.readouterr().out
    assert said.count("  @box(") == 2 and out.is_file()
    typed = "Where?\nWhat is @bix(1,2)?\nAnd @box(1,2)?\n/new\nHere?\n\nnot read\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["chat", str(folder), str(file), "--constrain", "point", "--max-tokens", "40"]) == 0
    typed = capsys.readouterr()
    assert typed.out.count("  @point(") == 2
    assert "did you mean 'box'" in typed.err and "@box takes 4 numbers: got 2" in typed.err
    assert main(["chat", str(folder), str(tmp_path / "none.png")]) == 2
    assert "picture does not exist" in capsys.readouterr().err


def test_regions_in_typed_text():
    from loupe.cli.chat import parts_of, spelled

    assert parts_of("Is @point(3, 4.5) in @polygon(0,0,5,0,5,5)?") == [
        "Is ", Point(3, 4.5), " in ", Polygon(((0, 0), (5, 0), (5, 5))), "?"]
    assert parts_of("mail a@b.c") == ["mail a@b.c"]
    for region in (Box(1, 2, 3.5, 4), Point(1, 2), Polygon(((0, 0), (5, 0), (5, 5)))):
        assert parts_of(spelled(region)) == [region]
