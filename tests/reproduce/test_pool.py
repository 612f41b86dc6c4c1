"""Cells in order, two at a time, gone on with after a kill; what fails takes down only what needs it."""

from __future__ import annotations

import pytest
from small_paper import PAPER, Runner, write

from loupe.reproduce import pool
from loupe.reproduce.cell import Cell, cell, wanted, with_needs

CELLS = wanted(PAPER, ["one"], [0, 1])


def run(runner: Runner, workers: int = 2, **options):
    return pool.run(PAPER, CELLS, runner, runner.finished, workers, pause=lambda: None, **options)


def test_needs_come_first_and_two_run_at_once(tmp_path):
    runner = Runner(tmp_path)
    outcome = run(runner)
    assert len(CELLS) == 10 and sorted(outcome.done) == sorted(CELLS) and not outcome.failed and not outcome.left
    for before, behind in (("start", "plain"), ("plain", "pairs"), ("pairs", "better"), ("plain", "blind")):
        assert runner.started.index(f"{before}-1") < runner.started.index(f"{behind}-1")
    assert runner.most == 2


def test_finished_cells_are_not_done_again(tmp_path):
    for each in CELLS[:4]:
        write(tmp_path, PAPER, each)
    runner = Runner(tmp_path)
    outcome = run(runner, workers=1)
    assert set(runner.started) == {each.name for each in CELLS[4:]} and len(outcome.done) == 10
    assert runner.most == 1


def test_a_killed_cell_is_started_again(tmp_path):
    runner = Runner(tmp_path, {"plain-0": [-9, -15]})
    outcome = run(runner)
    assert runner.started.count("plain-0") == 3 and not outcome.failed and len(outcome.done) == 10


def test_a_failure_is_no_kill_and_leaves_what_needs_it(tmp_path):
    runner = Runner(tmp_path, {"plain-1": [2], "start-0": [-9, -9, -9]})
    outcome = run(runner, reason=lambda each: f"{each.name} said so")
    assert runner.started.count("plain-1") == 1 and runner.started.count("start-0") == pool.STARTS
    assert outcome.failed == {Cell("plain", 1): "plain-1 said so", Cell("start", 0): "start-0 said so"}
    assert {each.name for each in outcome.left} == {"pairs-1", "better-1", "blind-1", "plain-0", "pairs-0", "better-0",
                                                    "blind-0"}
    assert outcome.done == [Cell("start", 1)]


def test_a_process_that_says_done_without_a_log_has_failed(tmp_path):
    runner = Runner(tmp_path)
    outcome = pool.run(PAPER, CELLS[:1], runner, lambda each: False, pause=lambda: None)
    assert outcome.failed == {CELLS[0]: "ended with status 0"}


def test_ctrl_c_stops_the_running_ones(tmp_path):
    runner = Runner(tmp_path, looks=9)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.run(PAPER, CELLS, runner, runner.finished, pause=interrupted)
    assert runner.alive and all(process.stopped for process in runner.alive)


def test_names_of_cells():
    assert cell(PAPER, "better-12") == Cell("better", 12)
    assert [c.name for c in with_needs(PAPER, Cell("better", 3))] == ["start-3", "plain-3", "pairs-3", "better-3"]
    for wrong, said in (("better", "names no cell"), ("bether-0", "did you mean 'better'")):
        with pytest.raises(Exception, match=said):
            cell(PAPER, wrong)
