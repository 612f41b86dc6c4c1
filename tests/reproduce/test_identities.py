"""Identities of cells and columns are what logs hang on: settings added later must not move them."""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Mixture, Source
from loupe.evals.spec import Benchmark
from loupe.models.spec import LanguageSpec, ModelSpec, VisionSpec
from loupe.reproduce.cell import Cell, asked, made
from loupe.reproduce.experiment import Bootstrap, Column, Experiment, Pairs, Row, Table, World
from loupe.training.recipe import Optim, Recipe, Stage

RECIPE = Recipe("made-up", ModelSpec(vision=VisionSpec("tower"), language=LanguageSpec("words")), (
    Stage("rows", Mixture((Source("world", "records", "records", "train", (("grounding", 1.0),)),)), Optim(1e-3),
          epochs=None, steps=7),))
COLUMN = Column("hits", "Hits", "is it right", Benchmark("hits", "records", "records", "val", draw=1), limit=9)
MADE_UP = Experiment(
    "made-up", "Made up", "nowhere", RECIPE, (World("world", 8, 4), World("more", 3, 1, seed=1)), (COLUMN,),
    (Row("start", "start", ("stages.rows.steps=2",), shared=True), Row("plain", "plain", begins="start"),
     Row("pairs", "pairs", begins="plain", writes=Bootstrap("objects365", "more/objects365", 8)),
     Row("read", "read", ("stages.rows.optim.lr=2e-3",), begins="start", reads=Pairs("pairs", "world"))),
    (Table("one", "one", ("plain", "read"), ("hits",)),))

PINNED = ["5c3e05357d7e75a4", "6c72fda39e7ec883", "1e887b610891cc91", "d10762a15264d03f"]
ASKED = "0ef67685acf8124c"


def test_identities_stay_what_they_were():
    """Written down before columns had more than questions; a change here makes every log of every paper void."""
    assert [made(MADE_UP, Cell(row.name, 1)) for row in MADE_UP.rows] == PINNED
    assert asked(COLUMN, MADE_UP) == ASKED


def test_what_is_measured_otherwise_is_another_column():
    known = {asked(each, MADE_UP) for each in (
        COLUMN, replace(COLUMN, figure="x"), replace(COLUMN, limit=8), replace(COLUMN, scale=100.0),
        replace(COLUMN, measured="reward"))}
    assert len(known) == 5
    shown_otherwise = replace(COLUMN, says="other", about="other", lower=True, share=False, held_out=True,
                              rungs=(("a", "b"),))
    assert asked(shown_otherwise, MADE_UP) == ASKED
