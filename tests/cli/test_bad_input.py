"""Bad input: one clear line that says got, expected, where and what to do; exit code 2; nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loupe import cli, world

TINY = ["see.steps=1", "see.batch=4", "talk.steps=2", "talk.batch=20"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    world.write(folder / "data", 20, 0, val=20)
    assert cli.main(["train", "mini-start", *TINY, "--root", str(folder / "data"), "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def data(place, tmp_path) -> Path:
    """A copy of the data that a test may spoil."""
    shutil.copytree(place / "data", tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def fails(capsys):
    def check(*argv, says: tuple[str, ...]) -> str:
        capsys.readouterr()
        try:
            code = cli.main([str(a) for a in argv])
        except SystemExit as stop:
            code = stop.code
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("loupe ")]
        assert code == 2 and len(lines) == 1, (code, lines)
        for words in says:
            assert words in lines[0], lines[0]
        return lines[0]

    return check


def test_missing_folder(fails, tmp_path):
    for verb in (["train", "mini-start", "--out", tmp_path / "r"], ["build", "mini-start", "--out", tmp_path / "c"],
                 ["demo", "--out", tmp_path / "d"]):
        fails(*verb, "--root", tmp_path / "nowhere", says=("nowhere", "expected"))
    assert not (tmp_path / "r" / "checkpoints").exists()


def test_missing_annotation_file(fails, data, tmp_path):
    (data / "coco/annotations/instances_train2017.json").unlink()
    fails("build", "mini-start", "--root", data, "--out", tmp_path / "c",
          says=("instances_train2017.json", "check --root"))


@pytest.mark.parametrize("content,says", [("", "got"), ("{", "got"), ("[]", "expected"), ("{}", "expected"),
                                          ('{"images": [], "annotations": [], "categories": []}', "picture")])
def test_empty_annotation(content, says, fails, data, tmp_path):
    (data / "coco/annotations/instances_train2017.json").write_text(content)
    fails("build", "mini-start", "--root", data, "--out", tmp_path / "c", says=(says,))


def test_corrupt_picture_in_a_question(fails, place, tmp_path):
    whole = next((place / "data/coco/val2017").iterdir()).read_bytes()
    for name, content, says in (("cut.jpg", whole[:len(whole) // 2], "corrupt"), ("no.jpg", b"hello", "not a picture")):
        (tmp_path / name).write_bytes(content)
        fails("chat", place / "run", tmp_path / name, "--say", "What is there?", says=(says, name))
    fails("chat", place / "run", tmp_path / "none.jpg", "--say", "What?", says=("none.jpg", "does not exist"))


def test_corrupt_pictures_in_a_benchmark_are_counted_not_fatal(data, place, tmp_path, capsys):
    from loupe.evals import rescore

    for picture in sorted((data / "coco/val2017").iterdir())[:4]:
        picture.write_bytes(picture.read_bytes()[:300])
    argv = ["evaluate", str(place / "run"), "refcoco-val", "--root", str(data), "--out", str(tmp_path / "e"),
            "--max-tokens", "4"]
    assert cli.main(argv) == 0
    result = rescore(tmp_path / "e" / "refcoco-val.jsonl")
    assert result.count == result.of and dict(result.scores.unreadable).get("picture", 0) > 0


def test_corrupt_pictures_in_training_are_counted(data, tmp_path):
    for picture in sorted((data / "coco/train2017").iterdir())[::3]:
        picture.write_bytes(b"")
    out = tmp_path / "run"
    assert cli.main(["train", "mini-start", *TINY, "--root", str(data), "--out", str(out)]) == 0
    drops = json.loads((out / "manifest.json").read_text())["drops"]
    assert any("decode" in reason for reason in drops), drops


def test_box_outside_the_picture(fails, place, data, tmp_path):
    picture = next((place / "data/coco/val2017").iterdir())
    fails("chat", place / "run", picture, "--say", "What is in @box(500,500,600,600)?", says=("outside", "600"))
    fails("chat", place / "run", picture, "--say", "What is in @box(30,30,10,10)?", says=("30",))
    path = data / "coco/annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [900, 900, 50, 50]
    path.write_text(json.dumps(content))
    from loupe.readers import reader

    records = reader("coco")(data / "coco", "train2017")
    assert len(list(records)) == 20
    assert any("outside" in reason for reason in records.problems), records.problems


def test_wrong_codec(fails, place, tmp_path):
    shutil.copytree(place / "run/model", tmp_path / "model")
    manifest = tmp_path / "model/manifest.json"
    manifest.write_text(manifest.read_text().replace('"codec": "xy"', '"codec": "pink"'))
    picture = next((place / "data/coco/val2017").iterdir())
    fails("chat", tmp_path / "model", picture, "--say", "What?", says=("codec",))


def test_foreign_checkpoint(fails, place, tmp_path):
    picture = next((place / "data/coco/val2017").iterdir())
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/config.json").write_text('{"model_type": "llava"}')
    (tmp_path / "foreign/model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    fails("chat", tmp_path / "foreign", picture, "--say", "What?", says=("foreign",))
    shutil.copytree(place / "run/model", tmp_path / "cut")
    weights = next((tmp_path / "cut").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    fails("chat", tmp_path / "cut", picture, "--say", "What?", says=("cut",))


def test_unknown_names(fails, place, tmp_path):
    data = place / "data"
    fails("train", "mini-strat", "--root", data, "--out", tmp_path / "r", says=("mini-start",))
    fails("train", "mini-start", "talk.optim.lrr=1", "--root", data, "--out", tmp_path / "r", says=("lrr", "'lr'"))
    fails("train", "mini-start", "talk.optim.lr=fast", "--root", data, "--out", tmp_path / "r", says=("fast", "lr"))
    fails("evaluate", place / "run", "refcoco-vla", "--root", data, says=("refcoco-val",))
    fails("score", tmp_path / "none.jsonl", says=("none.jsonl",))
    assert not (tmp_path / "r").exists()


def test_a_run_of_another_recipe_is_left_alone(fails, place):
    before = sorted((p, p.stat().st_mtime_ns) for p in (place / "run").rglob("*"))
    fails("train", "mini-start", "talk.steps=3", "--root", place / "data", "--out", place / "run",
          says=("steps", "--out"))
    fails("train", "mini-start", "--root", place / "data", "--out", place / "data", says=("--out",))
    assert sorted((p, p.stat().st_mtime_ns) for p in (place / "run").rglob("*")) == before


@pytest.fixture
def small_disk(tmp_path):
    """A folder with its own small file system, resized on demand."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip("needs the right to mount a small file system")

    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)

    yield folder, resize
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("what", ["world", "build", "train", "evaluate"])
def test_full_disk(what, fails, place, small_disk, capsys):
    """One line, and the same command finishes once there is room."""
    folder, resize = small_disk
    size = {"world": "200k", "build": "24k", "train": "4m", "evaluate": "8k"}[what]
    resize(size)
    data, out = str(place / "data"), str(folder / "out")
    argv = {"world": ["world", out, "--images", "100", "--val", "20", "--workers", "1"],
            "build": ["build", "mini-start", "--root", data, "--out", out, "--groups", "60", "--shard-size", "10"],
            "train": ["train", "mini-start", *TINY, "--root", data, "--out", out],
            "evaluate": ["evaluate", str(place / "run"), "refcoco-val", "--root", data, "--out", out, "--max-tokens",
                         "4"]}[what]
    fails(*argv, says=("space",))
    resize("200m")
    assert cli.main(argv) == 0, capsys.readouterr().err[-800:]


def test_stopped_by_the_keyboard(place, tmp_path):
    """Ctrl-C in a real process: code 130, one line, and the next run goes on."""
    argv = [sys.executable, "-c", "import sys, signal, os, time\nfrom loupe import cli\nimport loupe.world\n"
            "loupe.world.write = lambda *a, **k: (os.kill(os.getpid(), signal.SIGINT), time.sleep(60))\n"
            f"sys.exit(cli.main(['world', {str(tmp_path / 'w')!r}]))"]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 130 and "run the same command again" in done.stderr and "Traceback" not in done.stderr
