"""`loupe build` as a user runs it, and the settings it reads."""

import hashlib
import json

import pytest

from loupe.cli import main
from loupe.cli.build import read_mixture, read_value
from loupe.config import to_json
from loupe.data.corpus import Corpus
from loupe.data.mixture import Mixture, Source
from loupe.errors import ConfigError, FileError
from loupe.recipes import recipe
from tests.data.test_draw import coco_folder

COCO = Source("coco", "coco", "coco", split="train2017", tasks=(("counting", 1.0), ("detection", 1.0)))
MIXTURE = Mixture((COCO,), pairs_per_image=2)


@pytest.fixture
def data(tmp_path):
    coco_folder(tmp_path / "data/coco", "train2017", range(1, 9))
    (tmp_path / "mixture.json").write_text(json.dumps(to_json(MIXTURE)))
    return tmp_path


def build(data, *more, out="corpus"):
    return main(["build", str(data / "mixture.json"), "--root", str(data / "data"), "--out", str(data / out), *more])


def contents(folder):
    return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_build_twice_gives_the_same_bytes(data, capsys):
    assert build(data, "--shard-size", "3") == 0
    said = capsys.readouterr().out
    assert "16 questions on 8 pictures" in said and "next: loupe show" in said
    assert build(data, "--shard-size", "3", "--workers", "2", out="again") == 0
    assert contents(data / "corpus") == contents(data / "again")
    corpus = Corpus(data / "corpus")
    assert len(corpus) == 8 and corpus[0][0].images[0].pillow().size == (20, 10)
    assert build(data, "--groups", "5", "--seed", "3", "sources.coco.tasks.counting=0", out="five") == 0
    assert Corpus(data / "five").manifest["tasks"] == {"detection": 10}


def test_own_wordings(data):
    (data / "words").mkdir()
    (data / "words/counting.name.txt").write_text("Wie viele {name}?\n")
    assert build(data, "--templates", str(data / "words")) == 0
    questions = [s.turns[0].parts[0] for g in Corpus(data / "corpus") for s in g if s.extra["kind"] == "name"
                 and s.task == "counting"]
    assert questions and all(q.startswith("Wie viele ") for q in questions)


@pytest.mark.parametrize("more, says", [
    (["--epochs", "1", "--groups", "2"], "one length"),
    (["--seed", "-1"], "seed is negative"),
    (["--stage", "tune"], "has no stages"),
    (["sources.cocoo.weight=2"], "coco"),
    (["--templates", "/nowhere"], "folder of wordings does not exist"),
    (["--root", "refer=/nowhere"], "folder does not exist")])
def test_wrong_input_is_one_line(data, capsys, more, says):
    assert build(data, *more) == 2
    error = capsys.readouterr().err
    assert says in error and error.startswith("loupe build: ") and error.count("\n") == 1
    assert not (data / "corpus/manifest.json").exists()


def test_a_corpus_of_other_settings_is_refused(data, capsys):
    assert build(data) == 0
    before = contents(data / "corpus")
    assert build(data, "--seed", "1") == 2
    assert "holds another corpus" in capsys.readouterr().err and contents(data / "corpus") == before


def test_what_can_be_built(tmp_path):
    assert read_mixture("mini-start", None, []) == (recipe("mini-start").stages[-1].mixture, recipe("mini-start").seed)
    assert read_mixture("pink", "align", [])[0] == recipe("pink").stages[0].mixture
    (tmp_path / "r.json").write_text(json.dumps(to_json(recipe("mini-start"))))
    assert read_value(str(tmp_path / "r.json")) == recipe("mini-start")
    with pytest.raises(ConfigError, match="unknown stage.*tune"):
        read_mixture("pink", "tuen", [])
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(ConfigError, match="neither a mixture nor a recipe"):
        read_value(str(tmp_path / "x.json"))
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(FileError, match="not JSON"):
        read_value(str(tmp_path / "x.json"))
    with pytest.raises(FileError, match="No such file"):
        read_value(str(tmp_path / "y.json"))
    with pytest.raises(ConfigError, match="did you mean 'pink'"):
        read_value("pinc")


def test_real_photos_pass(shared_data, tmp_path, capsys):
    photos = shared_data / "coco_photos"
    assert main(["build", "coco-mini", "--root", f"coco={photos}", "--out", str(tmp_path / "c")]) == 0
    corpus = Corpus(tmp_path / "c")
    assert len(corpus) > 30
    assert {"grounding", "detection", "counting", "coarse-position"} <= set(corpus.manifest["tasks"])
    assert all(s.images[0].path.is_file() for group in corpus for s in group)
    assert main(["show", str(tmp_path / "c"), "--samples", "5", "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text().count("<article") == 5
