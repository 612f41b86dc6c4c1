"""The command and the page, from a written world to a report."""

from __future__ import annotations

import json

import pytest
from boot_stubs import Seer, folder, opened

from loupe import bootstrapping, world
from loupe.bootstrapping import Rule, Settings
from loupe.bootstrapping.page import report
from loupe.cli import main
from loupe.regions import iou
from loupe.sample import Answer, Found


class Knowing:
    """Knows the world's records: says a true phrase of every second object and "circle" of the rest."""

    name = "knowing"

    def __init__(self, records):
        self.records = {record.id: record for record in records}

    def answer(self, samples):
        for sample in samples:
            record = self.records[sample.record]
            if sample.task == "description":
                box = sample.turns[0].parts[1].regions[0]
                thing = max(record.objects, key=lambda o: iou(o.box, box))
                known = [p.text for p in record.phrases if p.refers and p.object == thing.id]
                text = known[0] if known and int(thing.id) % 2 else "circle"
                yield Answer((text,), (), text, 0.9 if text != "circle" else 0.3)
                continue
            asked = "".join(p for p in sample.turns[0].parts if isinstance(p, str))
            box = next((p.region for p in record.phrases if p.refers and p.text in asked), record.objects[0].box)
            yield Answer((Found(box, 0.5),), (), "", 0.5)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "world"
    world.write(root, 12, seed=4, val=20, world="mini", oddities=0.0)
    return root


def test_the_command_end_to_end(written, tmp_path, monkeypatch, capsys):
    truth = list(world.records(12, 4, "train", world="mini"))
    monkeypatch.setattr("loupe.predictors.load", lambda name, **options: Knowing(truth))
    out = tmp_path / "out"
    command = ["bootstrap", "--model", "any", "--reader", "objects365", "--root", str(written / "objects365"),
               "--out", str(out), "--least-area", "0.1%", "--wordings", "1"]
    assert main(command) == 0
    assert "next: loupe bootstrap report" in capsys.readouterr().out
    assert main(["bootstrap", "report", str(out), "--truth", str(written / "records"), "--by", "combined",
                 "--share", "0.5", "--records", str(tmp_path / "better")]) == 0
    said = capsys.readouterr().out
    assert "right" in said and "pairs on" in said
    page, numbers = (out / "report.html").read_text(), json.loads((out / "report.json").read_text())
    assert numbers["judged"]["boxes"] == numbers["selection"]["described"] > 20
    assert 0 < numbers["judged"]["right"] < numbers["judged"]["boxes"]
    assert numbers["judged"]["scores"]["likelihood"]["area"] == pytest.approx(numbers["judged"]["least area"], abs=0.02)
    for heading in ("Precision against kept share", "Risk and coverage", "Where errors agree with themselves",
                    "Kept pairs", "Rejected pairs", "Kept, though wrong", "Pink, Table 5", "Classes"):
        assert heading in page
    from loupe.readers import reader

    better = reader("records")(tmp_path / "better", "train")
    assert sum(len(r.phrases) for r in better) == numbers["selection"]["kept"]


def test_mistakes_are_one_line(written, tmp_path, capsys):
    assert main(["bootstrap", "--model", "mini"]) == 2 and "--root" in capsys.readouterr().err
    assert main(["bootstrap", "report"]) == 2
    assert main(["bootstrap", "report", str(tmp_path)]) == 2 and "no bootstrapping" in capsys.readouterr().err
    common = ["--root", str(written / "objects365"), "--out", str(tmp_path / "o")]
    assert main(["bootstrap", "--model", "majority", *common]) == 2
    assert main(["bootstrap", "--model", "x", "--least-area", "big", *common]) == 2
    assert main(["bootstrap", "--model", "x", "--by", "luck", *common]) == 2
    assert "unknown score" in capsys.readouterr().err
    for wrong, says in ((["--truth", "x"], "report"), (["--shown", "9"], "--shown"),
                        (["--temperature", "0.7"], "--candidates N"), (["--candidates", "15"], "14 or fewer"),
                        (["--wordings", "14"], "13 or fewer"), (["--iou", "1.5"], "0 to 1"),
                        (["--least-area", "nan"], "0 or more"), (["--least-area", "120%"], "half a per cent"),
                        (["--reader", "objcts365"], "objects365"), (["--split", "test"], "objv2_test.json")):
        assert main(["bootstrap", "--model", "x", *common, *wrong]) == 2
        assert says in capsys.readouterr().err, wrong
    for wrong, says in ((["--shown", "-1"], "0 or more"), (["--model", "mini"], "--model"), (["--flip"], "--flip"),
                        *(([option, value], option) for option, value in (
                            ("--least-area", "50%"), ("--most-objects", "1"), ("--temperature", "0"), ("--seed", "0"),
                            ("--workers", "7"), ("--batch", "0"), ("--reader", "objects365"), ("--dtype", "float32"),
                            ("--device", "cpu"), ("--split", "val"), ("--wordings", "0"))),
                        (["--no-margin"], "--no-margin")):
        assert main(["bootstrap", "report", str(tmp_path), *wrong]) == 2
        assert says in capsys.readouterr().err, wrong
    assert not (tmp_path / "o").exists()


def test_what_a_run_says_at_its_end(written, tmp_path, monkeypatch, capsys):
    """The default filter is for large photos, an endpoint may be away: each is said with what to do."""
    monkeypatch.setattr("loupe.predictors.load", lambda name, **options: Knowing(world.records(12, 4, world="mini")))
    command = ["bootstrap", "--model", "any", "--root", str(written / "objects365"), "--limit", "4", "--out"]
    assert main([*command, str(tmp_path / "small")]) == 0
    said = capsys.readouterr().out
    assert "kept 0 of 0" in said and "--least-area 0.5%" in said and "--retry" not in said

    class Gone(Knowing):
        def answer(self, samples):
            raise ConnectionError
            yield

    monkeypatch.setattr("loupe.predictors.load", lambda name, **options: Gone(()))
    assert main([*command, str(tmp_path / "gone"), "--least-area", "0.1%"]) == 0
    said = capsys.readouterr().out
    assert "the model failed at 4 pictures" in said and "--retry" in said


def test_a_page_without_truth_or_pictures(tmp_path):
    data = folder(tmp_path / "data", [[(20, 20, 30, 40), (60, 30, 25, 25)], [(15, 20, 50, 60)]])
    stored = bootstrapping.run(Seer(), opened(data), tmp_path / "out", Settings(least_area=0, candidates=2))
    page, numbers = report(stored, Rule())
    assert page.count("data:image/png") == 3 and "judged" not in numbers and "Risk" not in page
    for picture in (data / "images" / "train").iterdir():
        picture.unlink()
    page, _ = report(stored, Rule())
    assert "None with a picture to show" in page
