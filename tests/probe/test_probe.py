"""Probing pixels: figures by hand, models that see all, less or nothing, and any wording of an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from foreign_models import only_says, write
from PIL import Image as Pillow
from stub_endpoint import said, served

from loupe import cli, world
from loupe.errors import CodecError, ConfigError
from loupe.image import Image, downsampled
from loupe.models import checkpoint
from loupe.probe import figures
from loupe.probe.asking import colour_of, glimpse
from loupe.probe.figures import band_names, classes, cosines, edge_distance, measured, power, rungs
from loupe.probe.tuning import recipe_for, tunable
from loupe.regions import Colour
from loupe.sample import Answer, Problem


def noise(seed: int = 0, n: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, n, 3)).astype(float)


def wave(cycles: float, n: int = 32) -> np.ndarray:
    """A grating of so many cycles over the picture, grey."""
    at = (np.arange(n) + 0.5) / n
    return np.repeat(128 + 100 * np.cos(2 * np.pi * cycles * at)[None, :, None], n, 0).repeat(3, 2)


def test_energy_is_kept_and_falls_into_its_band():
    """Orthonormal rows; the bands together with the mean hold all of the energy; a grating lies in its own band."""
    assert np.allclose(cosines(16) @ cosines(16).T, np.eye(16))
    truth, said = noise(1), noise(2)
    rows = power(said, truth)
    mean = np.square((said - truth).mean((0, 1))).sum() * 32 * 32
    assert sum(e for e, _ in rows) + mean == pytest.approx(np.square(said - truth).sum())
    assert band_names(32) == ["0.5 to 1", "1 to 2", "2 to 4", "4 to 8", "8 to 16"]
    for cycles, band in ((1.5, 1), (3.0, 2), (6.0, 3), (12.0, 4)):
        shares = np.array([t for _, t in power(wave(cycles), wave(cycles))])
        assert shares[band] / shares.sum() > 0.99


def test_captured_shares():
    """All of a picture seen as it is, none of one said flat, less than none of noise added; a low pass by halves."""
    low, high = wave(1.5) - 128, wave(12.0) - 128
    truth = 128 + low / 2 + high / 2
    by = {f.name: f.value for f in measured("half", [128 + low / 2], [truth]).captured}
    assert by["1 to 2"] == pytest.approx(1, abs=0.01) and by["8 to 16"] == pytest.approx(0, abs=0.01)
    assert all(f.value == 1 for f in measured("all", [truth], [truth]).captured)
    flat = measured("flat", [np.full_like(truth, truth.mean())], [truth])
    assert all(f.value == pytest.approx(0, abs=1e-6) for f in flat.captured)
    assert measured("noise", [noise()], [noise(3)]).captured[2].value < 0
    errors = {f.name: f.value for f in flat.errors}
    assert errors["sum"] == pytest.approx(3 * errors["channel mean"])


def test_edges_by_hand():
    """A black and a white half: the two columns beside the border are edges, distances count away from them."""
    truth = np.zeros((16, 16, 3))
    truth[:, 8:] = 255
    assert edge_distance(truth)[3].tolist() == [7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert (edge_distance(np.full((16, 16, 3), 90.0)) == 10**6).all()
    said = truth.copy()
    said[:, 7:9] = 127.5
    off = {f.name: f.value for f in measured("soft", [said], [truth]).distances}
    assert off["on an edge"] == pytest.approx(0.5) and off["1 pixel off"] == 0 and "8 or more" not in off


def test_colours_by_hand():
    names = {"black": (10, 10, 20), "white": (250, 250, 245), "grey": (120, 125, 122), "red": (200, 20, 30),
             "orange": (230, 140, 20), "yellow": (230, 220, 30), "green": (30, 160, 60), "blue": (30, 90, 220),
             "purple": (120, 40, 200), "pink": (230, 60, 190)}
    pixels = np.array([[colour] for colour in names.values()], float)
    assert [figures.COLOURS[k] for k in classes(pixels)[:, 0]] == list(names)
    said, truth = np.zeros((4, 4, 3)), np.zeros((4, 4, 3))
    truth[:2] = (255, 0, 0)
    by = {f.name: f.value for f in measured("red", [said], [truth]).colours}
    assert by == {"black": 0, "red": pytest.approx(1 / 3)}
    blank = np.zeros((4, 4, 3))
    red = {f.name: f for f in measured("red", [said, blank], [truth, blank]).colours}["red"]
    assert red.low == red.high == pytest.approx(1 / 3)  # one picture alone has red pixels
    pairs = figures.said_colours([said], [truth])
    assert pairs["red"] == ((255, 0, 0), (0, 0, 0))


@pytest.mark.parametrize("text, colour", [
    ("[31, 6,108]", (31, 6, 108)), ("The colour is rgb(200, 10, 7).", (200, 10, 7)), ("#ff8000", (255, 128, 0)),
    ("R: 12", None), ("Red: 12, green 40, Blue = 7", (12, 40, 7)), ("1 and 2 and 3", None), ("(300, 2, 1)", None),
    ("at 0.5, 20, 30 it is 1, 2, 3", (1, 2, 3)), ("1, 2, 3, 4", None), ("red", None), ("255 255 0", (255, 255, 0))])
def test_colours_in_any_words(text, colour):
    assert colour_of(Answer((text,), (), text)) == (Colour(*colour) if colour else None)


class Painter:
    """Answers by looking at the picture itself: exactly, with words around, or not at all."""

    name = "painter"

    def __init__(self, says="{}, {}, {}", kinds=None):
        self.says, self.asked = says, []
        if kinds is not None:
            self.codec = type("C", (), {"groups": [type("G", (), {"kinds": kinds})()]})()

    def answer(self, samples):
        for s in samples:
            self.asked.append(s)
            regions = [r for p in s.turns[0].parts if hasattr(p, "regions") for r in p.regions]
            if not regions:
                yield Answer((), (Problem("question", str(CodecError("no points")), 0),))
                continue
            width, height = s.images[0].size
            small = downsampled(s.images[0], 8)
            r, g, b = small[int(regions[0].y * 8 / height), int(regions[0].x * 8 / width)].tolist()
            text = self.says.format(r, g, b)
            yield Answer((text,), (), text)


def picture(width: int = 40, height: int = 30) -> Image:
    return Image.of(np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8))


def test_any_predictor_is_asked_the_same():
    image = picture()
    seen = glimpse(Painter("The pixel is [{}, {}, {}] I think"), image, 8)
    assert (seen.said == downsampled(image, 8)).all() and not seen.unread
    painter = Painter(kinds=("box", "point"))
    glimpse(painter, image, 8)
    assert painter.asked[0].task == "reconstruction" and len(painter.asked) == 64
    assert painter.asked[9].turns[0].parts[1].regions[0].x == pytest.approx(1.5 * 40 / 8)
    worded = Painter(kinds=("box",))  # its codec has no points: the place is said in words
    seen = glimpse(worded, image, 8)
    assert "18.8 % from the left and 6.2 % from the top" in worded.asked[1].turns[0].parts[0]
    assert seen.unread == {"question": 64} and len(np.unique(seen.said.reshape(-1, 3), axis=0)) == 1
    half = glimpse(Painter("{0} is the red"), image, 8)
    assert half.unread == {"no colour": 64}
    for wrong in ({"n": 1}, {"n": 8, "place": "by hand"}):
        with pytest.raises(ConfigError):
            glimpse(Painter(), image, **wrong)


def test_the_ladder_is_measured_beside(shared_data):
    """On real photos: less blur holds more, and the finest band tells the blurs apart."""
    photos = [Image(path=p) for p in sorted((shared_data / "coco_photos/images").rglob("*.jpg"))[:6]]
    truth = figures.truths(photos, 64)
    rows = {name: measured(name, small, truth) for name, small in rungs(photos, 64).items()}
    fine = {name: m.captured[-1].value for name, m in rows.items()}
    middle = {name: {f.name: f.value for f in m.captured}["4 to 8"] for name, m in rows.items()}
    assert fine["flat"] == pytest.approx(0) and fine["16 x 16 blur"] < 0.2 < fine["32 x 32 blur"] + 0.2
    assert middle["flat"] < 0.01 < 0.6 < middle["16 x 16 blur"] < middle["32 x 32 blur"] <= 1
    edges = {f.name: f.value for f in rows["16 x 16 blur"].distances}
    assert edges["on an edge"] > 2 * edges["2 to 3"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    out = tmp_path_factory.mktemp("photos") / "data"
    world.write(out, 2, seed=2, val=10, world="mini")
    return out / "coco" / "val2017"


def test_the_command(carried, photos, tmp_path, capsys, monkeypatch):
    argv = ["probe", "mini", str(photos), "--size", "8", "--limit", "3", "--device", "cpu", "--out",
            str(tmp_path / "out")]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    assert "3 pictures, 8 x 8" in said and said.count("\nflat") == 2 and "2 to 4" in said and "nearest" in said
    about = json.loads((tmp_path / "out/probe.json").read_text())
    assert about["rows"][0]["name"] == "mini" and about["rows"][0]["unread"] == 0
    page = (tmp_path / "out/report.html").read_text()
    assert "By spatial frequency" in page and "By distance to edges" in page and "mini: error" in page
    from loupe.predictors.checkpoint import Model

    monkeypatch.setattr(Model, "look", lambda *a, **k: pytest.fail("asked again"))
    assert cli.main(argv) == 0 and capsys.readouterr().out == said


def test_after_a_little_training(carried, photos, tmp_path, capsys):
    """Every part that may learn is a row; only pictures of the other side are asked about."""
    argv = ["probe", "mini", str(photos), "--size", "4", "--device", "cpu", "--out", str(tmp_path), "--steps", "2",
            "--tune", "vision,connector,language"]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    rows = [line.split("  ")[0] for line in said.splitlines()]
    assert rows.index("mini + connector") < rows.index("mini + language") < rows.index("mini + vision")
    from loupe.readers import reader

    count = len(reader("pictures")(photos, "val"))
    assert f"({count} picture{'s' * (count != 1)}, 4 x 4)" in said
    assert all((tmp_path / f"tuned-{part}" / "model").is_dir() for part in ("connector", "language", "vision"))
    trains = recipe_for("mini", "connector").stages[0].tune
    assert [type(t).__name__ for t in (trains.vision, trains.bridge, trains.language)] == ["Frozen", "Full", "Frozen"]


def test_bad_input(carried, photos, tmp_path, capsys):
    for argv, says in (
            (["mini", str(photos), "--size", "0"], "two pixels"), (["mini", "nowhere.png"], "does not exist"),
            (["mini", str(photos), "--limit", "0"], "--limit"), (["whole-image", str(photos)], "does not look"),
            (["mini", str(photos), "--tune", "conector"], "did you mean 'connector'"),
            (["mini", str(next(photos.iterdir())), "--tune", "vision"], "one folder"),
            (["mini", str(photos), "--place", "nowhere"], "cannot be said so")):
        assert cli.main(["probe", *argv, "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert says in error and "Traceback" not in error
    (tmp_path / "torn.png").write_bytes(b"no picture")
    assert cli.main(["probe", "mini", str(tmp_path / "torn.png"), "--out", str(tmp_path / "out")]) == 2
    assert "no picture to ask about" in capsys.readouterr().err
    Pillow.new("RGB", (8, 8)).save(tmp_path / "good.png")
    assert cli.main(["probe", "mini", str(tmp_path / "torn.png"), str(tmp_path / "good.png"), "--size", "2", "--out",
                     str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert "left out: not a picture" in capsys.readouterr().out


def alone(folder) -> tuple[Path, np.ndarray]:
    """(a folder with one picture, the picture squeezed to 4 x 4)"""
    folder.mkdir()
    picture().pillow().save(folder / "noise.png")
    return folder, downsampled(picture(), 4).astype(float)


def rows(folder) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads((folder / "probe.json").read_text())["rows"]}


def test_an_endpoint(photos, tmp_path, capsys):
    """It looks at the picture it is sent, where it is asked: all is seen but the one place it says nothing about."""
    def seer(body, pictures):
        across, down = (float(v) for v in re.findall(r"([\d.]+) % from", said(body)))
        x, y = int(across / 25), int(down / 25)
        if (x, y) == (2, 1):
            return "That is hard to say."
        return "It is rgb({}, {}, {}).".format(*downsampled(Image.of(pictures[0]), 4)[y, x])

    folder, truth = alone(tmp_path / "pictures")
    words = [str(folder), "--size", "4", "--place", "words", "--out", str(tmp_path / "out")]
    with served(seer) as (url, stub):
        assert cli.main(["probe", url, *words]) == 0
        assert "seer" in capsys.readouterr().out and len(stub.bodies) == 16
        assert cli.main(["probe", url, *words]) == 0 and len(stub.bodies) == 16  # nothing is asked twice
        assert cli.main(["probe", url, str(photos), "--tune", "vision", "--out", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert "behind an endpoint cannot be tuned" in error and "Traceback" not in error
    found = rows(tmp_path / "out")
    assert found["seer"]["unread"] == 1
    seen = Image(path=next((tmp_path / "out/seer").glob("*.png"))).array().astype(float)
    assert np.flatnonzero(np.abs(seen - truth).max(-1) > 1).tolist() == [1 * 4 + 2]
    assert 0 < found["seer"]["errors"]["sum"]["value"] < found["flat"]["errors"]["sum"]["value"] / 4


def test_a_llava_of_transformers(tmp_path, capsys):
    """Through its own codec, marks and tower; what it says is known: a colour in any spelling, or none."""
    place, (folder, truth) = write("llava", tmp_path / "llava"), alone(tmp_path / "pictures")
    for words, colour, unread in (("#123456", (0x12, 0x34, 0x56), 0), ("Wel", np.rint(truth.mean((0, 1))), 16)):
        only_says(place, words)
        out = tmp_path / f"out{unread}"
        assert cli.main(["probe", str(place), str(folder), "--size", "4", "--device", "cpu", "--out", str(out)]) == 0
        found = rows(out)["llava"]
        assert found["unread"] == unread
        assert found["errors"]["channel mean"]["value"] == pytest.approx(np.abs(truth - colour).mean() / 255, abs=1e-3)
    capsys.readouterr()
    assert cli.main(["probe", str(place), str(tmp_path / "nothing.png"), "--out", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_two_llavas_of_one_name_are_two(tmp_path):
    first, second = (write("llava", tmp_path / side / "llava") for side in ("a", "b"))
    one, other = (tunable(str(place), tmp_path / "out") for place in (first, second))
    assert one == str(tmp_path / "out/llava") != other and Path(other, "model", checkpoint.MANIFEST).is_file()
    assert [tunable(str(place), tmp_path / "out") for place in (first, second)] == [one, other], "each once"


def test_a_llava_after_a_little_training(photos, tmp_path, capsys):
    """Taken apart once, then tuned part by part: what may not learn stays as it was released, number for number."""
    place, out = write("llava", tmp_path / "llava"), tmp_path / "out"
    argv = ["probe", str(place), str(photos), "--size", "4", "--device", "cpu", "--out", str(out), "--steps", "1",
            "--lr", "0.01", "--limit", "1", "--tune", "connector,language,vision"]
    assert cli.main(argv) == 0
    said_rows = rows(out)
    assert list(said_rows)[:4] == ["llava", "llava + connector", "llava + language", "llava + vision"]
    assert all(said_rows[name]["unread"] == 0 for name in list(said_rows)[:4])
    begun = {name: t for name, t in checkpoint.load(out / "imported/llava/model").named_parameters()}
    for part, learns in (("connector", {"bridge"}), ("language", {"bridge", "language"}),
                         ("vision", {"bridge", "language", "vision"})):
        after = checkpoint.load(out / f"tuned-{part}/model")
        changed = {name.split(".")[0] for name, t in after.named_parameters()
                   if name not in begun or not t.equal(begun[name])}
        assert changed == learns
    before = (out / "imported/llava/model/manifest.json").stat().st_mtime_ns
    capsys.readouterr()
    assert cli.main(argv) == 0 and (out / "imported/llava/model/manifest.json").stat().st_mtime_ns == before
    other = write("qwen2_vl", tmp_path / "qwen")
    assert cli.main(["probe", str(other), str(photos), "--tune", "vision", "--out", str(tmp_path / "none")]) == 2
    assert "only a LLaVA can be tuned: got qwen2_vl" in capsys.readouterr().err
