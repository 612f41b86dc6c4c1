"""Bootstrapping and evaluation with models of others: an endpoint that sees colours, a tiny transformers checkpoint."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from boot_stubs import PAINT, folder
from foreign_models import write
from seeing_endpoint import seer
from stub_endpoint import said, served

from loupe.bootstrapping import read
from loupe.cli import main

PICTURES = ([(10, 10, 50, 50)], [(5, 5, 50, 45), (60, 60, 38, 39)], [(0, 0, 60, 40), (10, 50, 80, 50)])


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("loupe.endpoint.client.Client._pause", lambda *_: 0.01)


def test_an_endpoint_keeps_what_it_finds_again(tmp_path, quick, capsys):
    root = folder(tmp_path / "data", PICTURES)
    with served(seer) as (url, stub):
        assert main(["bootstrap", "--model", f"{url}#seer", "--root", str(root), "--out", str(tmp_path / "out"),
                     "--least-area", "100"]) == 0
    stored = read(tmp_path / "out")
    assert len(stored.pairs) == 5 and "kept 5 of 5" in capsys.readouterr().out
    best = stored.pairs[0].candidates[0]
    assert best.text == "red cup" and best.iou > 0.99 and best.margin is None and 0 < best.confidence <= 1
    assert main(["bootstrap", "report", str(tmp_path / "out")]) == 0


def test_failures_are_counted_and_asked_again(tmp_path, quick, capsys):
    """The second picture's questions fail: a reason and a number, the others stay; --retry mends it."""
    root = folder(tmp_path / "data", PICTURES)
    broken = [True]

    def say(body, pictures):
        if broken and pictures[0].getpixel((5, 7)) == PAINT[0] and pictures[0].getpixel((0, 0)) == (2, 2, 2):
            return 500, "no"
        return seer(body, pictures)

    with served(say) as (url, _):
        argv = ["bootstrap", "--model", f"{url}#seer,tries=2", "--root", str(root), "--out", str(tmp_path / "out"),
                "--least-area", "100"]
        assert main(argv) == 0
        assert "predictor failed" in capsys.readouterr().out
        assert len(read(tmp_path / "out").pairs) == 3
        broken.clear()
        assert main([*argv, "--retry"]) == 0
    assert len(read(tmp_path / "out").pairs) == 5


def test_nonsense_keeps_nothing_and_ends_nothing(tmp_path, quick):
    root = folder(tmp_path / "data", PICTURES)
    with served(lambda *_: "]]{{ [1, 2") as (url, _):
        assert main(["bootstrap", "--model", f"{url}#seer", "--root", str(root), "--out", str(tmp_path / "out"),
                     "--least-area", "100"]) == 0
    assert read(tmp_path / "out").manifest["selection"]["kept"] == 0


def test_saying_nothing_costs_one_box_alone(tmp_path, quick, capsys, monkeypatch):
    """Nothing said is an answer, of the box it was asked about; it is no sign that the endpoint is gone."""
    monkeypatch.setattr(sys.modules["loupe.bootstrapping.run"], "PATIENCE", 1)
    root = folder(tmp_path / "data", [PICTURES[1], PICTURES[2]])

    def say(body, pictures):
        words = seer(body, pictures)
        return "" if words == "red cup" or (words.startswith("[") and "green" in said(body)) else words

    with served(say) as (url, _):
        assert main(["bootstrap", "--model", f"{url}#seer", "--root", str(root), "--out", str(tmp_path / "out"),
                     "--least-area", "100"]) == 0
    stored = read(tmp_path / "out")
    counts = stored.manifest["counts"]
    assert counts["pictures"]["left out"] == {} and counts["boxes"]["described"] == 2
    assert counts["boxes"]["left out"] == {"box without a description: empty": 2}
    assert counts["boxes"]["answers without a box"] == {"empty": 2}
    assert stored.manifest["selection"]["kept"] == 0 and "--retry" not in capsys.readouterr().out


def test_a_reason_does_not_hang_on_what_the_endpoint_says(tmp_path, quick):
    """Refusals with numbers of their own, as servers give them, are one reason."""
    root, asked = folder(tmp_path / "data", PICTURES), []

    def say(body, pictures):
        asked.append(body)
        return 400, f"request {len(asked)} is bad"

    with served(say) as (url, _):
        assert main(["bootstrap", "--model", f"{url}#seer", "--root", str(root), "--out", str(tmp_path / "out"),
                     "--least-area", "100"]) == 0
    assert read(tmp_path / "out").manifest["counts"]["pictures"]["left out"] == {
        "predictor failed: the endpoint refuses the request": 3}


@pytest.mark.parametrize("kind", ["mini", "endpoint"])
def test_a_torn_picture_in_the_middle(tmp_path, kind, standin_parts):
    """Its head states a size, its pixels are cut off: it alone is left out, with every option."""
    root = folder(tmp_path / "data", PICTURES)
    torn = root / "images" / "train" / "p2.png"
    torn.write_bytes(torn.read_bytes()[:60])
    with served(seer) as (url, _):
        model = f"{url}#seer" if kind == "endpoint" else str(standin_parts / kind)
        assert main(["bootstrap", "--model", model, "--root", str(root), "--out", str(tmp_path / "out"), "--device",
                     "cpu", "--least-area", "100", "--contrast", "--flip", "--crops", "1", "--wordings", "1"]) == 0
    counts = read(tmp_path / "out").manifest["counts"]
    assert counts["pictures"] == {"read": 3, "asked about": 2, "left out": {"picture does not decode": 1}}
    assert counts["boxes"]["left out"]["picture does not decode"] == 2


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "llava"])
def test_a_transformers_folder(tmp_path, kind, capsys):
    root, model = folder(tmp_path / "data", PICTURES[:2]), write(kind, tmp_path / kind)
    assert main(["bootstrap", "--model", str(model), "--root", str(root), "--out", str(tmp_path / "out"),
                 "--least-area", "100", "--device", "cpu", "--contrast"]) == 0
    stored = read(tmp_path / "out")
    counts = stored.manifest["counts"]
    assert not counts["pictures"]["left out"]
    assert len(stored.pairs) + sum(counts["boxes"]["left out"].values()) == 3 and stored.pairs
    assert all(0 < c.likelihood <= 1 and c.contrast is not None for pair in stored.pairs for c in pair.candidates)


@pytest.mark.parametrize("kind", ["mini", "qwen2_5_vl"])
def test_a_full_device_is_counted_and_ends_nothing(tmp_path, kind, standin_parts, monkeypatch, capsys):
    """There is room for one picture at a time, and never for the second: the others are asked about one by one."""
    root = folder(tmp_path / "data", PICTURES)
    model = standin_parts / "mini" if kind == "mini" else write(kind, tmp_path / kind)
    place, name = ("seen", "see") if kind == "mini" else ("sights", "front")
    real, tried = getattr(__import__(f"loupe.predictors.{place}", fromlist=[name]), name), []

    def full(model, given, *rest, **options):
        """given: the looks of a checkpoint of loupe; a transformers model is shown one at a time."""
        tried.append(len(given) if kind == "mini" else 1)
        second = any(image.path.name == "p2.png" for look in given for image in look) if kind == "mini" else (
            len(tried) in (2, 4))  # 1 and 2 of the group, then 1, 2 and 3 by themselves
        if second or (kind == "mini" and len(given) > 1):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return real(model, given, *rest, **options)

    monkeypatch.setattr(f"loupe.predictors.{place}.{name}", full)
    assert main(["bootstrap", "--model", str(model), "--root", str(root), "--out", str(tmp_path / "out"),
                 "--least-area", "100", "--device", "cpu", "--no-margin"]) == 0
    counts = read(tmp_path / "out").manifest["counts"]
    assert counts["pictures"]["left out"] == {"predictor failed: no memory for so much at once": 1}
    assert counts["pictures"]["asked about"] == 2
    assert "--retry" in capsys.readouterr().out


def test_what_an_endpoint_cannot_measure_is_said(tmp_path, quick, capsys):
    """Endpoints weigh nothing: a rule that rests on it is refused at once, and the run and its manifest say so."""
    root = folder(tmp_path / "data", PICTURES)
    with served(seer) as (url, stub):
        argv = ["bootstrap", "--model", f"{url}#seer", "--root", str(root), "--out", str(tmp_path / "out"),
                "--least-area", "100", "--contrast"]
        for by in ("contrast", "margin", "agreement"):
            assert main([*argv, "--by", by, "--share", "0.4"]) == 2
            assert f"got by {by}, expected iou or likelihood or combined" in capsys.readouterr().err
        assert not [body for body in stub.bodies if "messages" in body] and not (tmp_path / "out").exists()
        assert main(argv) == 0
    assert "not measured, because the model does not tell: margin, contrast" in capsys.readouterr().out
    assert read(tmp_path / "out").manifest["selection"]["score known of"] == {
        "iou": 5, "likelihood": 5, "margin": 0, "contrast": 0, "agreement": 0, "combined": 5}
    assert main(["bootstrap", "report", str(tmp_path / "out"), "--by", "contrast", "--share", "0.4"]) == 2
    assert "expected iou or likelihood or combined" in capsys.readouterr().err


def test_evaluation(tmp_path, quick, capsys, monkeypatch):
    from loupe import world

    world.write(tmp_path / "data", 2, seed=1, val=3, world="mini")
    monkeypatch.chdir(tmp_path)
    model = write("qwen2_5_vl", tmp_path / "models" / "tiny")
    asked = ["mini-grounding,mini-counting", "--root", "data", "--limit", "3", "--max-tokens", "5"]
    assert main(["evaluate", str(model), *asked, "--device", "cpu"]) == 0
    kept = tmp_path / "evaluation" / "tiny" / "mini-grounding.jsonl"
    assert json.loads(kept.read_text().splitlines()[0])["model"]["codec"] == "qwen2.5-vl"
    with served(lambda body, _: "3" if "How many" in said(body) else "[1, 2, 900, 900]") as (url, stub):
        assert main(["evaluate", f"{url}#org/seer", *asked]) == 2  # it serves another name
        stub.models = ["org/seer"]
        assert main(["evaluate", f"{url}#org/seer", *asked]) == 0
    lines = (tmp_path / "evaluation" / "org-seer" / "mini-counting.jsonl").read_text().splitlines()
    assert len(lines) == 4 and json.loads(lines[1])["answer"]["raw"] == "3"
    assert any("Answer with the number alone" in said(body) for body in stub.bodies)
