"""The examples run as their docstrings say."""

import runpy
import sys
from pathlib import Path

from loupe import world

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_own_benchmark(tmp_path, monkeypatch, capsys):
    world.write(tmp_path / "data", 4, 0, val=20)
    monkeypatch.setattr(sys, "argv", ["own_benchmark.py", "refcoco-val", str(tmp_path / "data")])
    runpy.run_path(str(EXAMPLES / "own_benchmark.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "upper-half" in said and "IoU >= 0.5" in said


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
