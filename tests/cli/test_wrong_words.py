"""Mistakes of the first hour: said in one line, before a model is loaded where that can be."""

import pytest

import loupe
from loupe import cli
from loupe.errors import CheckpointError, ConfigError, LoupeError
from loupe.evals.suite import names_of
from loupe.models.look import Limits
from loupe.predictors import named


def line(capsys, *argv) -> str:
    """What a verb says on its way out with code 2."""
    try:
        code = cli.main([str(a) for a in argv])
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr().err.strip()
    assert code == cli.WRONG_INPUT and "\n" not in said, said
    return said


def test_nothing_needed_is_called_required(capsys):
    assert line(capsys, "show") == ("loupe show: the following arguments are required: RECIPE|CORPUS; "
                                    "see `loupe show --help`")


def test_a_model_alone_is_no_picture(capsys):
    assert "no picture is named: got mini" in line(capsys, "chat", "mini")


@pytest.mark.parametrize("argv,says", [
    (("",), "nothing to look for"), (("the cup", "--grid", 9, "--coarse", 4), "got 4 of 9"),
])
def test_segment_is_refused_before_a_model_is_loaded(argv, says, capsys, monkeypatch):
    monkeypatch.setattr("loupe.predictors.load", lambda *a, **k: pytest.fail("loaded"))
    assert says in line(capsys, "segment", "mini", "a.png", *argv)


def test_suites_are_names_too():
    assert "mini-grounding" in names_of(["mini-quick"])
    with pytest.raises(ConfigError, match="unknown benchmark: got 'minni'; did you mean 'mini'"):
        names_of(["minni"])


@pytest.mark.parametrize("name", [None, "", 5])
def test_no_model_is_named(name):
    with pytest.raises(ConfigError, match="no model is named"):
        loupe.load(name)


def test_settings_of_a_model(carried):
    with pytest.raises(ConfigError, match="unknown setting of a model: got 'devise'; did you mean 'device'"):
        loupe.load("mini", devise="cpu")
    with pytest.raises(LoupeError, match="unknown device: got 'gpu'"):
        loupe.load("mini", device="gpu")
    with pytest.raises(ConfigError, match="unknown kind of numbers"):
        loupe.load("mini", dtype="int3")


def test_an_answer_has_a_token():
    with pytest.raises(ConfigError, match="got 0, expected 1 or more, in max_tokens"):
        Limits(answer=0)


def finished(folder):
    (folder / "model").mkdir(parents=True)
    (folder / "model/manifest.json").write_text("{}")


def test_a_missing_folder_is_told_with_the_models_that_are_there(tmp_path, monkeypatch):
    """Not as an id of the hub, though `runs/none` could be one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as told:
        loupe.load("runs/none")
    assert "got no such folder, nor runs, in runs/none; give a run" in str(told.value) and "hub" not in str(told.value)
    for name in ("runs/mine", "runs/pink-second", "elsewhere/third"):
        finished(tmp_path / name)
    (tmp_path / "runs/begun").mkdir()
    with pytest.raises(CheckpointError, match="in runs/pink-secnd; models near it: runs/pink-second, runs/mine$"):
        loupe.load("runs/pink-secnd")
    with pytest.raises(CheckpointError, match="nor run, in run/mine; models near it: runs/mine, .*elsewhere/third"):
        loupe.load("run/mine")
    for k in range(9):
        finished(tmp_path / f"runs/{k}")
    with pytest.raises(CheckpointError, match="and 5 more$"):
        loupe.load(tmp_path / "runs/none")


def test_an_id_of_the_hub_is_still_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert named("qwen/qwen2-vl").kind == "foreign"


def test_a_folder_claimed_by_mistake(tmp_path):
    from loupe.recipes import recipe
    from loupe.training.folder import claim

    (tmp_path / "file").write_text("")
    with pytest.raises(LoupeError, match="a run needs a folder: got a file"):
        claim(tmp_path / "file", recipe("mini-demo"))
    claim(tmp_path / "run", recipe("mini-demo"))
    with pytest.raises(ConfigError, match="nothing is trained there yet: remove it"):
        claim(tmp_path / "run", recipe("mini-demo").change("seed=1"))
    (tmp_path / "run" / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match="old values to go on with it"):
        claim(tmp_path / "run", recipe("mini-demo").change("seed=1"))


def test_a_folder_without_a_model_is_said_before_data_is_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("loupe.evals.open_questions", lambda *a, **k: pytest.fail("read"))
    (tmp_path / "empty").mkdir()
    for name, got in (("empty", "an empty folder"), ("none", "no such folder")):
        said = line(capsys, "evaluate", tmp_path / name, "refcoco-val", "--root", tmp_path)
        assert f"no model lies here: got {got}" in said


def test_what_a_model_may_be_is_said():
    with pytest.raises(ConfigError, match="did you mean 'mini'"):
        loupe.load("minni")
    with pytest.raises(ConfigError, match=r"name mini, a folder, an id of the hub \(org/name\), http"):
        loupe.load("zzzz")


@pytest.mark.parametrize("argv,says", [
    (("check", "pink", "--rot", "data"), "unknown option: got '--rot'; did you mean '--root'?"),
    (("train", "pink", "--root=data", "--oout=runs"), "unknown option: got '--oout'; did you mean '--out'?"),
    (("evaluate", "mini", "mini", "--limits", 5), "unknown option: got '--limits'; did you mean '--limit'?"),
])
def test_a_misspelt_option_is_named_before_what_is_missing(argv, says, capsys):
    assert says in line(capsys, *argv)
