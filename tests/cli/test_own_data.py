"""docs/own-data.md runs as it stands; files of one's own say what is wrong with them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import loupe
from loupe import cli, world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
FILES = {"sources": "mixture.json", "reader": "cups.json"}  # a JSON block goes into the file its first key names
SHORT = {"train": ["talk.steps=1", "talk.batch=8", "talk.precision=float32"], "chat": ["--max-tokens", "4"],
         "evaluate": ["--max-tokens", "4"]}


def blocks(kinds: str) -> list[tuple[str, str]]:
    return re.findall(rf"```({kinds})\n(.*?)```", PAGE.read_text("utf-8"), re.S)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "mine" / "photos"
    folder.mkdir(parents=True)
    for name, record in zip("abcdefghi", world.records(9, seed=1, world="few")):
        (folder / f"{name}.jpg").write_bytes(record.image.bytes())
    return folder.parents[1]


def test_the_page_runs(pictures, carried, tmp_path, monkeypatch, capsys):
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    known, ran = {}, set()
    for kind, text in blocks("python|json|bash"):
        if kind == "python":
            exec(compile(text.replace("num_workers=2", "num_workers=0"), str(PAGE), "exec"), known)
        elif kind == "json":
            Path(FILES[next(iter(json.loads(text)))]).write_text(text, "utf-8")
        else:
            for line in re.sub(r"\\\n\s*", " ", text).splitlines():
                argv = shlex.split(line, comments=True)[1:]
                argv = [word for word in argv if word != "weights=mini"]  # the stand-in is shaped otherwise
                print(f"\n$ loupe {' '.join(argv)}", file=sys.stderr)
                code = cli.main(argv + SHORT.get(argv[0], []))
                assert code == 0, f"{line}\n{capsys.readouterr().err[-2000:]}"
                ran.add(argv[0])
    assert ran == {"check", "build", "show", "train", "chat", "evaluate", "score", "export"}
    assert "USER: <im_start><image><im_end> " in capsys.readouterr().out  # what the sample's block prints
    assert known["boxes"] == [(4.0, 8.0, 40.0, 60.0)]
    dialogues = json.loads(Path("qwen.json").read_text("utf-8"))
    assert {d["image"] for d in dialogues} == {f"photos/{name}.jpg" for name in "fghi"}
    assert json.loads(Path("judged/cups.jsonl").read_text("utf-8").splitlines()[0])["benchmark"]["name"] == "cups"
    again = loupe.evaluate("whole-image", "cups.json", root=".")
    assert (again.benchmark, again.scores.count) == ("cups", 5)
    assert cli.main(["train", "runs/mine/recipe.json", "--data", "corpora/mine", "--out", "again"]) == 0


@pytest.mark.parametrize("data, says", [
    ('{"reader": "recordz", "folder": "mine", "split": "val"}', "did you mean 'records'"),
    ('{"reader": "records", "folder": "mine", "split": "val", "metric": "acc"}', "unknown metric: got 'acc'"),
    ('{"reader": "records", "folder": "mine", "split": "val", "tusk": "x"}', "did you mean 'task'"),
    ('{"reader": "records", "folder": "mine", "split": "val", "name": "../x"}', "names its files: got '../x'"),
    ('{"reader": "records"}', "no folder, split"), ("[1]", "this is no benchmark: got list"), ("{", "not JSON"),
])
def test_a_benchmark_that_is_none(data, says, pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("odd.json").write_text(data)
    Path("mine").mkdir()
    line = {"picture": "a.jpg", "width": 9, "height": 9, "id": "a", "source": "mine"}
    shutil.copy(pictures / "mine/photos/a.jpg", "mine/a.jpg")
    Path("mine/val.jsonl").write_text(json.dumps(line) + "\n")
    assert cli.main(["evaluate", "whole-image", "odd.json", "--root", ".", "--out", "out"]) == 2
    assert says in capsys.readouterr().err
    assert cli.main(["evaluate", "whole-image", "none.json", "--root", "."]) == 2
    assert "cannot read benchmark" in capsys.readouterr().err


def test_a_mixture_is_no_recipe(tmp_path, capsys):
    (tmp_path / "mixture.json").write_text('{"sources": []}')
    assert cli.main(["train", str(tmp_path / "mixture.json"), "--out", str(tmp_path / "run")]) == 2
    assert "loupe train RECIPE --data CORPUS" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_odd_records_are_shown_with_an_example(pictures, tmp_path, capsys):
    shutil.copytree(pictures / "mine", tmp_path / "mine")
    line = {"picture": "photos/a.jpg", "width": 96, "height": 96, "id": "a", "source": "mine",
            "objects": [{"id": "1", "box": {"box": [0.1, 0.2, 0.5, 0.6]}, "names": ["cup"]}]}
    (tmp_path / "mine/train.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "mixture.json").write_text(json.dumps({"sources": [{
        "name": "mine", "reader": "records", "folder": "mine", "split": "train", "tasks": [["detection", 1]]}]}))
    assert cli.main(["check", str(tmp_path / "mixture.json"), "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "1 x region within one pixel: fractions of the picture? (record a: Box(x1=0.1" in said
    assert f"next: loupe build {tmp_path / 'mixture.json'}" in said
