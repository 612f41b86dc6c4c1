"""`loupe show`: recipes as tables with samples, corpora as pages."""

import re
import subprocess
import sys

import pytest

from loupe.cli import main
from loupe.cli.show import parameter_rows
from loupe.recipes import RECIPES, recipe
from tests.cli.test_build import build, data  # noqa: F401


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_shows_values_and_samples(name, capsys):
    assert main(["show", name, "--no-parameters", "--samples", "4"]) == 0
    said = capsys.readouterr().out
    stages = recipe(name).stages
    assert all(stage.name in said for stage in stages) and f"{stages[-1].optim.lr:g}" in said
    talks = any(stage.objective == "language"  # others learn from records, not from samples; no world plays games
                and any(source.reader != "games" for source in stage.mixture.sources) for stage in stages)
    assert said.count("\n> ") == 4 * talks and ("next: loupe build" in said or not talks) and "loupe train" in said


def test_overrides_are_shown(capsys):
    assert main(["show", "pink", "stages.tune.optim.lr=0.00123", "--no-parameters", "--samples", "1"]) == 0
    said = capsys.readouterr().out
    assert "0.00123" in said
    assert re.search(r"weight decay +0 +0\.02", said) and re.search(r"warm-up +200 steps +10,000 steps", said)


@pytest.mark.parametrize("name, numbers", [
    ("pink", ("393,216", "4,194,304", "2,097,152")), ("pink-release", ("400,568", "4,198,400", "2,228,480"))])
def test_published_parameter_counts(name, numbers):
    *_, tune = parameter_rows(recipe(name))
    assert tuple(cell.split(" of ")[0] for cell in tune[1:4]) == numbers


def test_samples_come_from_the_recipes_own_sources(data, capsys):  # noqa: F811
    assert main(["show", "coco-mini", "--root", str(data / "data"), "--no-parameters", "--samples", "5"]) == 0
    said = capsys.readouterr().out
    assert "from its sources" in said and "cup" in said and f"--root {data / 'data'}" in said


def test_a_corpus_is_a_self_contained_page(data, capsys):  # noqa: F811
    build(data)
    assert main(["show", str(data / "corpus")]) == 0
    assert str(data / "corpus.html") in capsys.readouterr().out
    page = (data / "corpus.html").read_text()
    assert page.count("<article") == 8 and page.count('src="data:image/jpeg;base64,') == 8
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing is fetched
    assert "counting" in page and "detection" in page
    spots = set(re.findall(r'<g class="mark[^>]*data-r="([^"]+)"', page))
    assert spots and spots == set(re.findall(r'<button[^>]*class="chip[^>]*data-r="([^"]+)"', page))


def test_a_lost_picture_does_not_lose_the_page(data, capsys):  # noqa: F811
    build(data)
    (data / "data/coco/train2017/000000000003.jpg").unlink()
    (data / "data/coco/train2017/000000000004.jpg").write_bytes(b"\xff\xd8 not a picture")
    assert main(["show", str(data / "corpus")]) == 0
    page = (data / "corpus.html").read_text()
    assert page.count("<article") == 8 and page.count("No picture:") == 2
    assert "000000000003.jpg" in capsys.readouterr().err


@pytest.mark.parametrize("args, says", [
    (["pinc"], "did you mean 'pink'"), (["./nowhere"], "folder does not exist"),
    (["pink", "stages.tune.optim.lrr=1"], "lr"), (["."], "not a corpus"), ([".", "a=b"], "cannot be changed")])
def test_wrong_input_is_one_line(args, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", *args]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_without_counting_no_torch_is_loaded():
    code = ("import sys; from loupe.cli import main; main(['show', 'mini-start', '--no-parameters', '--samples', '1']);"
            "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
