"""Without a model's name the miniature of the package answers."""

from pathlib import Path

from loupe import cli, world


def test_the_miniature_answers_by_default(carried, tmp_path, capsys, monkeypatch):
    world.write(tmp_path / "data", 2, seed=1, val=2, world="mini")
    one, two = (str(path) for path in sorted((tmp_path / "data/coco/val2017").iterdir()))
    short = ["--say", "What is in @box(4,6,41,50)?", "--max-tokens", "6"]
    said = []
    for argv in ([one], ["mini", one], [one, two], ["mini", one, two], [str(carried / "mini"), one]):
        assert cli.main(["chat", *argv, *short]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[4] and said[2] == said[3]
    assert cli.main(["chat", str(tmp_path)]) == 2
    assert "no picture is named" in capsys.readouterr().err
    assert cli.main(["chat", "loupe/tower", one]) == 2
    assert "a part alone is no model" in capsys.readouterr().err


def test_the_miniature_is_measured_by_its_name(carried, tmp_path, capsys, monkeypatch):
    """Its answers go beside the working directory, never into the package."""
    world.write(tmp_path / "data", 4, seed=1, val=2, world="mini")
    monkeypatch.chdir(tmp_path)
    Path("mini").mkdir()  # a folder of that name changes nothing
    assert cli.main(["evaluate", "mini", "mini-counting", "--root", "data", "--limit", "2", "--max-tokens", "4"]) == 0
    assert (tmp_path / "evaluation/mini/mini-counting.jsonl").is_file() and not list(Path("mini").iterdir())
    assert sorted(p.name for p in carried.iterdir()) == ["language", "mini", "tower", "vision"]
