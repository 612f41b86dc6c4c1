"""The demo in small: all its steps, a stop in the middle, and going on."""

import json

import pytest

from loupe import cli

SMALL = ["talk.steps=2", "talk.batch=16", "talk.precision=float32", "model.language.max_length=512"]


def test_the_whole_job_survives_a_stop(carried, tmp_path, monkeypatch, capsys):
    """With stand-ins for what the package carries: they know nothing, so answers are cut short."""
    from loupe.evals import runner

    out = tmp_path / "demo"
    argv = ["demo", "--out", str(out), "--images", "12", "--limit", "3", "--benchmarks", "mini-grounding",
            "mini-counting", "--", *SMALL]
    measure = runner.evaluate

    def stop(predictor, *args, **more):
        if predictor.name == "mini-demo":
            raise KeyboardInterrupt
        return measure(predictor, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr("loupe.evals.runner.evaluate", stop)
        assert cli.main(argv) == 130
    assert "run the same command again" in capsys.readouterr().err
    weights = next((out / "run/model").glob("*.safetensors"))
    trained, corpus = weights.stat().st_mtime_ns, (out / "corpus/manifest.json").read_bytes()
    (asked,) = out.glob("predictions/mini-*/mini-grounding.jsonl")  # of these weights: other ones are asked anew
    assert asked.parent.name == f"mini-{json.loads(asked.read_text().splitlines()[0])['model']['weights'][:8]}"
    kept = asked.read_bytes()
    assert not (out / "report.html").exists()

    assert cli.main(argv) == 0
    said = capsys.readouterr().out.strip().splitlines()[-1]
    assert "report.html" in said and f"loupe chat {out}/data" in said
    assert weights.stat().st_mtime_ns == trained and (out / "corpus/manifest.json").read_bytes() == corpus
    assert asked.read_bytes() == kept
    report = (out / "report.html").read_text("utf-8")
    for words in ("mini-grounding", "whole-image", "mean-box", "majority", "Asked about regions: mini",
                  "Asked about regions: mini-demo", "What to run next", "loupe evaluate"):
        assert words in report, words
    assert report.count('class="card"') > 12 and "http" not in report.replace("http-equiv", "")
    assert (out / "answer.png").is_file()
    assert set(json.loads((out / "demo.json").read_text())["seconds"]) >= {"train another from its parts", "report"}

    assert cli.main(["demo", "--out", str(out), "--seed", "1"]) == 2
    assert "another demo" in capsys.readouterr().err


def test_without_weights_it_says_so_before_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("loupe.shipped.home", lambda: tmp_path / "empty")
    assert cli.main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "carries no weights of 'mini'" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_a_folder_with_other_files_is_left_alone(carried, tmp_path, capsys):
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
