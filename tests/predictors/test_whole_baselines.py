"""What stands beside whole masks and whole pictures, worked out by hand, and beside a model on the command line."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe import cli, world
from loupe.errors import ConfigError
from loupe.evals.grid import squares
from loupe.evals.metrics import measure
from loupe.evals.predictions import prediction
from loupe.image import Image
from loupe.predictors import baseline
from loupe.predictors.baselines import FITTED, FOR
from loupe.record import Record
from loupe.regions import Box, Mask
from loupe.sample import Sample, user


def masked(inside: np.ndarray) -> Sample:
    picture = Image.of(np.zeros((*inside.shape, 3), np.uint8))
    return Sample((picture,), (user("?"),), id="a", extra={"truth": Mask.from_array(inside)})


def figures(metric: str, name: str, sample: Sample, train=None):
    (answer,) = baseline(name, train).answer([sample])
    return measure(metric, [prediction(sample, answer)])


def test_filled_boxes_by_hand():
    """An L of 150 pixels in a box of 200; the middle box shares 50 of its 200 with it; the mean of two training boxes
    holds all of it, and 450 in all."""
    inside = np.zeros((20, 40), bool)
    inside[0:5, 0:10] = inside[5:10, 0:20] = True
    sample = masked(inside)
    train = [Sample(sample.images, sample.turns, extra={"truth": box}) for box in (Box(0, 0, 20, 10),
                                                                                   Box(0, 0, 40, 20))]
    for name, iou in (("true-box-filled", 150 / 200), ("centre-box-filled", 50 / 300), ("mean-box-filled", 150 / 450)):
        found = figures("masks", name, sample, train if name in FITTED else None)
        assert found["cIoU"] == pytest.approx(iou) == found["cIoU of the said box, filled"], name
        assert found["cIoU above the said box"] == 0


def picture(left: tuple, right: tuple, grid: int = 16) -> Sample:
    """Two colours, the border a column of 8 x 8ths."""
    values = np.zeros((64, 64, 3), np.uint8)
    values[:, :24], values[:, 24:] = left, right
    image = Image.of(values)
    return squares(Record(image, 64, 64, "a", "by hand", ""), grid)


def test_colours_by_hand():
    """Three eighths are (0, 0, 0), the others (160, 80, 0): their mean is (100, 50, 0)."""
    sample = picture((0, 0, 0), (160, 80, 0))
    off = (3 / 8 * (100 + 50) + 5 / 8 * (60 + 30)) / 3 / 255
    assert figures("colours", "picture-mean", sample)["error, channel mean"] == pytest.approx(off)
    assert figures("colours", "picture-mean", sample)["mean error of the image mean"] == pytest.approx(off)
    assert figures("colours", "patch-mean", sample)["error, sum"] == 0  # the border is one of patches, too
    length = (3 / 8 * math.sqrt(3 * 128**2) + 5 / 8 * math.sqrt(32**2 + 48**2 + 128**2)) / 255
    assert figures("colours", "grey", sample)["error, L2"] == pytest.approx(length)
    train = [picture((0, 0, 0), (80, 0, 0)), picture((40, 40, 40), (40, 40, 40))]  # (50, 0, 0) and (40, 40, 40)
    fitted = baseline("mean-colour", train)
    assert fitted.identity == {"about": "[45, 20, 20]"}
    total = (3 / 8 * (45 + 20 + 20) + 5 / 8 * (115 + 60 + 20)) / 255
    assert figures("colours", "mean-colour", sample, train)["error, sum"] == pytest.approx(total)
    with pytest.raises(ConfigError, match="fitted"):
        baseline("mean-colour", [])


def test_a_patch_mean_has_the_metrics_own_error():
    """Noise, another filter, a grid of half the patches' places."""
    rng = np.random.default_rng(0)
    image = Image.of(rng.integers(0, 256, (80, 80, 3), dtype=np.uint8))
    sample = squares(Record(image, 80, 80, "a", "by hand", ""), 16, 64, "box")
    found = figures("colours", "patch-mean", sample)
    assert found["mean error"] == pytest.approx(found["mean error of the patch mean"], abs=0.002)
    assert found["way from patch mean to noise floor"] == pytest.approx(0, abs=0.02)


def test_a_torn_picture_is_said(tmp_path):
    Pillow.new("RGB", (64, 64)).save(tmp_path / "a.png")
    torn = Image(path=tmp_path / "a.png")
    sample = squares(Record(torn, 64, 64, "a", "by hand", ""), 16)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    torn = Sample((Image(path=tmp_path / "b.png"),), sample.turns, id="b", extra=sample.extra)
    (answer,) = baseline("patch-mean").answer([torn])
    assert answer.problems[0].kind == "picture"
    (tmp_path / "b.png").write_bytes(b"no picture")
    box = Sample((Image(path=tmp_path / "b.png"),), torn.turns, extra={"truth": Mask.from_array(np.ones((4, 4), bool))})
    (answer,) = baseline("centre-box-filled").answer([box])
    assert answer.problems[0].kind == "picture" and not answer.found


def test_they_stand_beside_a_model(tmp_path, capsys):
    world.write(tmp_path / "data", 3, seed=3, val=3, world="mini")
    (tmp_path / "photos").mkdir()
    for k in range(24):
        Pillow.new("RGB", (64, 64), (10 * k, 0, 0)).save(tmp_path / "photos" / f"{k}.png")
    for given, metric, root in (("true-box-filled mini-masks", "masks", "data"),
                                ("centre-box-filled refcoco-masks-val", "masks", "data"),
                                ("patch-mean mini-pixels", "colours", "data"),
                                ("grey photo-pixels", "colours", "photos")):
        where = f"pictures={tmp_path / root}" if root == "photos" else str(tmp_path / root)
        argv = ["evaluate", *given.split(), "--root", where, "--limit", "2", "--out", str(tmp_path / "out")]
        assert cli.main(argv) == 0
        said = capsys.readouterr().out
        head = next(line for line in said.splitlines() if line.startswith(" ") and given.split()[0] in line)
        assert set(head.split()) == set(FOR[metric]), said
    page = (tmp_path / "out/report.html").read_text()
    assert "picture-mean" in page and "mean-colour" in page
