"""The examples run as their docstrings say."""

import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import loupe
from loupe import world
from loupe.world import layout

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_own_benchmark(tmp_path, monkeypatch, capsys):
    world.write(tmp_path / "data", 4, 0, val=20)
    monkeypatch.setattr(sys, "argv", ["own_benchmark.py", "refcoco-val", str(tmp_path / "data")])
    runpy.run_path(str(EXAMPLES / "own_benchmark.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "upper-half" in said and "IoU >= 0.5" in said


def test_own_task(tmp_path, monkeypatch, capsys):
    from loupe.tasks import TASKS

    monkeypatch.setattr("loupe.tasks.TASKS", dict(TASKS))  # the example adds to it
    world.write(tmp_path / "data", 4, 0, val=20)
    monkeypatch.setattr(sys, "argv", ["own_task.py", str(tmp_path / "data"), "whole-image"])
    runpy.run_path(str(EXAMPLES / "own_task.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "/corner/" in said and any(f"truth: {edge} " in said for edge in ("top", "bottom"))


def test_ask_about_a_region(tmp_path, monkeypatch, capsys):
    """With a stand-in for the model: the calls fit the public interface."""
    import loupe
    from loupe.models.look import Look

    class Silent(Look):
        def __init__(self, picture):
            self.images = (loupe.Image.of(picture),)

        def locate(self, phrase):
            return (loupe.Found(loupe.Box(1, 2, 30, 40), 0.5, phrase),)

        def describe(self, region):
            return loupe.Answer(("a red ring",))

    class Model:
        def look(self, picture):
            return Silent(picture)

    monkeypatch.setattr(loupe, "load", lambda folder: Model(), raising=False)
    monkeypatch.chdir(tmp_path)
    world.write(tmp_path / "data", 1, 0, val=1)
    picture = next((tmp_path / "data/coco/val2017").iterdir())
    monkeypatch.setattr(sys, "argv", ["ask_about_a_region.py", "run", str(picture), "the ring"])
    runpy.run_path(str(EXAMPLES / "ask_about_a_region.py"), run_name="__main__")
    assert "a red ring" in capsys.readouterr().out and (tmp_path / "answer.png").is_file()


SMALL = ["vision.stages.match.batch=4", "tower.stages.see.batch=4", "language.stages.read.batch=4",
         "language.exam.groups=4", "refiner.stages.refine.batch=4", "refiner.pictures=4", "mini.stages.talk.batch=8"]
ONCE = ["--out", "all", "--scale", "0", "--images", "12", "--val", "6", "--device", "cpu", "--workers", "0", *SMALL]


def stamps(folder: Path) -> dict[str, int]:
    return {path.parent.relative_to(folder).as_posix(): path.stat().st_mtime_ns
            for path in folder.rglob("model.safetensors")}


def test_train_miniatures(tmp_path, monkeypatch):
    """One step each; run again nothing is trained anew, and a part that is missing comes back."""
    module = runpy.run_path(str(EXAMPLES / "train_miniatures.py"))
    monkeypatch.chdir(tmp_path)
    scores = module["main"]([*ONCE, "--only", "tower", "vision"])
    assert list(scores) == ["tower", "vision"] and scores["vision"]["pictures"] == 6
    made = stamps(tmp_path / "all")
    assert made.keys() == {"vision/vision", "tower/vision"}
    shutil.rmtree(tmp_path / "all/tower/vision")
    assert module["main"]([*ONCE, "--only", "tower"]) == scores
    again = stamps(tmp_path / "all")
    assert again["vision/vision"] == made["vision/vision"] and again["tower/vision"] > made["tower/vision"]
    every = module["arguments"](["--scale", "0.5", "--out", "there", "mini.stages.talk.batch=256"])
    recipes = {part: module["recipe_of"](part, every) for part in module["PARTS"]}
    assert recipes["vision"].stages[0].steps * 2 == loupe.recipe("mini-vision").stages[0].steps
    assert {stage.name: stage.batch for stage in recipes["mini"].stages}["talk"] == 256
    assert recipes["mini"].model.vision.checkpoint == recipes["vision"].model.vision.checkpoint == "there/tower/vision"
    assert recipes["mini"].model.language.checkpoint == "there/language/language"


def test_miniatures_are_judged_on_the_judging_worlds(tmp_path, monkeypatch):
    asked = []
    few_pictures(monkeypatch)
    monkeypatch.setattr("loupe.cli.main", lambda words: asked.append(words) or 0)
    module = runpy.run_path(str(EXAMPLES / "train_miniatures.py"))
    module["judge"](module["arguments"](["--out", str(tmp_path)]), 1)
    seeds = {folder.name: world.worlds(folder)[""]["seed"] for folder in (tmp_path / "judging").iterdir()}
    assert seeds == dict.fromkeys(("mini", "mini-128", "shifted", "unread"), 777)
    roots = [word for word in asked[0] if "judging" in word]
    assert roots == [f"{tmp_path}/judging/mini", f"unread={tmp_path}/judging/unread/records"]
    usual = module["arguments"]([])
    assert (usual.images, usual.val, usual.seed) == (60_000, 2_200, 0), "what the cards say"


def few_pictures(monkeypatch) -> None:
    monkeypatch.setattr(layout, "JUDGING", tuple(replace(s, images=4, val=8) for s in layout.JUDGING))


@pytest.mark.long
def test_train_all_miniatures(tmp_path, monkeypatch):
    few_pictures(monkeypatch)
    module = runpy.run_path(str(EXAMPLES / "train_miniatures.py"))
    monkeypatch.chdir(tmp_path)
    scores = module["main"](ONCE)
    assert list(scores) == list(module["PARTS"])
    assert {"vision/vision", "tower/vision", "language/language", "refiner/refiner", "mini/model"} <= stamps(
        tmp_path / "all").keys()
    assert (tmp_path / "all/evaluation/report.html").is_file()
