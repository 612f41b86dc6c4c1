"""The benchmark of the shared look, at its smallest: what it times is what a run does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "bootstrap_ratio.py"


@pytest.fixture
def bench(monkeypatch):
    spec = importlib.util.spec_from_file_location("bootstrap_ratio", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bootstrap_ratio", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", [[], ["--size", "96", "--width", "2"]], ids=["as it is", "larger and untrained"])
def test_both_paths_ask_the_same(bench, standin_parts, size, monkeypatch, capsys):
    looks, outcomes, ask, see = [], [], bench.ask, bench.see
    monkeypatch.setattr(bench, "see", lambda vlm, some, *rest: looks.append(len(some)) or see(vlm, some, *rest))
    monkeypatch.setattr(bench, "ask", lambda *args: outcomes.append((args[2].margin, ask(*args))))
    row, = bench.main(["--model", str(standin_parts / "mini"), "--boxes", "2", "--pictures", "1", "--rounds", "1",
                       "--tokens", "3", *size])
    assert set(looks) == {2} and len(looks) % 2 == 0  # plain: two descriptions, two groundings, a look each
    assert {margin for margin, _ in outcomes} == {False, True}
    for margin, (outcome,) in outcomes:
        assert [p.candidates[0].text for p in outcome.pairs] == list(bench.WORDS[:2])
        assert all((p.candidates[0].margin is not None) == margin for p in outcome.pairs)
    assert row.boxes == 2 and len(row.milliseconds) == 3 and min(row.milliseconds) > 0
    assert row.bounds[0] > row.bounds[1] > 1  # margins cost operations that the plain path does not have
    said = capsys.readouterr().out
    assert "alone" in said and "with margins" in said and str(row) in said


def test_more_boxes_than_there_are_pictures_of(bench, standin_parts):
    with pytest.raises(SystemExit, match="99 boxes"):
        bench.main(["--model", str(standin_parts / "mini"), "--boxes", "99", "--pictures", "1"])
