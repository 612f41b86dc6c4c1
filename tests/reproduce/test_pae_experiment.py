"""PAE-LaMM's experiment: equal lengths from equal starts, who is asked for pixels, the paper's numbers, real cells."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loupe.evals.metrics.dense import masks as mask_figures
from loupe.models.checkpoint import load
from loupe.reproduce import data, experiment, log
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
    assert [len(wanted(PAE, [table.name], [0])) for table in PAE.tables] == [11, 5, 21, 10, 10]
    assert len(wanted(PAE, [table.name for table in PAE.tables], range(3))) == 3 * len(PAE.rows) == 96


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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The quick experiment, shorter still, with its world."""
    short = quick(PAE)
    short = replace(short, worlds=(replace(short.worlds[0], images=30, val=6),),
                    columns=tuple(replace(c, limit=2) for c in short.columns),
                    tables=(replace(short.table("stages"), rows=("stage-1",), columns=("pixels", "pixels-sum"),
                                    paper={}, claims=(), controls=()),))
    out = tmp_path_factory.mktemp("pae")
    places = Places(out, out / "work", out / "data")
    data.write(short, places.data)
    return short, places


def test_real_cells(tiny):
    """The first has new eyes before mini's language model; the second goes on with them and is asked for pixels."""
    short, places = tiny
    run(short, Cell("base", 0), places)
    model = load(places.model(short, Cell("base", 0)))
    mini, eyes = load_shipped("mini"), load_shipped("mini").vision
    assert model.bases["vision"]["id"] == model.spec.vision.checkpoint == "loupe/vision"
    assert mini.spec.vision.checkpoint == "loupe/tower"
    name, first = next((n, p) for n, p in model.vision.named_parameters() if p.ndim == 2)
    assert not first.equal(dict(eyes.named_parameters())[name]), "another tower"
    name, matrix = next((n, p) for n, p in model.language.named_parameters() if n.endswith("q_proj.weight"))
    trained = dict(mini.language.named_parameters())[name]
    assert (matrix - trained).norm() < 0.3 * trained.norm(), "two steps from what mini knows"
    made = run(short, Cell("stage-1", 0), places)
    lines = made.columns
    assert set(lines) == {"pixels", "pixels-sum"} and lines["pixels"]["value"] < lines["pixels-sum"]["value"]
    assert lines["pixels"]["count"] == 2 and lines["pixels"]["interval"][0] <= lines["pixels"]["value"] <= 174
    answers = list((places.of(short, Cell("stage-1", 0)) / "answers").glob("*.jsonl"))
    assert len(answers) == 1, "both are read from the same answers"
    data.measure_baselines(short, places.out, places.data, (short.column("pixels"),))
    kept = json.loads((log.folder(places.out, short) / "baselines.json").read_text())["columns"]["pixels"]
    rungs = kept["rungs"]
    assert rungs["flat"] > rungs["16 x 16 blur"] > rungs["32 x 32 blur"] > 0 and set(kept["values"]) == {"mean colour"}
    assert kept["values"]["mean colour"] > rungs["flat"]


def load_shipped(name: str):
    from loupe import shipped

    return load(shipped.folder(name))
