"""The page is what the logs give; logs of other settings do not count; the committed page is up to date."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_paper import HITS, PAPER, write

from loupe.errors import ConfigError, FileError
from loupe.reproduce import EXPERIMENTS, experiment, log
from loupe.reproduce.cell import Cell, asked, made
from loupe.reproduce.experiment import Claim, Row, Table, quick
from loupe.reproduce.page import Results, figures, page

DOCS = Path(__file__).resolve().parents[2] / "docs" / "papers"


def results(out: Path, of=PAPER) -> Results:
    return Results(of, log.known(out, of), log.baselines(out, of))


def filled(out: Path) -> None:
    for seed in range(3):
        write(out, PAPER, Cell("plain", seed), 0.10 + 0.01 * seed, 0.30)
        write(out, PAPER, Cell("better", seed), 0.80 + 0.01 * seed, 0.20 + 0.001 * seed, parts={"vision": "tower 1"})
    write(out, PAPER, Cell("pairs", 0), described=1000, kept=490, **{"kept share": 0.49})
    values = {"majority": 0.12, "other": 0.05}
    log.write_baselines(out, PAPER, {"hits": {"asked": asked(HITS, PAPER), "values": values}})


def row_of(text: str, begins: str) -> list[str]:
    return [cell.strip() for cell in next(x for x in text.splitlines() if x.startswith(f"| {begins}")).split("|")[1:-1]]


def test_paper_and_ours_side_by_side(tmp_path):
    filled(tmp_path)
    text = page(results(tmp_path))
    assert row_of(text, "Better") == ["Better", "20.5", "**81.0** [72.2, 87.5]", "0.1", "**0.201** [0.199, 0.203]"]
    assert row_of(text, "Plain")[1:4] == ["10", "**11.0** [6.3, 18.6]", "-"]
    assert row_of(text, "*blind* (control)")[2] == "-"
    assert row_of(text, "best baseline")[2] == "12.0 (majority)"
    assert row_of(text, "More is better")[1] == "**agrees**"
    assert row_of(text, "and nearer")[1:] == ["**agrees**", "-0.099 [-0.101, -0.097], **as said**",
                                              "0.201 [0.199, 0.203] against 0.300 [0.300, 0.300]; as was to be hoped"]
    assert "Of 2 claims: 2 agrees. Seed by seed 2 lie as the paper says, 0 the other way, 0 neither." in text
    assert "Of 2 claims: 2 agrees." in text and "490 of 1,000 described boxes kept (49.0%" in text
    assert "Not measured yet with seeds 0 to 2: 3 of 9 cells" in text


def test_nothing_measured():
    text = page(Results(PAPER, {}, {}))
    assert "Of 2 claims: 2 not measured." in text and "Nothing has been measured yet" in text


def test_one_seed_is_said_and_judges_nothing(tmp_path):
    for name, hits in (("plain", 0.1), ("better", 0.9)):
        write(tmp_path, PAPER, Cell(name, 0), hits)
    text = page(results(tmp_path))
    assert "(1 of 3)" in row_of(text, "Better")[2] and row_of(text, "More is better")[1] == "**cannot tell**"


def test_logs_of_other_settings_do_not_count(tmp_path):
    filled(tmp_path)
    other = replace(PAPER, recipe=PAPER.recipe.change("stages.talk.optim.lr=1e-4"))
    assert not log.known(tmp_path, other)
    fewer = replace(PAPER, columns=(replace(HITS, limit=7), PAPER.columns[1]))
    assert results(tmp_path, fewer).values("plain", fewer.column("hits")) == {}, "other questions"
    assert len(results(tmp_path, fewer).values("plain", fewer.column("error"))) == 3
    assert not log.finished(tmp_path, fewer, Cell("plain", 0)) and log.finished(tmp_path, PAPER, Cell("plain", 0))
    assert not log.baselines(tmp_path, fewer)


def test_what_a_cell_is(tmp_path):
    """Its settings, the data and what it begins with; not its label, nor a setting at its default."""
    one = made(PAPER, Cell("better", 0))
    assert one != made(PAPER, Cell("better", 1)) and one == made(PAPER, Cell("better", 0))
    relabelled = replace(PAPER, rows=tuple(replace(row, says="x") for row in PAPER.rows))
    assert one == made(relabelled, Cell("better", 0))
    longer = tuple(replace(r, changes=("stages.talk.steps=7",)) if r.name == "start" else r for r in PAPER.rows)
    assert one != made(replace(PAPER, rows=longer), Cell("better", 0))
    assert one != made(replace(PAPER, worlds=(replace(PAPER.worlds[0], images=9),)), Cell("better", 0))


def test_damaged_logs_are_said(tmp_path):
    where = log.path(tmp_path, PAPER, Cell("plain", 0))
    write(tmp_path, PAPER, Cell("plain", 0))
    where.write_text(where.read_text()[:40])
    with pytest.raises(FileError, match="delete it; its cell is done again"):
        log.known(tmp_path, PAPER)
    where.write_text("[]")
    with pytest.raises(FileError, match="no log of a reproduction"):
        log.known(tmp_path, PAPER)
    where.write_text(json.dumps({"loupe": "reproduction", "version": 1, "row": "plain"}))
    with pytest.raises(FileError, match="lacks something"):
        log.known(tmp_path, PAPER)


def test_experiments_check_themselves():
    with pytest.raises(ConfigError, match="different lengths"):
        replace(PAPER, rows=(*PAPER.rows, Row("short", "s", ("stages.talk.steps=3",))),
                tables=(Table("t", "t", ("plain", "short"), ("hits",)),))
    with pytest.raises(ConfigError, match="does not stand before it"):
        replace(PAPER, rows=(Row("a", "a", begins="b"), Row("b", "b")), tables=())
    with pytest.raises(ConfigError, match="unknown column"):
        replace(PAPER, tables=(Table("t", "t", ("plain",), (), claims=(Claim("c", "hitz", "plain", "better"),)),))
    with pytest.raises(ConfigError, match="unknown paper"):
        experiment("pinc")


def test_tables_by_the_beginning_of_their_name():
    pink = experiment("pink")
    assert [t.name for t in pink.tables_of("tower")] == ["tower", "tower-text"]
    assert [t.name for t in pink.tables_of("tower-text")] == ["tower-text"]
    with pytest.raises(ConfigError, match="did you mean 'tower'"):
        pink.tables_of("towr")


def test_other_questions_under_one_name_are_said(tmp_path):
    filled(tmp_path)
    assert "not all cells" not in page(results(tmp_path))
    where = log.path(tmp_path, PAPER, Cell("plain", 1))
    changed = log.read(where)
    changed.columns["hits"]["questions"] = "others"
    log.write(where, changed)
    assert "**Hits: not all cells were asked the same questions.**" in page(results(tmp_path))


def test_quick_logs_lie_apart(tmp_path):
    short = quick(PAPER)
    assert log.folder(tmp_path, short) != log.folder(tmp_path, PAPER)
    assert {stage.steps for row in short.rows for stage in short.recipe_of(row, 0).stages} == {2}
    assert made(short, Cell("plain", 0)) != made(PAPER, Cell("plain", 0))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_committed_pages_are_what_the_logs_give(name):
    """Otherwise: loupe reproduce NAME --out docs/papers --report"""
    found = results(DOCS, experiment(name))
    assert page(found) == (DOCS / f"{name}.md").read_text("utf-8")
    assert figures(found) == {p.name: p.read_text("utf-8") for p in DOCS.glob(f"{name}.*.svg")}
    logs = list(log.folder(DOCS, experiment(name)).glob("*.json"))
    assert all(path.stat().st_size < 20_000 for path in logs)
