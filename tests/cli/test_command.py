"""The command itself: help, unknown names, exit codes."""

import errno
import subprocess
import sys

import pytest

from loupe import cli
from loupe.errors import FileError


def test_overview_names_every_verb(capsys):
    for argv in ([], ["--help"], ["-h"], ["help"]):
        assert cli.main(argv) == 0
    said = capsys.readouterr().out
    assert all(f"  {verb}" in said for verb in cli.VERBS)
    assert max(map(len, said.splitlines())) < 120


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    assert stop.value.code == 0 and "usage: loupe " + verb in capsys.readouterr().out


def test_every_verb_takes_the_device_that_is_there():
    """A --device that is not given is None, which is a GPU where there is one (models/device.py)."""
    import argparse

    asked = {}
    for verb, place in cli.VERBS.items():
        parser = argparse.ArgumentParser()
        cli.import_module(place).add_arguments(parser)
        asked.update((verb, a.default) for a in parser._actions if "--device" in a.option_strings)
    assert {"refine", "relevance", "train", "evaluate", "chat"} <= set(asked)
    assert set(asked.values()) == {None}, asked


def test_version_and_module():
    said = subprocess.run([sys.executable, "-m", "loupe", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("loupe 0.")


def test_unknown_verb_names_the_nearest(capsys):
    assert cli.main(["trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err


def test_wrong_flag_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["world", "x", "--imagse", "3"])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and "--imagse" in said and "--help" in said


@pytest.mark.parametrize("error,code,words", [
    (FileError("cannot read", got="nothing", where="a", do="mend it"), 2, "cannot read: got nothing, in a; mend it"),
    (OSError(errno.ENOSPC, "No space left on device", "out/a.bin"), 2, "full disk"),
    (PermissionError(errno.EACCES, "Permission denied", "out/b"), 2, "Permission denied, in out/b"),
    (KeyboardInterrupt(), 130, "run the same command again"),
], ids=["loupe", "disk", "permission", "stop"])
def test_failures_are_one_line_and_a_code(error, code, words, monkeypatch, capsys):
    def run(args):
        raise error

    monkeypatch.setattr("loupe.cli.score.run", run)
    assert cli.main(["score", "x"]) == code
    said = capsys.readouterr().err
    assert said.startswith("loupe score: ") and said.count("\n") == 1 and words in said


def test_a_bug_is_not_hidden(monkeypatch):
    def run(args):
        raise ZeroDivisionError

    monkeypatch.setattr("loupe.cli.score.run", run)
    with pytest.raises(ZeroDivisionError):
        cli.main(["score", "x"])


def test_roots():
    from loupe.cli.roots import roots_of

    assert set(roots_of([".", "coco=/"])) == {"", "coco"}
    with pytest.raises(FileError, match="does not exist"):
        roots_of(["coco=no/such/folder"])
    with pytest.raises(FileError, match="twice"):
        roots_of([".", "."])


def test_doctor_tells_the_data_sets_that_are_there(tmp_path, capsys):
    for name in ("refer/refcoco/refs(unc).p", "pope/coco/coco_pope_random.json", "laion/00000.tar", "other/a.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    cli.main(["doctor", "--root", str(tmp_path)])
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert [lines[name][0] for name in ("refer", "pope", "laion")] == ["1", "1", "1"] and "other" not in lines
    assert lines["coco"] == ["not", "there"] and "gqa" not in lines


def test_doctor_finds_a_missing_package(monkeypatch, capsys):
    monkeypatch.setitem(cli.import_module("loupe.cli.doctor").NEEDED, "no-such-package", ("1.0", None))
    assert cli.main(["doctor"]) == 2
    assert "no-such-package is missing" in capsys.readouterr().err
