"""Pink's experiment: equal lengths, nothing held out is trained on, the paper's numbers, real cells of two steps."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from loupe.errors import FileError
from loupe.evals import open_questions
from loupe.readers import reader
from loupe.reproduce import data, experiment, log
from loupe.reproduce.cell import Cell, needs, trained, wanted, with_needs
from loupe.reproduce.experiment import quick
from loupe.reproduce.work import Places, _held, _reading, run

PINK = experiment("pink")
MEASURED = [row for row in PINK.rows if PINK.columns_of(row)]
HELD_OUT = {"choice", "statement", "question", "region"}  # tasks of the held-out columns but counting


def test_nothing_held_out_is_trained_on():
    assert {c.benchmark.task for c in PINK.columns if c.held_out} == HELD_OUT | {"counting"}
    assert PINK.column("twice").benchmark.task_options == {"kinds": ("region",), "form": "point", "most": 2}
    for row in PINK.rows:
        for task, options in trained(PINK, row):
            assert task not in HELD_OUT | {"stated"}, "not even in words"
            assert task not in HELD_OUT | {"conversation", "dialogue", "presence", "reading"}, (row.name, task)
            assert '"point"' not in options, (row.name, task, options)


def test_held_out_answers_are_weighed_and_each_can_be_right(tmp_path):
    """All true answers of the first world are among those that are weighed."""
    first = replace(PINK.worlds[0], images=1, val=60)
    data.write(replace(PINK, worlds=(first,)), tmp_path)
    for column in PINK.columns:
        assert column.held_out == (column.benchmark.form == "calibrated") == bool(column.benchmark.among)
        if column.held_out:
            assert len(open_questions(column.benchmark, tmp_path / first.folder, "any")) >= 30, column.name


def test_every_row_starts_from_the_same_parts_for_equal_steps():
    lengths = {True: set(), False: set()}
    for row in MEASURED:
        model = PINK.recipe_of(row, 0).model
        assert model.language.checkpoint == "loupe/language" and "mini" not in (row.begins, PINK.recipe.weights)
        assert model.vision.checkpoint == ("" if "random" in row.name else "loupe/vision")
        assert model.codec == ("pink" if "text" in row.name and row.trains else "xy")
        if row.trains:
            lengths[model.codec == "pink"].add(PINK.updates(row))
            chain = [row]
            while chain[-1].begins:
                chain.append(PINK.row(chain[-1].begins))
            before = [each for each in chain if each.once]
            starts = ["start", "start"] if model.codec == "pink" else ["start"]
            assert [each.name.split("-")[0] for each in before] == [*starts, "project"]
            assert all(each.shared for each in before)
            assert {each.name.endswith("-random") for each in before} == {"random" in row.name}
            assert before[0].name != "start-captions" or row.name == "no-vg"
    assert [len(found) for found in lengths.values()] == [1, 1]


def test_which_tasks_each_row_learns():
    def learnt(name):
        return {task for task, _ in trained(PINK, PINK.row(name))}

    assert learnt("no-vg") == {"caption"}
    assert learnt("baseline") == {"caption", "grounding", "description"}
    assert learnt("r") - learnt("baseline") == {"relation", "relation-objects"}
    assert learnt("rs") - learnt("r") == {"coarse-position"} and learnt("rsc") - learnt("rs") == {"counting"}
    assert learnt("rscd") - learnt("rsc") == {"detection"} and learnt("o365") == learnt("rscd")
    pairs = PINK.recipe_of(PINK.row("o365"), 0).stages[0].mixture.sources[-1]
    assert {name for name, _ in pairs.tasks} == learnt("rscd") - {"caption", "relation", "relation-objects"}
    assert needs(PINK, Cell("o365", 2)) == [Cell("start", 0), Cell("pairs", 2)]


def test_numbers_of_the_paper():
    """Tables 1, 2b and 2c, some of each corner."""
    paper = {table.name: table.paper for table in PINK.tables}
    assert paper["data"]["baseline"] == {"choice": 44.6, "statement": 65.6, "question": 58.5, "grounding": 55.0,
                                         "local": 0.0, "twice": 0.2}
    assert paper["data"]["no-vg"] == {"choice": 43.1, "statement": 62.8, "question": 58.3}
    assert paper["data"]["o365"]["grounding"] == 77.0 and paper["data"]["o365-all"]["local"] == 52.1
    assert paper["tower"]["full"]["grounding"] == 0.05 == paper["tower-text"]["text-full"]["grounding"]
    assert paper["tower"]["rscd"] == paper["data"]["rscd"] == paper["tower-text"]["text-adapter"]
    assert paper["finetune"]["fine-o365"]["refcocog-val"] == 83.9 and paper["finetune"]["o365"]["refcoco+-val"] == 65.6
    for table in PINK.tables:  # the paper's numbers bear out what is called its claim
        for claim in table.claims:
            assert table.paper[claim.above][claim.column] > table.paper[claim.below][claim.column], claim.says


def test_how_many_cells():
    assert [len(wanted(PINK, [table.name], [0])) for table in PINK.tables] == [16, 10, 12, 12]
    once = sum(row.once for row in PINK.rows)
    assert once == 7
    assert len(wanted(PINK, [table.name for table in PINK.tables], range(3))) == once + 3 * (len(PINK.rows) - once)
    assert [c.name for c in with_needs(PINK, Cell("no-vg", 2))] == ["project-0", "start-captions-0", "no-vg-2"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The quick experiment, shorter still, with its worlds."""
    short = quick(PINK)
    first, more = short.worlds
    short = replace(short, worlds=(replace(first, images=10, val=6), replace(more, images=6, val=2)),
                    columns=tuple(replace(c, limit=2) for c in short.columns),
                    tables=(replace(short.tables[0], columns=("local", "grounding")),))
    out = tmp_path_factory.mktemp("pink")
    places = Places(out, out / "work", out / "data")
    data.write(short, places.data)
    return short, places


def test_a_real_cell_begins_with_another_and_is_measured(tiny):
    short, places = tiny
    with pytest.raises(FileError, match="needs another that is not there.*start-0"):
        run(short, Cell("rscd", 0), places)
    run(short, Cell("project", 0), places)
    run(short, Cell("start", 0), places)
    made = run(short, Cell("rscd", 0), places)
    assert made.facts["stages"]["rows"]["step"] == 2 and set(made.columns) == {"local", "grounding"}
    assert made.cost > 0 and made.facts["parts"]["vision"].startswith("loupe/vision ")
    assert log.finished(places.out, short, Cell("rscd", 0))
    folder = places.of(short, Cell("rscd", 0))
    assert not (folder / "run" / "checkpoints").exists()
    assert "start-0" in json.loads((folder / "run" / "recipe.json").read_text())["weights"]
    again = run(short, Cell("rscd", 0), places)
    assert again.columns == made.columns, "nothing is done twice"


def test_pairs_are_written_and_read(tiny):
    """A quarter of the pictures drawn are the pairs': w n / (w n + 1.25 x 10); without a pair there is no source."""
    short, places = tiny
    done = run(short, Cell("pairs", 0), places)
    assert done.facts["described"] > 0 and not done.columns
    for name in ("o365-all", "o365"):
        row, where = short.row(name), data.roots(short, places.data)
        recipe, said = _reading(short, Cell(name, 0), row.reads, short.recipe_of(row, 0), places, where)
        named = [s for s in recipe.stages[0].mixture.sources if s.name == "objects365"]
        assert len(named) == (said["kept"] > 0) == ("pairs" in where) and (said["kept"] or name == "o365")
        if named:
            assert len(reader("records")(where["pairs"], "train")) == said["pictures"]
            drawn = named[0].weight * said["pictures"]
            assert drawn / (drawn + 1.25 * 10) == pytest.approx(0.25)
    assert done.facts["described"] >= said["kept"]


def test_text_codec_goes_on_from_location_tokens(tiny):
    short, places = tiny
    run(short, Cell("start-text", 0), places)
    run(short, Cell("text-adapter", 0), places)
    manifest = json.loads((places.model(short, Cell("text-adapter", 0)) / "manifest.json").read_text())
    assert manifest["codec"]["name"] == "pink" and manifest["spec"]["vision"]["checkpoint"] == "loupe/vision"


def test_a_second_process_waits_for_the_first(tiny):
    folder = tiny[1].work / "waiting"
    folder.mkdir(parents=True)
    entered = threading.Event()

    def second():
        with _held(folder):
            entered.set()

    with _held(folder):
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.2)
    other.join(5)
    assert entered.is_set()
