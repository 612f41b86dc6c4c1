"""Runs become shipped parts: half precision that answers as before, and cards whose commands build the part again."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import loupe
from loupe import cli, shipped, world
from loupe.errors import CheckpointError, ConfigError, FileError
from loupe.miniature.card import SECTIONS, Facts, card, world_command
from loupe.miniature.ship import beside, half, read_scores, ship
from loupe.models import checkpoint
from loupe.models.assembly import build
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.recipes import recipe
from loupe.recipes.mini import MINI_TOWER
from loupe.training.recipe import Optim
from loupe.training.run import train
from loupe.world import JUDGING

NARROW = ["model.vision.config.hidden_size=32", "model.vision.config.intermediate_size=32",
          "model.vision.config.num_hidden_layers=1", "model.vision.config.patch_size=24",
          "model.vision.config.num_attention_heads=2", "model.language.config.hidden_size=32",
          "model.language.config.intermediate_size=32", "model.language.config.num_hidden_layers=1"]
TOWER = [*NARROW, "stages.see.steps=2", "stages.see.batch=4", "vocabulary=700"]
NAMED = ModelSpec(VisionSpec("loupe/tower", layer=-1, size=96), BridgeSpec(position=True),
                  LanguageSpec("loupe/language", max_length=1024), "xy", "mini")
TALK = recipe("mini-start").stages[1]
TUNED = replace(recipe("mini-start"), name="tuned", model=NAMED, stages=(
    replace(TALK, steps=2, batch=8, precision="float32", optim=Optim(1e-3)),))


@pytest.fixture(scope="module")
def place(tmp_path_factory, standin_parts):
    """data/, a run of a tower and of a tuned model, and home/ where parts are shipped to."""
    folder = tmp_path_factory.mktemp("ship")
    world.write(folder / "data", 6, seed=1, val=4, world="mini")
    train(MINI_TOWER.change(*TOWER), folder / "tower", folder / "data")
    return folder


@pytest.fixture
def home(standin_parts, tmp_path, monkeypatch) -> Path:
    import shutil

    at = shutil.copytree(standin_parts, tmp_path / "home")
    monkeypatch.setattr(shipped, "home", lambda: at)
    return at


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (\w+)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_a_tower_is_shipped(place, home, capsys):
    assert cli.main(["ship", str(place / "tower"), "loupe/tower", "--into", str(home)]) == 0
    at = home / "tower"
    assert "parameters" in capsys.readouterr().out
    kept = load_file(at / "model.safetensors")
    assert {t.dtype for t in kept.values() if t.is_floating_point()} == {torch.float16}
    assert shipped.parameters(at / "model.safetensors") == sum(t.numel() for t in kept.values())
    made = build(replace(NAMED, vision=VisionSpec("loupe/tower", layer=-1, size=96)))
    theirs = load_file(place / "tower/vision/model.safetensors")
    mine = made.vision.model.state_dict()
    assert all(torch.equal(theirs[k].half().float(), mine[k.removeprefix("vision_model.")]) for k in theirs)

    text = (at / "README.md").read_text()
    said = sections(text)
    assert tuple(said) == SECTIONS and "float16" in text and str(place) not in text
    assert "6 pictures to train on and 4 held out, seed 1" in said["Data"].replace("`mini`, ", "`mini`, ")
    assert (at / "model.safetensors").stat().st_mode & 0o444 == 0o444  # whoever installs the wheel may read it
    assert "2 updates; loss" in said["Steps"] and said["Seed"].startswith("0.")


def test_the_cards_commands_build_the_part_again(place, home, tmp_path, monkeypatch, capsys):
    ship(place / "tower", "loupe/tower", MINI_TOWER)
    lines = sections((home / "tower/README.md").read_text())["Command"].strip("`\n").removeprefix("bash\n").splitlines()
    assert [line.split()[1] for line in lines] == ["world", "pretrain", "ship"]
    monkeypatch.chdir(tmp_path)
    before = (home / "tower/model.safetensors").read_bytes()
    for line in lines:
        words = shlex.split(line)[1:]
        more = {"ship": ["--into", "again"], "world": ["--workers", "1"]}.get(words[0], [])
        assert cli.main(words + more) == 0, capsys.readouterr().err
    assert (tmp_path / "again/tower/model.safetensors").read_bytes() == before


def test_a_second_runs_figures_come_to_stand_beside_the_firsts(place, home, tmp_path, capsys):
    ship(place / "tower", "loupe/tower", MINI_TOWER)
    card = home / "tower/README.md"
    before, weights = card.read_text(), (home / "tower/model.safetensors").read_bytes()
    train(MINI_TOWER.change(*TOWER, "seed=1"), tmp_path / "again", place / "data")
    train(MINI_TOWER.change(*TOWER, "see.steps=3", "seed=1"), tmp_path / "longer", place / "data")
    for run, why in ((place / "tower", "another seed"), (tmp_path / "longer", "the settings on the card")):
        assert cli.main(["ship", str(run), "loupe/tower", "--beside", "--into", str(home)]) != 0
        assert "no second run" in (said := capsys.readouterr().err) and f"expected {why}" in said
    assert card.read_text() == before
    assert cli.main(["ship", str(tmp_path / "again"), "loupe/tower", "--beside", "--into", str(home)]) == 0
    whole = ship(place / "tower", "loupe/tower", MINI_TOWER, rebuilt=tmp_path / "again", into=tmp_path / "parts")
    assert card.read_text() == (whole / "README.md").read_text(), "as if both runs were there"
    assert (home / "tower/model.safetensors").read_bytes() == weights
    with pytest.raises(FileError, match="no such part lies here"):
        beside(tmp_path / "again", "loupe/tower", MINI_TOWER, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="a card of one run"):
        beside(tmp_path / "again", "loupe/tower", MINI_TOWER)


def test_a_tuned_model_is_shipped(place, home, tmp_path):
    """From parts that lie somewhere: those that are shipped are named, and answers stay as they were."""
    import shutil

    parts = shutil.copytree(home, tmp_path / "somewhere")
    for name in ("vision", "tower", "language"):
        shutil.rmtree(home / name)
    somewhere = replace(NAMED, vision=replace(NAMED.vision, checkpoint=str(parts / "tower")),
                        language=replace(NAMED.language, checkpoint=str(parts / "language")))
    run = train(replace(TUNED, model=somewhere), tmp_path / "run", place / "data")
    scores = tmp_path / "scores.json"
    figures = {"IoU >= 0.5": {"value": 0.5, "low": 0.4, "high": 0.6, "count": 90}}
    scores.write_text(json.dumps({"model": "run", "goals": [{"what": "grounding", "must": 0.88, "reached": 0.5,
                                                             "said": "missed"}], "results": [
        {"benchmark": "mini-grounding", "model": "run", "figures": figures},
        {"benchmark": "mini-grounding", "model": "centre-box",
         "figures": {"IoU >= 0.5": {"value": 0.03, "low": 0.01, "high": 0.05, "count": 90}}}]}))
    with pytest.raises(ConfigError, match="stands on a vision part that is not shipped.*ship that part first"):
        ship(run.folder, "mini", TUNED, scores=[scores], same=0.5)
    shutil.copytree(parts, home, dirs_exist_ok=True)
    at = ship(run.folder, "mini", TUNED, scores=[scores], same=0.5)
    manifest = (at / "manifest.json").read_text()
    assert str(tmp_path) not in manifest + (at / "README.md").read_text() and '"loupe/language"' in manifest
    model = loupe.load("mini")
    assert model.vlm.spec == NAMED and model.name == "mini"
    assert next(model.vlm.parameters()).dtype == torch.float32
    said = sections((at / "README.md").read_text())
    assert "| mini-grounding | IoU >= 0.5 | 50.0 % [40.0, 60.0] | 90 | centre-box 3.0 % |" in said["Scores"]
    assert "grounding: 50.0 %, goal 88 %" in said["Limits"] and "word for word" in said["Scores"]
    assert "loupe train tuned --root DATA --out RUN" in said["Command"]
    assert "loupe evaluate RUN mini-grounding --root JUDGED --out SCORES" in said["Command"]


def judged(worlds: dict[str, dict], value: float = 0.5, said: str = "missed", limit: int | None = 300) -> dict:
    """scores.json of one benchmark."""
    def result(model: str, value: float) -> dict:
        figure = {"value": value, "low": value - 0.1, "high": value + 0.1, "count": 90}
        return {"benchmark": "mini-grounding", "model": model, "figures": {"IoU >= 0.5": figure, "mean IoU": figure},
                "kinds": {"order": {"IoU >= 0.5": {**figure, "count": 30}, "mean IoU": figure}}}
    return {"model": "mine", "limit": limit, "worlds": worlds,
            "results": [result("mine", value), result("mine, blind", 0.1)],
            "goals": [{"what": "grounding", "must": 0.88, "reached": value, "said": said}]}


def facts(*scores: dict, commit: str | None = None) -> Facts:
    recipe = {"name": "mini", "seed": 0, "stages": []}
    return Facts("mini", 1, 2, recipe, (), {"commit": commit}, {}, {"": asdict(JUDGING[0])}, scores, {}, (), "fine")


def test_a_card_names_what_it_was_judged_on():
    """Every world once, by its seed; roots that lie inside one; each file of scores under its heading, with kinds."""
    mini, larger, _, unread = map(asdict, JUDGING)
    first = judged({"": mini, "unread": {**unread, "inside": "records"}})
    said = sections(card(facts(first, judged({"": larger}, 0.4, limit=50))))
    lines = said["Command"].strip("`\n").splitlines()[1:]
    assert lines[1:] == [
        "loupe train mini --root DATA --out RUN",
        "loupe world JUDGED-mini --world mini --images 400 --val 2000 --seed 777 --size 96",
        "loupe world JUDGED-unread --world unread --images 400 --val 1200 --seed 777 --size 96",
        "loupe evaluate RUN mini-grounding --root JUDGED-mini --root unread=JUDGED-unread/records "
        "--limit 300 --out SCORES",
        "loupe world JUDGED-mini-128 --world mini-128 --images 400 --val 2000 --seed 777 --size 128",
        "loupe evaluate RUN mini-grounding --root JUDGED-mini-128 --limit 50 --out SCORES-2",
        "loupe ship RUN mini --root DATA --scores SCORES/scores.json SCORES-2/scores.json"]
    for line in lines:
        verb, *words = shlex.split(line)[1:]
        cli.parser(verb).parse_intermixed_args(words)
    headings = re.findall("^### (.+)$", said["Scores"], flags=re.M)
    assert headings == ["mini-grounding", "mini-grounding, on the world mini-128"]
    assert "Held-out pictures of `mini` (seed 777) and `unread` (seed 777)." in said["Scores"]
    assert "| mini-grounding | IoU >= 0.5, order | 50.0 % [40.0, 60.0] | 30 | blind 10.0 % |" in said["Scores"]
    assert "mine" not in said["Scores"] and "mean IoU, order" not in said["Scores"]
    assert said["Limits"].count("goal 88 %") == 1, "goals are those of the world mini"


def test_a_card_says_where_the_run_came_from():
    assert "at commit 0123456789ab," in card(facts(commit="0123456789abcdef"))
    assert "no commit was kept" in card(facts())


def test_scores_say_their_worlds(tmp_path):
    """What `loupe evaluate` writes is what a card needs."""
    world.write(tmp_path / "data", 4, seed=5, val=4, world="mini")
    argv = ["evaluate", "random-object", "mini-grounding", "--root", str(tmp_path / "data"), "--limit", "3", "--out",
            str(tmp_path / "out")]
    assert cli.main(argv) == 0
    scores = read_scores(tmp_path / "out/scores.json")
    assert scores["limit"] == 3 and scores["results"][0]["kinds"]
    assert scores["worlds"] == world.worlds(tmp_path / "data")


def test_what_is_not_fit_to_ship(place, home, tmp_path):
    before = sorted(home.rglob("*"))
    with pytest.raises(ConfigError, match="unknown part"):
        ship(place / "tower", "loupe/towr", MINI_TOWER)
    with pytest.raises(CheckpointError, match="not finished.*model"):
        ship(place / "tower", "mini", MINI_TOWER)
    with pytest.raises(FileError, match="no run in this folder"):
        ship(tmp_path, "loupe/tower", MINI_TOWER)
    with pytest.raises(ConfigError, match="no path=value changes"):
        ship(place / "tower", "loupe/tower", recipe("mini-start"))
    with pytest.raises(CheckpointError, match="does not fit half precision.*w: 70000"):
        half(torch.tensor([7e4]), "w", tmp_path)
    assert sorted(home.rglob("*")) == before


def test_a_part_too_large_is_not_shipped(place, home, monkeypatch):
    monkeypatch.setattr("loupe.miniature.ship.MOST_PARAMETERS", 100)
    with pytest.raises(ConfigError, match="too large.*parameters"):
        ship(place / "tower", "loupe/tower", MINI_TOWER)


def test_half_precision_must_answer_alike(place, home, tmp_path, monkeypatch):
    checkpoint.save(build(NAMED, seed=1), tmp_path / "run/model")
    (tmp_path / "run/manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match="nobody could write this run's data again"):
        ship(tmp_path / "run", "mini", TUNED)
    (tmp_path / "run/manifest.json").write_text('{"worlds": {"": {}}}')
    with pytest.raises(ConfigError, match="nothing was measured"):
        ship(tmp_path / "run", "mini", TUNED)
    (tmp_path / "run/manifest.json").write_text('{"worlds": {"": {}}, "scores": {"exact": 1}}')
    monkeypatch.setattr("loupe.miniature.ship.agreement", lambda one, other: (0.9, 50))
    with pytest.raises(CheckpointError, match="half precision changes this model's answers: got 90.0% of 50"):
        ship(tmp_path / "run", "mini", TUNED)


def test_a_clip_and_a_refiner_are_shipped(tmp_path):
    """float32 folders of both classes come out in float16 and open by their own loaders."""
    import standins
    from transformers import CLIPConfig, CLIPModel

    from loupe.miniature.ship import ship_part
    from loupe.models.refiner import Refiner, RefinerConfig, load_refiner

    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "vocab_size": 300}
    CLIPModel(CLIPConfig(text_config=text, vision_config=standins.TOWER, projection_dim=16)).save_pretrained(
        tmp_path / "clip")
    Refiner(RefinerConfig(classes=["ring"], attributes=["red"], size=32, widths=[8, 8, 8, 8], neck=8,
                          state_width=8)).save_pretrained(tmp_path / "refiner")
    for source, name in (("clip", "loupe/vision"), ("refiner", "loupe/refiner")):
        fresh = tmp_path / f"{source}-half"
        fresh.mkdir()
        said, _ = ship_part(tmp_path / source, fresh, name, 1.0)
        assert re.match(r"no weight moved by more than \d\.\de-0[2-5] of its tensor's size", said), said
        wide, small = (load_file(tmp_path / place / "model.safetensors") for place in (source, fresh.name))
        assert {key: tensor.shape for key, tensor in wide.items()} == {k: t.shape for k, t in small.items()}
        assert all(t.dtype == torch.float16 for t in small.values() if t.is_floating_point())
    assert load_refiner(tmp_path / "refiner-half").config.classes == ["ring"]


def test_what_the_run_measured_stands_in_tables():
    from loupe.miniature.card import EXAM, ONE_SEED, nested, with_second

    exam = {"loss": 0.25, "counting": {"answers": 8, "exact": 0.5}, "grounding": {"answers": 9, "exact": 1.0}}
    assert nested(exam, {}).splitlines() == [
        "| figure | reached |", "| --- | --- |", "| loss | 0.25 |", "", "| of | answers | exact |",
        "| --- | --- | --- |", "| counting | 8 | 0.5 |", "| grounding | 9 | 1 |"]
    again = {"loss": 0.5, "counting": {"answers": 8, "exact": 0.4}}
    assert "| counting | 8 | 0.5 | 8, 0.4 |" in nested(exam, again)
    texts = [f"{EXAM}{nested(exam, other)}\n\n## Limits\n" for other in ({}, again)]
    assert with_second(texts[0], again, 1) == texts[1]
    assert "seed 1 and on data that loupe has written since (annotations ab12), stands" in with_second(
        f"{ONE_SEED}\n{texts[0]}", again, 1, ["ab12"])


def test_scores_of_predictions_and_of_nothing(tmp_path):
    (tmp_path / "scores.json").write_text('{"results": [{}]}')
    with pytest.raises(FileError, match="these are no scores"):
        read_scores(tmp_path / "scores.json")


def test_a_worlds_command_writes_that_world(tmp_path):
    world.write(tmp_path / "a", 2, seed=4, val=1, size=64, oddities=0.5, world="shifted")
    words = shlex.split(world_command(str(tmp_path / "b"), json.loads((tmp_path / "a/world.json").read_text())))
    assert cli.main([*words[1:], "--workers", "1"]) == 0
    assert (tmp_path / "a/world.json").read_bytes() == (tmp_path / "b/world.json").read_bytes()


def test_headers_without_torch(tmp_path):
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5, dtype=torch.float16)}, tmp_path / "w.safetensors")
    assert shipped.parameters(tmp_path / "w.safetensors") == 17
    assert shipped.header(tmp_path / "w.safetensors")["b"]["dtype"] == "F16"
    data = (tmp_path / "w.safetensors").read_bytes()
    for cut in (data[:-1], data[:20], b""):
        (tmp_path / "w.safetensors").write_bytes(cut)
        with pytest.raises(CheckpointError, match="weights are damaged"):
            shipped.header(tmp_path / "w.safetensors")
