"""Columns that are more than a share of right answers: quantities, means of columns, rungs, games."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import cli
from loupe.errors import ConfigError
from loupe.evals.benchmark import benchmark
from loupe.evals.spec import Benchmark
from loupe.games import GAMES
from loupe.games.arcade import Arcade
from loupe.games.players import chance
from loupe.predictors import baseline
from loupe.recipes import recipe
from loupe.reproduce import data, experiment, log, playing
from loupe.reproduce.cell import Cell, asked, made
from loupe.reproduce.experiment import Claim, Column, Experiment, Play, Row, Table, quick
from loupe.reproduce.measuring import Asking, measure, rungs
from loupe.reproduce.page import Results, page
from loupe.reproduce.verdict import number, summary
from loupe.sample import Answer
from tests.games.playground import LENGTH, Lights, facing

ERROR = Column("error", "RE", "colours", Benchmark("b-error", "pictures", "pictures", ""), figure="error, L2",
               lower=True, share=False, scale=100.0, rungs=(("grey", "- flat, L2"),))
LEFT, RIGHT = (Column(name, name, "masks", Benchmark(f"b-{name}", "records", "records", "val"), figure="cIoU",
                      share=False, scale=100.0) for name in ("left", "right"))
BOTH = Column("both", "avg", "the mean", share=False, mean=("left", "right"))
PAPER = Experiment(
    "quantities", "Quantities", "somewhere", recipe("mini-demo"), (), (ERROR, LEFT, RIGHT, BOTH),
    (Row("one", "One"), Row("two", "Two", ("stages.talk.optim.lr=1e-3",))),
    (Table("t", "Table", ("one", "two"), ("error", "both", "left"),
           claims=(Claim("lower is better", "error", "two", "one"), Claim("higher is", "both", "two", "one"))),))


def kept(out: Path, row: str, seed: int, error: float, left: float, right: float, reach: float = 1.0) -> None:
    values = {"error": error, "left": left, "right": right}
    columns = {name: {"asked": asked(PAPER.column(name), PAPER), "value": value, "count": 40, "unreadable": 0,
                      "interval": [value - reach, value + 2 * reach]} for name, value in values.items()}
    cell = Cell(row, seed)
    log.write(log.path(out, PAPER, cell), log.Log(cell, made(PAPER, cell), columns, {}, {"train": 1.0}))


def results(out: Path) -> Results:
    return Results(PAPER, log.known(out, PAPER), log.baselines(out, PAPER))


def row_of(text: str, begins: str) -> list[str]:
    return [cell.strip() for cell in next(x for x in text.splitlines() if x.startswith(f"| {begins}")).split("|")[1:-1]]


def test_quantities_have_the_interval_of_their_questions(tmp_path):
    """Three equal seeds: the mean reaches as far as its questions do; a mean of two, by 1 / sqrt(2) of that."""
    for seed in range(3):
        kept(tmp_path, "one", seed, 30.0, 20.0, 40.0)
        kept(tmp_path, "two", seed, 20.0, 60.0, 80.0)
    line = {"asked": asked(ERROR, PAPER), "values": {"mean colour": 25.0}, "rungs": {"grey": 18.5}}
    log.write_baselines(tmp_path, PAPER, {"error": line})
    found = results(tmp_path)
    assert found.values("one", BOTH) == {0: 30.0, 1: 30.0, 2: 30.0} and found.count(BOTH) == 80
    assert found.reach("one", BOTH) == pytest.approx((1 / math.sqrt(2), 2 / math.sqrt(2)))
    text = page(found)
    assert row_of(text, "One")[2] == "**30.00** [29.00, 32.00]"
    assert row_of(text, "One")[4] == "**30.00** [29.29, 31.41]"
    assert row_of(text, "best baseline")[2] == "25.00 (mean colour)"
    assert row_of(text, "*grey*")[1:] == ["-", "18.50", "-", "-", "-", "-"]
    assert row_of(text, "lower is better")[1] == row_of(text, "higher is")[1] == "**agrees**"
    assert "pictures or games drawn again" in text and row_of(text, "avg |")[2:] == ["mean", "80"]
    kept(tmp_path, "two", 0, 20.0, 60.0, 80.0, reach=100.0)
    assert row_of(page(results(tmp_path)), "lower is better")[1] == "**cannot tell**", "one seed's questions reach far"


def test_a_mean_needs_all_of_its_parts(tmp_path):
    kept(tmp_path, "one", 0, 30.0, 20.0, 40.0)
    where = log.path(tmp_path, PAPER, Cell("one", 0))
    there = log.read(where)
    del there.columns["right"]
    log.write(where, there)
    assert results(tmp_path).values("one", BOTH) == {} and results(tmp_path).values("one", LEFT) == {0: 20.0}
    assert not log.finished(tmp_path, PAPER, Cell("one", 0)), "parts are asked for, though no table shows one"
    assert [c.name for c in PAPER.columns_of(PAPER.row("one"))] == ["error", "left", "right"]


def test_digits_and_reach():
    assert [number(v, False) for v in (0.2, 6.65, 20.38, 853.91)] == ["0.200", "6.650", "20.38", "853.9"]
    assert number(0.2038, True) == "20.4"
    one = summary([5.0], 10, False, (1.0, 2.0))
    assert (one.low, one.high) == (4.0, 7.0)
    spread = summary([1.0, 5.0, 9.0], 10, False, (1.0, 20.0))
    assert spread.low == pytest.approx(5 - 4.303 * 4 / math.sqrt(3)) and spread.high == 25.0


def test_columns_check_themselves():
    for wrong in (replace(BOTH, mean=()), replace(LEFT, mean=("right",)), replace(BOTH, mean=("both",))):
        with pytest.raises(ConfigError, match="asks questions, or is the mean"):
            replace(PAPER, columns=(*PAPER.columns, replace(wrong, name="wrong")))
    unequal = replace(PAPER.rows[1], changes=("stages.talk.steps=3",))
    stages = replace(PAPER.tables[0], stages=True)
    with pytest.raises(ConfigError, match="different lengths"):
        replace(PAPER, rows=(PAPER.rows[0], unequal))
    replace(PAPER, rows=(PAPER.rows[0], unequal), tables=(stages,))
    with pytest.raises(ConfigError, match="unknown measurement"):
        measure(Asking(None, {}), replace(ERROR, measured="rewards"), "")


@pytest.fixture
def photos(tmp_path) -> dict[str, Path]:
    """Pictures of two colours, left and right."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(8):
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[:, :32], picture[:, 32:] = (k, 0, 200), (200, k, 0)
        Pillow.fromarray(picture).save(folder / f"{k}.png")
    return {"pictures": folder}


def test_rungs_are_of_the_questions_and_answers_are_asked_once(photos, tmp_path):
    """By hand: half of a picture is (0, 0, 200), half (200, 0, 0); its mean is off by (100, 0, 100) everywhere."""
    what = replace(benchmark("photo-pixels"), name="b", split="train", grid=8)
    column = replace(ERROR, benchmark=what, limit=1)
    opened = Asking(None, photos).questions(what, 1)
    flat = baseline("mean-colour", opened.samples)
    asking, seen = Asking(flat, photos, tmp_path / "answers"), []
    asking.predictor = counting = type("Counting", (), {
        "name": "counting", "whole": True, "answer": lambda self, samples: (
            seen.append(s) or a for s, a in zip(samples, flat.answer(samples)))})()
    off = measure(asking, column, "first")
    total = measure(asking, replace(column, figure="error, sum"), "second")
    assert len(seen) == 1 and [p.name for p in (tmp_path / "answers").iterdir()] == ["first.jsonl"]
    assert counting is asking.predictor and off.value == pytest.approx(100 * math.sqrt(2) * 100 / 255, abs=1.5)
    assert total.value == pytest.approx(off.value * math.sqrt(2), rel=0.03) and off.low <= off.value <= off.high
    assert rungs(asking, column)["grey"] == pytest.approx(100 * math.sqrt(2) * 100 / 255, abs=1.0)


def test_what_knows_a_part_of_the_answer_is_no_baseline(photos):
    """Of pictures the two that do not look; the picture's own mean stands among the rungs."""
    what = replace(benchmark("photo-pixels"), name="b", split="train", grid=8)
    line = data._beside(replace(ERROR, benchmark=what, limit=1), Asking(None, photos, progress=False))
    assert set(line["values"]) == {"grey", "mean-colour"} and line["rungs"].keys() == {"grey"}


LIGHTS = replace(GAMES["space-invaders"], repeat=1, idle=False)
REWARD = Column("lights", "Lights", "mean reward", Play("space-invaders", 9), limit=3, share=False, measured="reward")


@pytest.fixture
def lights(monkeypatch):
    """The arcade holds the playground's game."""
    monkeypatch.setattr(playing, "game", lambda name: LIGHTS)
    monkeypatch.setattr(playing, "Arcade", lambda game: Arcade(game, Lights()))
    monkeypatch.setattr(playing, "scripted", lambda game: playing_each("scripted", facing))


def playing_each(name, act):
    from loupe.games.players import Each

    return Each(name, lambda seed: act)


class Right:
    """A model that always moves to the right, in words."""

    name, identity = "right", {"weights": "none"}

    def answer(self, samples):
        return (Answer(("2",), (), "2") for _ in samples)


def test_a_reward_is_measured_and_kept(lights, tmp_path, monkeypatch):
    """Whoever faces the light gets a point a step; always right gets about half; a second time nothing is played."""
    monkeypatch.setattr("loupe.games.match.Arcade", lambda game: Arcade(game, Lights()))
    asking = Asking(Right(), {}, tmp_path)
    found = measure(asking, REWARD, "reward")
    assert 1 <= found.value <= 8 and found.count == 3 and found.unreadable == 0 and found.low < found.value < found.high
    assert sorted(p.name for p in (tmp_path / "reward").glob("*.json")) == ["1000.json", "1001.json", "1002.json"]
    monkeypatch.setattr(Right, "answer", None)
    assert measure(asking, REWARD, "reward") == found
    beside = playing.beside(REWARD)
    assert beside["rungs"] == {"scripted expert": 9.0} and set(beside["values"]) == {"random", "still"}
    assert beside["values"]["still"] == 0.0 < beside["values"]["random"] < 9.0


def test_games_are_recorded_once(lights, tmp_path):
    from loupe.reproduce.experiment import Recording

    asked = Recording("lights", "space-invaders", 2, 5)
    playing.record(asked, tmp_path)
    lines = sorted((tmp_path / "lights" / "space-invaders" / "train").glob("*.jsonl"))
    assert len(lines) == 2 and json.loads(lines[0].read_text().splitlines()[0])["steps"] == 5 < LENGTH
    before = lines[0].stat().st_mtime_ns
    playing.record(asked, tmp_path)
    assert lines[0].stat().st_mtime_ns == before


def test_without_the_extra_games_are_left_out_and_said(monkeypatch, capsys, tmp_path):
    def lacking(game):
        raise ConfigError(f"{game.name} needs a package that is not installed", do="pip install 'loupe[games]'")

    monkeypatch.setattr(playing, "check", lacking)
    pae = experiment("pae")
    assert playing.missing(pae, pae.table("tower")) == ""
    assert "loupe[games]" in playing.missing(pae, pae.table("games-car-racing"))
    from loupe.cli.reproduce import _possible

    names = [table.name for table in pae.tables]
    assert _possible(pae, names, tmp_path) == ["tower", "stages", "masks"]
    said = capsys.readouterr().out
    assert said.count("is left out") == 3 and "pip install 'loupe[games]'" in said
    assert cli.main(["reproduce", "pae", "--table", "games", "--out", str(tmp_path)]) == 2
    assert "loupe[games]" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_quick_games_are_short():
    short = quick(experiment("pae"))
    column = short.column("car-racing")
    assert column.benchmark.steps == 10 and short.recordings[0].steps == 20
    assert data.roots(short, Path("d"))["car-racing-games"] == Path("d/car-racing-games")
    assert short.recorded(short.row("car-racing-pae")) == short.recordings[:1]
    assert not short.recorded(short.row("plain")) and not short.recorded(short.row("car-racing-blind"))
    assert chance(LIGHTS).name == "random"
