"""The demo in small: all seven steps, a stop in the middle, and going on."""

import json

import pytest

from loupe import cli

SMALL = ["stages.see.steps=1", "stages.see.batch=4", "stages.talk.steps=2",
         "stages.talk.batch=20", "model.language.max_length=112"]  # short answers from a model that knows nothing


def test_the_whole_job_survives_a_stop(tmp_path, monkeypatch, capsys):
    out = tmp_path / "demo"
    argv = ["demo", "--out", str(out), "--images", "24", "--limit", "4",
            "--benchmarks", "refcoco-val", "coco-counting-val2017", "--", *SMALL]

    def stop(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("loupe.evals.runner.evaluate", stop)
        assert cli.main(argv) == 130
    assert "run the same command again" in capsys.readouterr().err
    weights = next((out / "run/model").glob("*.safetensors"))
    trained, corpus = weights.stat().st_mtime_ns, (out / "corpus/manifest.json").read_bytes()
    assert not (out / "report.html").exists()

    assert cli.main(argv) == 0
    said = capsys.readouterr().out.strip().splitlines()[-1]
    assert "report.html" in said and "loupe chat" in said
    assert weights.stat().st_mtime_ns == trained and (out / "corpus/manifest.json").read_bytes() == corpus
    report = (out / "report.html").read_text("utf-8")
    for words in ("refcoco-val", "whole-image", "mean-box", "majority", "Asked about regions", "What to run next",
                  "loupe evaluate"):
        assert words in report, words
    assert report.count('class="card"') > 12 and "http" not in report.replace("http-equiv", "")
    assert (out / "answer.png").is_file()
    assert set(json.loads((out / "demo.json").read_text())["seconds"]) >= {"train", "measure", "report"}

    assert cli.main(["demo", "--out", str(out), "--seed", "1"]) == 2
    assert "another demo" in capsys.readouterr().err


def test_a_folder_with_other_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert cli.main(["demo", "--out", str(tmp_path)]) == 2
    assert "thesis.txt" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.long
def test_photos(shared_data, tmp_path):
    """Real photos pass untouched: the same job on COCO's own files."""
    photos = shared_data / "coco_photos"
    argv = ["demo", "--recipe", "coco-mini", "--root", f"coco={photos}", "--root", f"refer={photos / 'refer'}",
            "--out", str(tmp_path / "demo"), "--limit", "20", "--benchmarks", "coco-unique-val2017", "refcocog-all",
            "--", "stages.see.steps=2", "stages.talk.steps=2"]
    assert cli.main(argv) == 0
    report = (tmp_path / "demo/report.html").read_text("utf-8")
    assert "coco-unique-val2017" in report and "refcocog-all" in report and report.count("data:image/jpeg") > 10
