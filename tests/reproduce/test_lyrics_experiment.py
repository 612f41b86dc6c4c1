"""Lyrics' experiment: the paper's numbers, equal starts, what each row differs in, real cells of two steps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loupe.evals.shots import SEEDS
from loupe.models.tuner import Frozen, Full, LoRA
from loupe.reproduce import data, experiment
from loupe.reproduce.cell import Cell, made, needs, trained, wanted
from loupe.reproduce.experiment import quick
from loupe.reproduce.work import Places, run

LYRICS = experiment("lyrics")
MODULES = {"no-tower": ("tower",), "no-detector": ("detector",), "no-segmenter": ("segmenter",),
           "no-refiner": ("refiner",)}


def test_numbers_of_the_paper():
    """Tables 2, 3, 5 and 6, some of each corner; what is called a claim is borne out by them."""
    paper = {table.name: table.paper for table in LYRICS.tables}
    assert paper["modules"]["no-refiner"] == {"question": 77.2, "refcocog-test": 83.25, "talk": 73.3, "presence": 56.8}
    assert paper["modules"]["no-segmenter"]["presence"] == 59.2
    assert paper["shots"]["shots"]["question-4"] == 86.1 and paper["shots"]["shots"]["refcocog-test-1"] == 91.39
    assert paper["results"]["lyrics"]["caption"] == 121.1 and paper["results"]["shikra"]["refcoco-testB"] == 81.81
    for table in LYRICS.tables:
        for claim in table.claims:
            if table.paper:
                above = table.paper[claim.above][claim.column]
                assert above > table.paper[claim.below][claim.against or claim.column], claim.says


def test_what_each_row_differs_in():
    def stage(name):
        return LYRICS.recipe_of(LYRICS.row(name), 0).stages[0]

    for name, modules in MODULES.items():
        row = LYRICS.row(name)
        assert row.without == modules and row.begins == "lyrics" and row.told and not row.trains
    assert [stage(name).objective for name in ("align", "align-few", "lyrics")] == ["mqformer", "mqformer", "language"]
    assert stage("align-few").steps < stage("align").steps
    assert needs(LYRICS, Cell("few", 2)) == [Cell("align-few", 2)] and not needs(LYRICS, Cell("none", 2))
    tuned = {name: stage(name).tune for name in ("frozen", "lora", "full", "lyrics")}
    assert tuned["frozen"].language == Frozen() and isinstance(tuned["lora"].language, LoRA)
    assert tuned["full"].vision == Full() and tuned["lyrics"].vision == Frozen()
    lengths = {LYRICS.updates(row) for row in LYRICS.rows if row.trains and not row.shared}
    assert len(lengths) == 1, "equal steps"
    asked = {task for task, _ in trained(LYRICS, LYRICS.row("lyrics"))}
    assert {"caption", "question", "grounding", "description", "presence", "conversation", "choice"} <= asked


def test_modules_and_words_are_part_of_what_a_cell_is():
    names = ("lyrics", "untold", *MODULES, "blind")
    assert len({made(LYRICS, Cell(name, 0)) for name in names}) == len(names)
    plain = replace(LYRICS.row("lyrics"), told=False)
    other = replace(LYRICS, rows=tuple(plain if row.name == "lyrics" else row for row in LYRICS.rows))
    assert made(other, Cell("lyrics", 0)) != made(LYRICS, Cell("lyrics", 0))
    assert len(wanted(LYRICS, [t.name for t in LYRICS.tables], [0])) == len(LYRICS.rows)


def test_few_shot_columns():
    for count in (0, 1, 4):
        column = LYRICS.column(f"question-{count}")
        assert column.benchmark.shots == count and column.measured == "shots" and column.benchmark.fit == "train"
    assert SEEDS == 5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The quick experiment, shorter still, with its world."""
    short = quick(LYRICS)
    short = replace(short, worlds=(replace(short.worlds[0], images=12, val=6),),
                    columns=tuple(replace(c, limit=2) for c in short.columns),
                    tables=(replace(short.tables[0], columns=("presence",)),
                            replace(short.table("shots"), columns=("question-1",), claims=(), paper={})))
    out = tmp_path_factory.mktemp("lyrics")
    places = Places(out, out / "work", out / "data")
    data.write(short, places.data)
    return short, places


def test_real_cells(tiny):
    """Stage one, stage two, a module that is shown a grey picture, an example in context."""
    short, places = tiny
    for name in ("align", "lyrics"):
        done = run(short, Cell(name, 0), places)
        assert done.facts["stages"]["rows"]["step"] == 2
    assert any(places.refined.iterdir()), "findings are kept for all cells"
    assert set(done.columns) == {"presence"}
    blank = run(short, Cell("no-refiner", 0), places)
    few = run(short, Cell("shots", 0), places)
    assert set(blank.columns) == {"presence"} and set(few.columns) == {"question-1"}
    assert few.columns["question-1"]["count"] == 2
    answers = sorted(p.name for p in (places.of(short, Cell("shots", 0)) / "answers").glob("*~*.jsonl"))
    assert len(answers) == SEEDS
