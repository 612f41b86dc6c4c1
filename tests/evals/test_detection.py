"""Found against true things: by hand, and against pycocotools."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from loupe.evals.metrics.detection import Seen, average_precision, pairs, rates
from loupe.regions import Box


def test_the_best_score_chooses_first():
    """The second found box overlaps more, but the first has spoken; another name or a poor overlap finds nothing."""
    true = [Seen(Box(0, 0, 10, 10), "cup"), Seen(Box(20, 0, 30, 10), "cup")]
    found = [Seen(Box(0, 0, 10, 10), "cup", 0.5), Seen(Box(0, 0, 10, 9), "cup", 0.9),
             Seen(Box(20, 0, 30, 10), "ball", 0.8), Seen(Box(20, 0, 30, 4), "cup", 0.7)]
    assert pairs(found, true) == [(1, 0)]
    assert rates([(found, true)]) == pytest.approx((1 / 4, 1 / 2, 1 / 3))
    assert rates([([], [])]) == (0, 0, 0) and average_precision([]) == 0


def drawn(seed: int) -> list:
    """Ten pictures of true boxes of three names, and found ones: shaken, doubled, misnamed, missing."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(10):
        true, found = [], []
        for _ in range(rng.integers(0, 7)):
            x, y, w, h = rng.uniform(0, 60), rng.uniform(0, 60), *rng.uniform(8, 30, 2)
            name = "abc"[rng.integers(3)]
            true.append(Seen(Box(x, y, x + w, y + h), name))
            for _ in range(rng.integers(0, 3)):
                dx, dy = rng.normal(0, 3, 2)
                said = name if rng.random() < 0.8 else "abc"[rng.integers(3)]
                found.append(Seen(Box(x + dx, y + dy, x + dx + w, y + dy + h), said, float(rng.random())))
        pictures.append((found, true))
    return pictures


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("least", [0.5, 0.75])
def test_average_precision_against_pycocotools(seed, least):
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    pictures = drawn(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        truth, said = coco.COCO(), []
        rows = []
        for k, (found, true) in enumerate(pictures):
            rows += [{"id": len(rows) + j + 1, "image_id": k, "category_id": "abc".index(t.name) + 1, "iscrowd": 0,
                      "bbox": [t.region.x1, t.region.y1, t.region.width, t.region.height], "area": t.region.area}
                     for j, t in enumerate(true)]
            said += [{"image_id": k, "category_id": "abc".index(f.name) + 1, "score": f.score,
                      "bbox": [f.region.x1, f.region.y1, f.region.width, f.region.height]} for f in found]
        truth.dataset = {"images": [{"id": k} for k in range(10)], "annotations": rows,
                         "categories": [{"id": k + 1, "name": n} for k, n in enumerate("abc")]}
        truth.createIndex()
        judge = evaluation.COCOeval(truth, truth.loadRes(said), "bbox")
        judge.params.iouThrs, judge.params.areaRng, judge.params.areaRngLbl = np.array([least]), [[0, 1e10]], ["all"]
        judge.params.maxDets = [100]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    assert average_precision(pictures, least) == pytest.approx(precision[precision > -1].mean(), abs=1e-6)
