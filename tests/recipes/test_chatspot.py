"""ChatSpot's recipes: the printed numbers, and a run of each on the world, whose folders stand for the downloads."""

import math

import pytest
from test_recipes import QUIET, checkpoints, shortened  # noqa: F401 - checkpoints is a fixture

from loupe import world
from loupe.config import from_json, to_json
from loupe.data.draw import open_mixture
from loupe.data.mixture import Mixture
from loupe.evals import benchmark, open_questions
from loupe.models.checkpoint import load
from loupe.models.tuner import Frozen, Full
from loupe.recipes import recipe
from loupe.recipes.chatspot import FORMS, HELD_OUT, IMAGE_LEVEL, MGVLID, PUBLISHED, REGION_LEVEL, TOTALS
from loupe.regions import Box, Point, Polygon
from loupe.sample import Regions
from loupe.training.run import train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("chatspot") / "data"
    world.write(out, 24, seed=6, val=6, world="mini", also="chatspot")
    return out


def test_numbers_of_section_4():
    align, tune = recipe("chatspot").stages
    assert (align.optim.lr, tune.optim.lr, align.epochs, tune.epochs) == (2e-3, 2e-5, 3, 3)
    assert (align.batch, tune.batch) == (128, 128)
    model = recipe("chatspot").model
    assert (model.bridge.kind, model.language.max_length, model.codec) == ("linear", 2048, "chatspot")
    assert any("§3.1 says a simple MLP" in note for note in recipe("chatspot").notes)
    assert align.tune.tokens == "rows" and isinstance(align.tune.language, Frozen)
    assert isinstance(tune.tune.language, Full) and isinstance(tune.tune.vision, Frozen)
    assert isinstance(align.tune.bridge, Full) and isinstance(tune.tune.bridge, Full)


def test_mgvlid_holds_the_eleven_sources():
    """§3.3 and Fig. 3: six image-level sources, region-level ones of four more, PointQA and Visual Genome's chat."""
    assert [s.name for s in IMAGE_LEVEL] == ["cc595k", "ocr-vqa", "st-vqa", "docvqa", "textvqa", "objects365"]
    assert [s.name for s in REGION_LEVEL] == ["objects365", "coco-text", "hiertext", "art", "pointqa", "region-chat"]
    assert len({s.name for s in (*IMAGE_LEVEL, *REGION_LEVEL)}) == 11 and len(MGVLID.sources) == 12
    assert all(s.split == "train" for s in (*IMAGE_LEVEL, *REGION_LEVEL) if s.reader != "llava-captions")
    shares = sum(PUBLISHED[s.name] for s in (*IMAGE_LEVEL, *REGION_LEVEL[1:4]) if s.name != "objects365")
    visual_genome = 108_077  # pictures of PointQA's and of the region chat
    reached = shares + visual_genome + next(s.limit for s in IMAGE_LEVEL if s.name == "objects365")
    assert abs(reached - TOTALS["pictures"]) < 10_000
    assert from_json(Mixture, to_json(MGVLID)) == MGVLID


def test_table_4_adds_llava_665k_to_the_second_stage():
    first, second = recipe("chatspot-665k").stages
    assert first == recipe("chatspot").stages[0]
    assert [s.name for s in second.mixture.sources] == [*(s.name for s in REGION_LEVEL), "llava-665k"]


def test_regions_come_in_every_form_with_the_asked_style(data):
    groups = open_mixture(recipe("chatspot").stages[1].mixture, data, 0, groups=120)
    kinds = {Point: 0, Box: 0, Polygon: 0}
    for group in (groups[k] for k in range(len(groups))):
        for sample in group:
            for turn in sample.turns[::2]:
                for part in turn.parts:
                    if isinstance(part, Regions):
                        kinds[type(part.regions[0])] += 1
            assert sample.task == "dialogue" or sample.extra["style"] == "short"
    assert len(FORMS) == 3 and min(kinds.values()) > 20
    groups = open_mixture(recipe("chatspot").stages[0].mixture, data, 0, groups=60)
    styles = {(s.task, s.extra.get("style")) for k in range(60) for s in groups[k]}
    assert styles == {("caption", "detailed"), ("question", "short"), ("inventory", "short"), ("detection", None)}


@pytest.mark.parametrize("name", ["chatspot", "chatspot-665k"])
def test_chatspot_changes_only_names_and_paths(name, data, checkpoints, tmp_path):  # noqa: F811
    made = shortened(recipe(name).change(
        f"model.vision.checkpoint={checkpoints['vision']}", f"model.language.checkpoint={checkpoints['language']}",
        "model.vision.size=48"), precision="float32")
    run = train(made, tmp_path / "run", {"": data}, **QUIET)
    assert [(m["stage"], m["step"]) for m in run.metrics] == [("align", 1), ("align", 2), ("tune", 1), ("tune", 2)]
    assert all(math.isfinite(m["loss"]) for m in run.metrics)
    assert load(run.model).encoder.codec.name == "chatspot"


def test_the_miniature_trains(data, carried, tmp_path):
    run = train(shortened(recipe("chatspot-mini")), tmp_path / "run", data, **QUIET)
    assert [m["stage"] for m in run.metrics] == ["align", "align", "tune", "tune"]
    assert all(math.isfinite(m["loss"]) for m in run.metrics)


def test_benchmarks_read_the_folders_that_recipes_and_worlds_have(data):
    """docs/real-data.md names each once."""
    named = {s.reader: s.folder for s in (*IMAGE_LEVEL, *REGION_LEVEL)} | {h.reader: h.folder for h in HELD_OUT}
    for name in ("cocotext-val", "vizwiz-grounding-val", "pointqa-box-test", "pointqa-point-test",
                 "coco-classes-val2017"):
        assert benchmark(name).folder == named.get(benchmark(name).reader, "vizwiz_grounding")
        assert len(open_questions(name, data, "any")) > 1


def test_notes_say_what_differs():
    for name in ("chatspot", "chatspot-665k", "chatspot-mini"):
        assert all("because" in note for note in recipe(name).notes if note.startswith("differs from paper"))
