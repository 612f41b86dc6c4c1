"""COCO's average precision against pycocotools, and what must hold where boxes are given."""

import contextlib
import io

import numpy as np
import pytest

from loupe.evals.metrics.coco import Said, Thing, precision
from loupe.regions import Box

NAMES = ("cat", "dog", "car", "tree")


def scene(seed: int, pictures: int = 12, crowds: bool = True):
    """Things of all sizes, boxes near them with names mostly right, and boxes out of the blue; scores all differ."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(pictures):
        true, said = [], []
        for _ in range(int(rng.integers(0, 7))):
            side = float(rng.choice([12, 30, 60, 90, 150]))
            x, y = rng.uniform(0, 300, 2)
            box = Box(x, y, x + side * rng.uniform(0.7, 1.4), y + side)
            true.append(Thing(str(rng.choice(NAMES)), box, box.area * rng.uniform(0.5, 1.0),
                              crowds and bool(rng.random() < 0.15)))
            for _ in range(int(rng.integers(0, 3))):
                d = rng.normal(0, 0.12, 4) * side
                x1, y1, x2, y2 = np.asarray(box.xyxy) + d
                name = true[-1].name if rng.random() < 0.7 else str(rng.choice(NAMES))
                if x2 > x1 and y2 > y1:
                    said.append(Said(name, Box(x1, y1, x2, y2), float(rng.random())))
        for _ in range(int(rng.integers(0, 3))):
            x, y = rng.uniform(0, 300, 2)
            said.append(Said(str(rng.choice(NAMES)), Box(x, y, x + 50, y + 40), float(rng.random())))
        out.append((said, true))
    return out


def official(pictures, names=NAMES) -> list[float]:
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    truth, found = [], []
    for image, (said, true) in enumerate(pictures, 1):
        for t in true:
            truth.append({"id": len(truth) + 1, "image_id": image, "category_id": names.index(t.name) + 1,
                          "bbox": [t.box.x1, t.box.y1, t.box.width, t.box.height], "area": t.area,
                          "iscrowd": int(t.crowd)})
        found += [{"image_id": image, "category_id": names.index(s.name) + 1, "score": s.score,
                   "bbox": [s.box.x1, s.box.y1, s.box.width, s.box.height]} for s in said]
    with contextlib.redirect_stdout(io.StringIO()):
        made = coco.COCO()
        made.dataset = {"images": [{"id": k + 1} for k in range(len(pictures))], "annotations": truth,
                        "categories": [{"id": k + 1, "name": n} for k, n in enumerate(names)]}
        made.createIndex()
        judge = COCOeval(made, made.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [float(v) for v in judge.stats[:6]]


@pytest.mark.parametrize("seed", range(8))
def test_equal_to_pycocotools(seed):
    pictures = scene(seed, crowds=seed % 2 == 0)
    p = precision(pictures)
    mine = [-1.0 if np.isnan(v) else v for v in (p.ap, p.ap50, p.ap75, p.small, p.medium, p.large)]
    assert mine == pytest.approx(official(pictures), abs=1e-6)


def test_more_than_a_hundred_boxes_of_one_name():
    rng = np.random.default_rng(0)
    true = [Thing("cat", Box(10 * k, 0, 10 * k + 8, 8), 64) for k in range(30)]
    said = [Said("cat", Box(10 * k + d, 0, 10 * k + d + 8, 8), float(rng.random())) for k in range(30)
            for d in (0.0, 1.0, 2.0, 3.0, 20.0)]
    p = precision([(said, true)])
    assert [p.ap, p.ap50] == pytest.approx(official([(said, true)])[:2], abs=1e-6)


def test_the_limits_of_sizes_belong_to_both_sides():
    """32 x 32 is small and medium, 96 x 96 medium and large; boxes exactly so large count alike."""
    sides = (32, 96, 20, 120)
    true = [Thing("cat", Box.from_xywh(200 * k, 0, side, side), side ** 2.0) for k, side in enumerate(sides)]
    said = [Said("cat", t.box, 0.5 + k / 10) for k, t in enumerate(true[1:])]
    said += [Said("cat", Box.from_xywh(0, 200 * k, side, side), 0.9 + k / 100) for k, side in enumerate((32, 96), 1)]
    p = precision([(said, true)])
    assert [p.ap, p.ap50, p.ap75, p.small, p.medium, p.large] == pytest.approx(official([(said, true)]), abs=1e-6)


def given(seed: int):
    """Every thing's own box, named rightly seven times of ten; boxes overlap each other freely."""
    rng, out = np.random.default_rng(seed), []
    for _, true in scene(seed):
        said = [Said(t.name if rng.random() < 0.7 else str(rng.choice(NAMES)), t.box, float(rng.random()), own=k)
                for k, t in enumerate(true) if not t.crowd]
        out.append((said, true))
    return out


@pytest.mark.parametrize("seed", range(6))
def test_with_given_boxes_every_threshold_says_the_same(seed):
    p = precision(given(seed))
    assert p.ap50 == p.ap75 == pytest.approx(p.ap, abs=1e-12) and 0 < p.ap < 1


def test_a_box_is_compared_with_its_own_thing():
    """Two boxes that overlap by 0.67: the cat's, called a dog, does not take the dog's place."""
    true = [Thing("cat", Box(0, 0, 100, 100), 1e4), Thing("dog", Box(0, 0, 100, 80), 8e3)]
    said = [Said("dog", true[0].box, 0.9, own=0), Said("cat", true[1].box, 0.8, own=1)]
    assert precision([(said, true)]).ap == 0
    loose = [Said(s.name, s.box, s.score) for s in said]
    assert precision([(loose, true)]).ap50 == 1


def test_all_right_and_nothing_at_all():
    pictures = [([Said(t.name, t.box, 1.0, k) for k, t in enumerate(true)], true) for _, true in scene(3, crowds=False)]
    p = precision(pictures)
    assert p.ap == p.small == p.medium == p.large == 1 and set(p.by_name) == set(NAMES)
    assert np.isnan(precision([]).ap) and precision([([], pictures[0][1] or pictures[1][1])]).ap == 0


def test_equal_to_pycocotools_on_real_annotations(shared_data):
    """Photos with crowds, outlines whose area is not their box's, and boxes a detector might find there."""
    pytest.importorskip("pycocotools.coco")
    from loupe.evals.boxes_asked import outline_area, things
    from loupe.readers import reader

    rng, pictures = np.random.default_rng(0), []
    for record in list(reader("coco")(shared_data / "coco_photos", "val2017")):
        true = [Thing(o.name, o.box, outline_area(o), o.crowd) for o in things(record)]
        said = []
        for t in [t for t in true for _ in range(int(rng.integers(0, 4)))]:
            sides = np.array([t.box.width, t.box.height] * 2)
            x1, y1, x2, y2 = np.asarray(t.box.xyxy) + rng.normal(0, 0.08, 4) * sides
            if x2 > x1 and y2 > y1:
                said.append(Said(t.name if rng.random() < 0.75 else "person", Box(x1, y1, x2, y2), float(rng.random())))
        pictures.append((said, true))
    names = tuple(sorted({t.name for _, true in pictures for t in true} | {"person"}))
    p = precision(pictures)
    mine = [p.ap, p.ap50, p.ap75, p.small, p.medium, p.large]
    assert any(t.crowd for _, true in pictures for t in true) and 0.1 < p.ap < 0.9
    assert mine == pytest.approx(official(pictures, names), abs=1e-6)
