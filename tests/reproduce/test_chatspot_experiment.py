"""ChatSpot's experiment: what rows learn, the paper's numbers, found boxes, a sloppy hand, real cells of two steps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loupe.evals.jitter import SEEDS
from loupe.reproduce import data, experiment, log
from loupe.reproduce.cell import Cell, needs, trained, wanted
from loupe.reproduce.experiment import quick
from loupe.reproduce.measuring import MEASUREMENTS
from loupe.reproduce.work import Places, run

SPOT = experiment("chatspot")
REGIONAL = {"region", "reading", "region-question", "description"}
WHOLE = {"caption", "question", "inventory", "detection"}


def learnt(name: str) -> set[str]:
    return {task for task, _ in trained(SPOT, SPOT.row(name))}


def test_which_tasks_each_row_learns():
    """Without region-level data nothing is said of a region but RefCOCO's descriptions."""
    assert learnt("start") == WHOLE
    assert learnt("chatspot") - learnt("start") == REGIONAL | {"grounding", "dialogue"}
    assert learnt("images") - learnt("start") == {"grounding", "description"}
    assert learnt("llava") - learnt("start") == {"dialogue", "presence", "choice", "grounding", "description"}
    assert learnt("chatspot-665k") == learnt("chatspot") | learnt("llava")
    assert learnt("random") == learnt("chatspot") and learnt("random-665k") == learnt("chatspot-665k")
    assert SPOT.recipe_of(SPOT.row("random"), 0).model.vision.checkpoint == ""


def test_stages_train_what_section_4_says():
    from loupe.models.tuner import Frozen, Full

    first, second = (SPOT.recipe_of(SPOT.row(name), 0).stages[0].tune for name in ("start", "chatspot"))
    assert all(isinstance(tune.vision, Frozen) and isinstance(tune.bridge, Full) for tune in (first, second))
    assert isinstance(first.language, Frozen) and isinstance(second.language, Full)
    assert len({SPOT.updates(row) for row in SPOT.rows if row.trains and not row.shared}) == 1


def test_numbers_of_the_paper():
    """Tables 1 to 4; they bear out what is called the paper's claim."""
    paper = {table.name: table.paper for table in SPOT.tables}
    assert list(paper["regions"]["chatspot"].values()) == [64.5, 48.8, 48.8, 48.8, 35.1, 56.0]
    assert list(paper["regions-found"]["chatspot"].values()) == [39.6, 50.2, 44.1, 21.6, 45.8]
    assert paper["questions"]["chatspot"] == {"text": 31.8, "vizwiz": 63.0, "pointqa-box": 68.2, "pointqa-point": 62.0}
    assert list(paper["refcoco"]["chatspot"].values()) == [88.1, 91.4, 83.9]
    assert paper["general"]["llava"] == {"mmbench-dev": 64.3, "mmbench-test": 59.5, "mm-vet": 30.5, "pope": 83.3}
    printed = {column: value for table in ("regions", "regions-found", "questions", "refcoco")
               for column, value in paper[table]["chatspot"].items()}
    for table in SPOT.tables:
        for claim in table.claims:
            both = [table.paper.get(row, {}).get(column, printed.get(column) if row == "chatspot" else None)
                    for row, column in ((claim.above, claim.column), (claim.below, claim.against or claim.column))]
            if None in both:
                assert "no number" in claim.says or "prints no number" in claim.says, claim.says
            else:
                assert both[0] > both[1], claim.says


def test_how_many_cells_and_what_they_need():
    assert len(wanted(SPOT, [table.name for table in SPOT.tables], range(3))) == 3 * len(SPOT.rows) == 33
    assert needs(SPOT, Cell("sloppy", 1)) == [Cell("chatspot", 1)] and not SPOT.row("sloppy").trains
    assert {c.name for c in SPOT.columns_of(SPOT.row("sloppy"))} == set(SPOT.table("hand").columns)


def test_figure_5_asks_the_same_questions_at_every_amount():
    for hand in ("coco", "coco-point", "vizwiz"):
        columns = [c for c in SPOT.columns if c.name.rpartition("-")[0] == hand and c.name[-1].isdigit()]
        assert [c.benchmark.jitter for c in columns] == [0.0, 0.05, 0.1, 0.2, 0.3]
        still = [json.dumps(replace(c.benchmark, jitter=0.0).spec(), sort_keys=True) for c in columns]
        assert len(set(still)) == 1
        assert {c.measured for c in columns[1:]} == {"jitter"} <= set(MEASUREMENTS) and not columns[0].measured
    curves = {curve.says: [column for _, column in curve.points] for curve in SPOT.table("hand").curves}
    assert list(curves) == ["COCO", "COCO, points", "VizWiz"] and curves["VizWiz"][0] == "vizwiz-0"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The quick experiment, shorter still, with its worlds."""
    short = quick(SPOT)
    first, judged = short.worlds
    tables = {table.name: table for table in short.tables}
    hand = replace(tables["hand"], columns=("coco-0", "coco-0.1"), claims=tables["hand"].claims[:1], curves=())
    short = replace(short, worlds=(replace(first, images=12, val=8), replace(judged, images=4, val=4)),
                    columns=tuple(replace(c, limit=2) for c in short.columns),
                    tables=(tables["regions"], tables["regions-found"], tables["general"], hand))
    out = tmp_path_factory.mktemp("spot")
    places = Places(out, out / "work", out / "data")
    data.write(short, places.data)
    return short, places


def test_boxes_are_found_once(tiny):
    short, places = tiny
    path = places.data / "spots" / "coco" / "boxes_val2017.json"
    found = json.loads(path.read_text())
    assert found and {"image_id", "bbox", "score"} <= found[0].keys()
    before = path.stat().st_mtime_ns
    data.write(short, places.data)
    assert path.stat().st_mtime_ns == before


def test_real_cells(tiny):
    short, places = tiny
    run(short, Cell("start", 0), places)
    made = run(short, Cell("chatspot", 0), places)
    assert {c.name for c in short.columns_of(short.row("chatspot"))} == set(made.columns) >= {"accuracy", "found-ap"}
    line = made.columns
    assert line["ap"]["value"] == line["ap50"]["value"] == line["ap75"]["value"], "given boxes"
    assert line["ap"]["questions"] == line["accuracy"]["questions"] != line["found-ap"]["questions"]
    answers = list((places.of(short, Cell("chatspot", 0)) / "answers").glob("*.jsonl"))
    assert len(answers) == 2, "figures of one benchmark share its answers"
    again = run(short, Cell("sloppy", 0), places)
    assert set(again.columns) == {"coco-0", "coco-0.1"} and not again.facts
    files = {p.name.partition("-")[0] for p in (places.of(short, Cell("sloppy", 0)) / "answers").glob("*~*.jsonl")}
    assert files == {"coco"} and log.finished(places.out, short, Cell("sloppy", 0))
    assert len(list((places.of(short, Cell("sloppy", 0)) / "answers").glob("*~*.jsonl"))) == SEEDS
    general = run(short, Cell("chatspot-665k", 0), places)
    assert set(general.columns) == {"mmbench-dev", "mmbench-test", "mm-vet", "pope"}
    assert general.columns["mmbench-dev"]["questions"] != general.columns["mmbench-test"]["questions"]
