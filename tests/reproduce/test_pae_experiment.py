"""PAE-LaMM's experiment: equal lengths from equal starts, who is asked for pixels, the paper's numbers, real cells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import cli, shipped
from loupe.errors import ConfigError, FileError
from loupe.evals import read_predictions
from loupe.evals.metrics.dense import masks as mask_figures
from loupe.models.checkpoint import load
from loupe.readers import reader
from loupe.reproduce import data, experiment, log, photos
from loupe.reproduce.cell import Cell, needs, trained, wanted
from loupe.reproduce.experiment import quick
from loupe.reproduce.pae import GAMES, SETS
from loupe.reproduce.work import Places, run

PAE = experiment("pae")
NAMES = {row.name for row in PAE.rows}


def chain(name: str) -> list[str]:
    """The rows a row goes through, its own last."""
    row = PAE.row(name)
    return [*(chain(row.begins) if row.begins else ()), name]


def tower(name: str) -> str:
    stage, = PAE.recipe_of(PAE.row(name), 0).stages
    return type(stage.tune.vision).__name__


def length(name: str) -> list:
    return [PAE.updates(PAE.row(step)) for step in chain(name) if PAE.row(step).trains]


def learnt(name: str) -> set[str]:
    return {task for task, _ in trained(PAE, PAE.row(name))}


def test_arms_go_on_from_one_model_for_equal_steps():
    """Table 2: the tower alone tells them apart; Tables 7 and 4: equally long to the end."""
    frozen, adapted = PAE.row("frozen"), PAE.row("adapted")
    assert frozen.begins == adapted.begins == "stage-1" and (tower("frozen"), tower("adapted")) == ("Frozen", "Full")
    assert adapted.changes == ("stages.rows.tune.vision=Full",) and frozen.changes == ()
    assert [tower(step) for step in chain("at-once")] == ["Frozen", "Full", "Full"]
    assert len({str(length(name)) for name in ("frozen", "adapted", "at-once", "frozen-random", "adapted-random")}) == 1
    assert len({str(length(name)) for name in NAMES if name.startswith("masks")}) == 1
    for game in GAMES:
        assert length(f"{game}-pae") == length(f"{game}-baseline")
    assert [tower(step) for step in chain("stage-3")] == ["Frozen", "Frozen", "Full", "Frozen"], "§3.2"


def test_who_is_asked_for_pixels_and_whose_tower_learns():
    """Table 7's four rows: with and without either."""
    rows = {"masks": (True, True), "masks-no-pixels": (False, True), "masks-frozen": (True, False),
            "masks-baseline": (False, False)}
    for name, (pixels, adapted) in rows.items():
        assert ("reconstruction" in learnt(name)) == pixels, name
        assert ("Full" in [tower(step) for step in chain(name)]) == adapted, name
        assert {"segmentation", "grounding"} <= learnt(name)
    shares = []
    for name in ("stage-1", "adapted", "stage-3"):
        weights = dict(PAE.recipe_of(PAE.row(name), 0).stages[0].mixture.sources[0].tasks)
        shares.append(weights["reconstruction"] / sum(weights.values()))
    assert shares == pytest.approx([0.5, 0.5, 0.25])
    for row in PAE.rows:
        assert not learnt(row.name) & {"statement", "choice", "conversation"}, row.name


def test_where_rows_begin():
    for row in PAE.rows:
        first = PAE.recipe_of(PAE.row(chain(row.name)[0]), 0)
        assert (first.weights, first.fresh_eyes) == ("mini", True)
        assert all(PAE.recipe_of(PAE.row(step), 0).model.vision.checkpoint == (
            "" if "random" in chain(row.name)[0] else "loupe/vision")
            for step in chain(row.name) if PAE.row(step).trains)
        if row.begins and row.trains:
            own = PAE.recipe_of(row, 0)
            assert (own.weights, own.fresh_eyes) == ("", False)
    assert needs(PAE, Cell("masks", 1)) == [Cell("stage-3", 1)]
    assert [len(wanted(PAE, [table.name], [0])) for table in PAE.tables] == [11, 10, 5, 21, 10, 10]
    assert len(wanted(PAE, [table.name for table in PAE.tables], range(3))) == 3 * (len(PAE.rows) - 2) + 2 == 107


def test_numbers_of_the_paper():
    paper = {table.name: table.paper for table in PAE.tables}
    assert paper["tower"]["frozen"]["pixels"] == 20.38 and paper["tower"]["adapted"]["grounding"] == 82.3
    assert paper["stages"]["stage-3"] == {"pixels": 6.59, "pixels-sum": 6.59, "grounding": 83.2, "question": 57.7,
                                          "statement": 59.2, "choice": 49.7}
    assert paper["stages"]["stage-1"]["pixels"] == 20.27
    assert paper["masks"]["masks"]["refcocog-test-ciou"] == 63.55
    for name, printed in paper["masks"].items():
        eight = [printed[f"{d}-{s}-ciou"] for d, s in SETS]
        assert sum(eight) / 8 == pytest.approx(printed["avg-ciou"], abs=0.006), name
    assert paper["games-space-invaders"]["space-invaders-baseline"] == {"space-invaders": 152.33}
    for table in PAE.tables:  # the paper's numbers bear out what is called its claim
        for claim in table.claims:
            above, below = (table.paper.get(name, {}).get(claim.column) for name in (claim.above, claim.below))
            if below is not None:
                assert (above < below) if PAE.column(claim.column).lower else (above > below), claim.says


def test_columns_name_figures_that_exist():
    known = {f.name for f in mask_figures([]).figures}
    for column in PAE.columns:
        if column.name.endswith(("-ciou", "-giou", "-box")) and not column.mean:
            assert {column.figure, *(figure for _, figure in column.rungs)} <= known, column.name


@pytest.fixture
def tiny(carried, tmp_path):
    """The quick experiment of two rows, with stand-ins for the shipped parts, shorter still, with its world."""
    short = quick(PAE)
    few = replace(short.table("photos"), rows=("photos-adapted",), columns=("pixels", "pixels-sum", "photos"), paper={},
                  claims=(), controls=())
    rows = [replace(short.row(name), begins=begins, changes=(*short.row(name).changes, "stages.rows.batch=24"))
            for name, begins in (("base", ""), ("photos-adapted", "base"))]
    language = load(shipped.folder("mini")).spec.language  # the stand-in was not made of a part
    columns = (replace(c, limit=2, benchmark=replace(c.benchmark, grid=8)) for c in map(short.column, few.columns))
    short = replace(short, worlds=(replace(short.worlds[0], images=8, val=3),), rows=tuple(rows), tables=(few,),
                    columns=tuple(columns), recordings=(),
                    recipe=replace(short.recipe, model=replace(short.recipe.model, language=language)))
    places = Places(tmp_path, tmp_path / "work", tmp_path / "data")
    data.write(short, places.data)
    return short, places


def same(some, other) -> bool:
    some, other = dict(some.named_parameters()), dict(other.named_parameters())
    assert some.keys() == other.keys()
    return all(p.equal(other[name]) for name, p in some.items())


def test_real_cells(tiny):
    """The first has new eyes before mini's language model; the second adapts them and is asked for pixels of photos:
    three of five teach, the others are asked about."""
    short, places = tiny
    first, second, pictures = Cell("base", 0), Cell("photos-adapted", 0), places.out / "pictures"
    run(short, first, places)
    model, mini = load(places.model(short, first)), load(shipped.folder("mini"))
    assert model.bases["vision"]["id"] == model.spec.vision.checkpoint == "loupe/vision"
    assert not same(model.vision, mini.vision), "another tower"
    name, matrix = next((n, p) for n, p in model.language.named_parameters() if n.endswith("q_proj.weight"))
    trained = dict(mini.language.named_parameters())[name]
    assert 0 < (matrix - trained).norm() < 0.3 * trained.norm(), "two steps from what mini knows"
    write_photos(pictures, 16)
    with pytest.raises(FileError, match="learns from photos"):
        run(short, second, places)
    photos.give(pictures, places.data)
    made = run(short, second, places)
    assert not same(load(places.model(short, second)).vision, model.vision), "the tower learnt"
    lines = made.columns
    assert set(lines) == {"pixels", "pixels-sum", "photos"} and lines["pixels"]["value"] < lines["pixels-sum"]["value"]
    assert lines["pixels"]["count"] == lines["photos"]["count"] == 2
    assert lines["pixels"]["interval"][0] <= lines["pixels"]["value"] <= 174
    sides = {side: reader("pictures")(pictures, side, val=0.4) for side in ("train", "val")}
    assert made.facts["photos"] == {"pictures": len(sides["train"]), "hash": sides["train"].hash}
    answers = sorted((places.of(short, second) / "answers").glob("*.jsonl"))
    assert len(answers) == 2, "both readings are read from the same answers"
    seen = {p.images[0]["path"].rsplit("/")[-1] for p in read_predictions(answers[0])[1]}
    assert answers[0].name.startswith("photos") and len(seen) == 2 and seen <= {r.id for r in sides["val"]}
    data.measure_baselines(short, places.out, places.data, (short.column("pixels"),))
    kept = json.loads((log.folder(places.out, short) / "baselines.json").read_text())["columns"]["pixels"]
    rungs = kept["rungs"]
    assert rungs["flat"] > rungs["16 x 16 blur"] > rungs["32 x 32 blur"] > 0
    assert set(kept["values"]) == {"grey", "mean-colour"} and min(kept["values"].values()) > rungs["flat"]


def test_only_stages_and_towers_that_learn_change():
    """What real cells of two rows cannot show: the frozen arm is told so."""
    for name, learns in (("stage-1", "Frozen"), ("frozen", "Frozen"), ("photos-frozen", "Frozen"), ("adapted", "Full"),
                         ("photos-adapted", "Full"), ("photos-random", "Full")):
        assert tower(name) == learns
    assert length("photos-adapted") == length("photos-random") == length("frozen") == length("photos-frozen")


def write_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(count):
        Pillow.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(folder / f"{k}.png")


def test_photos_are_known_by_their_bytes(tmp_path):
    """A copy under other names is the same photos; others are refused, and too few."""
    write_photos(tmp_path / "one", 12)
    assert "12 photos" in photos.give(tmp_path / "one", tmp_path / "data")
    assert photos.roots(tmp_path / "data") == {"photos": tmp_path / "one"}
    write_photos(tmp_path / "more", 13)
    for folder, says in ((tmp_path / "more", "not the photos"), (tmp_path, "not the photos")):
        with pytest.raises(ConfigError, match=says):
            photos.give(folder, tmp_path / "data")
    write_photos(tmp_path / "few", 3)
    with pytest.raises(ConfigError, match="too few photos"):
        photos.give(tmp_path / "few", tmp_path / "else")
    (tmp_path / "data" / photos.FILE).write_text("{")
    with pytest.raises(FileError, match="cannot read which photos"):
        photos.roots(tmp_path / "data")


def test_photos_are_drawn_as_often_as_the_world(tmp_path):
    """Half of the pictures, and twelve questions each: half of all questions are about the pixels of photos."""
    write_photos(tmp_path / "photos", 16)
    recipe = PAE.recipe_of(PAE.row("photos-adapted"), 0)
    assert photos.drawn(PAE.recipe_of(PAE.row("adapted"), 0), {}, 6000)[1] == {}
    found, facts = photos.drawn(recipe, {"photos": tmp_path / "photos"}, 6000)
    world, own = found.stages[0].mixture.sources
    count = facts["photos"]["pictures"]
    assert 0 < count < 16 and own.weight * count == pytest.approx(world.weight * 6000) == 3000
    assert own.tasks == (("reconstruction", 1.0),) and "reconstruction" not in dict(world.tasks)
    asked = PAE.column("photos").benchmark
    assert asked.options == own.options == {"val": 0.4} and (own.split, asked.split) == ("train", "val")


def test_without_photos_their_table_is_left_out_and_said(tmp_path, capsys):
    assert photos.missing(PAE.columns_of(PAE.row("adapted")), tmp_path) == ""
    assert "--photos DIR" in photos.missing(PAE.columns_of(PAE.row("photos-blind")), tmp_path)
    for argv in (["--table", "photos"], ["--only", "photos-blind-0"]):
        assert cli.main(["reproduce", "pae", *argv, "--out", str(tmp_path / "out")]) == 2
        assert "no photos" in capsys.readouterr().err and not (tmp_path / "out").exists()
