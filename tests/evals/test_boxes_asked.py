"""Every box of a picture asked about, given or found; what was not found counts; whole pictures under --limit."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.cli import main
from loupe.cli.found_boxes import found_boxes
from loupe.errors import ConfigError, FileError
from loupe.evals import BENCHMARKS, evaluate, open_questions, rescore
from loupe.evals.boxes_asked import read_boxes
from loupe.evals.jitter import jittered, noisy
from loupe.regions import Box, Point, iou
from loupe.sample import Answer
from loupe.tasks import question

THINGS = {1: [(1, 0, 0, 100, 50), (2, 10, 10, 20, 20)], 2: [(1, 0, 0, 90, 90), (1, 100, 0, 90, 90)], 3: [], 4: [
    (3, 50, 10, 100, 80)]}
NAMES = ("cat", "dog", "car")


@pytest.fixture
def root(tmp_path):
    """Four pictures of 200 x 100 with 2, 2, 0 and 1 things; the second also has a crowd of dogs."""
    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    images, annotations = [], []
    for number, boxes in THINGS.items():
        name = f"{number:012d}.jpg"
        Pillow.fromarray(np.full((100, 200, 3), 90, np.uint8)).save(tmp_path / "coco" / "val2017" / name)
        images.append({"id": number, "file_name": name, "width": 200, "height": 100})
        for category, x, y, w, h in boxes:
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": 0,
                                "bbox": [x, y, w, h], "area": w * h, "segmentation": [[x, y, x + w, y, x + w, y + h]]})
    annotations.append({"id": 99, "image_id": 2, "category_id": 2, "iscrowd": 1, "bbox": [0, 0, 200, 100],
                        "area": 20000, "segmentation": {"size": [100, 200], "counts": [0, 20000]}})
    file = tmp_path / "coco" / "annotations" / "instances_val2017.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"images": images, "annotations": annotations,
                                "categories": [{"id": k, "name": n} for k, n in enumerate(NAMES, 1)]}))
    return tmp_path


class Knows:
    """Says the true class, or `wrong` for some questions."""

    name = "knows"

    def __init__(self, wrong=()):
        self.wrong = wrong

    def answer(self, samples):
        for s in samples:
            text = "a zebra" if s.id in self.wrong else f"It is a {s.extra.get('truth', 'cat')}."
            yield Answer((text,), (), text)


def test_given_boxes(root):
    questions = open_questions("coco-classes-val2017", root)
    assert len(questions) == 5 and len({s.extra["picture"] for s in questions.samples}) == 3
    assert all(s.turns == (question("region", kind="name", region=s.extra["box"]),) for s in questions.samples)
    carried = [t for s in questions.samples for t in s.extra.get("truths", ())]
    assert sorted(t["picture"] for t in carried) == ["1", "2", "3", "4"]
    areas = {t["picture"]: [o["area"] for o in t["things"]] for t in carried}
    assert areas["1"] == [2500, 200] and areas["2"][-1] == 20000  # outlines are triangles; the crowd is no question
    result = evaluate(Knows(), questions)
    assert result["accuracy"] == result["AP"] == result["AP50"] == result["AP75"] == 1
    first = next(s for s in questions.samples if s.extra["truth"] == "car")
    worse = evaluate(Knows({first.id}), questions)  # a zebra is like none of the three
    assert dict(worse.scores.unreadable) == {"like no class": 1}
    assert worse["accuracy"] == 0.8 and worse["AP"] == pytest.approx(2 / 3)


def test_points_lie_on_their_things(root):
    for s in open_questions("coco-classes-points-val2017", root).samples:
        (point,) = s.turns[0].parts[1].regions
        box = s.extra["box"]
        assert isinstance(point, Point) and box.x1 <= point.x <= box.x2 and box.y1 <= point.y <= box.y2


def test_limits_keep_pictures_whole(root):
    questions = open_questions("coco-classes-val2017", root)
    for limit in (1, 2, 3, 4):
        some = questions.some(limit)
        numbers = {p: sum(s.extra["picture"] == p for s in some) for p in {s.extra["picture"] for s in some}}
        assert numbers == {p: len(THINGS[int(p)]) for p in numbers} and some


def found(root, boxes):
    path = root / "found.json"
    path.write_text(json.dumps([{"image_id": i, "category_id": 1, "bbox": b, "score": s} for i, b, s in boxes]))
    return path


def test_found_boxes(root):
    """Both cats of picture 2 and picture 4's car, which is called a cat; nothing in picture 1, which counts as missed:
    of cats 2 of 3 are found before a false one, precision 1 up to recall 2/3; dogs and cars are not found."""
    path = found(root, [(2, [0, 0, 90, 80], 0.9), (2, [100, 0, 90, 90], 0.8), (4, [50, 10, 100, 80], 0.7),
                        (4, [500, 10, 10, 10], 0.6), (4, [10, 10, 0, 10], 0.5)])
    questions = open_questions("coco-classes-found-val2017", root, boxes=path)
    assert len(questions) == 3 and "truth" not in questions.samples[0].extra
    result = evaluate(Knows(), questions, scoring={"rank": "box"})
    assert result["AP50"] == pytest.approx(67 / 101 / 3) and "accuracy" not in {f.name for f in result.scores.figures}
    assert result["AP"] < result["AP50"]  # of the one box that is ten pixels short
    (root / "coco" / "boxes_val2017.json").write_bytes(path.read_bytes())
    assert len(open_questions("coco-classes-found-val2017", root)) == 3


def test_found_boxes_that_cannot_be_read(root):
    with pytest.raises(FileError, match="--boxes"):
        open_questions("coco-classes-found-val2017", root)
    path = root / "found.json"
    for text in ("{", "{}", '[{"image_id": 1, "score": 1}]', '[{"image_id": 1, "score": 1, "bbox": [1, 2, 3]}]',
                 '[{"image_id": 1, "score": NaN, "bbox": [1, 2, 3, 4]}]',
                 '[{"image_id": 1, "score": 1, "bbox": [1, 2, -3, 4]}]', '["x"]'):
        path.write_text(text)
        with pytest.raises(FileError):
            read_boxes(path)
    best = found(root, [(1, [0, 0, 5, 5], k / 200) for k in range(150)])
    assert len(read_boxes(best)["1"]) == 100 and read_boxes(best)["1"][0][1] == 149 / 200


def test_kept_answers_are_scored_again(root, tmp_path):
    kept = evaluate(Knows(), "coco-classes-val2017", root, tmp_path / "out")
    again = rescore(kept.path)
    assert again.scores == kept.scores
    assert main(["score", str(kept.path), "--rank", "answer"]) == 0
    assert main(["score", str(kept.path), "--encoder", "magic"]) == 2
    assert main(["score", str(kept.path), "--judge", "http://h/v1"]) == 2


def test_a_sloppy_hand(root):
    samples = open_questions("coco-classes-val2017", root).samples
    s = next(s for s in samples if s.extra["box"] == Box(50, 10, 150, 90))
    boxes = {amount: jittered(s, amount, 0).turns[-1].parts[1].regions[0] for amount in (0.0, 0.1, 0.2, 0.3)}
    assert boxes[0.0] == s.extra["box"] and jittered(s, 0.2, 0) == jittered(s, 0.2, 0) != jittered(s, 0.2, 1)
    moves = {a: np.subtract(b.xyxy, s.extra["box"].xyxy) for a, b in boxes.items()}
    assert np.allclose(moves[0.2], 2 * moves[0.1]) and (abs(moves[0.1]) <= [10, 8, 10, 8]).all()  # one draw for all
    assert iou(boxes[0.3], s.extra["box"]) < iou(boxes[0.1], s.extra["box"]) < 1
    whole = next(s for s in samples if s.extra["box"].x1 == 0)
    for seed in range(20):
        b = jittered(whole, 0.3, seed).turns[-1].parts[1].regions[0]
        assert 0 <= b.x1 < b.x2 <= 200 and 0 <= b.y1 < b.y2 <= 100


def test_questions_without_a_region_cannot_be_moved(root):
    counting = open_questions("coco-counting-val2017", root, "any")
    assert len(counting.moved(0.0, 0)) == len(counting)
    with pytest.raises(ConfigError, match="no region"):
        counting.moved(0.1, 0)
    asked = ["evaluate", "majority", "--root", str(root), "--jitter", "0.1"]
    assert main([*asked, "coco-counting-val2017"]) == 2
    assert main([*asked, "coco-classes-val2017", "--jitter-seeds", "0"]) == 2


def test_boxes_the_refiner_found_belong_to_their_data(root, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("loupe.predictors.found_boxes.find", lambda what, roots, folder, path: (
        made.append((folder, path)), path.parent.mkdir(exist_ok=True), path.write_text("[]"), path)[-1])
    what, out = BENCHMARKS["coco-classes-found-val2017"], tmp_path / "out"
    first = found_boxes("refiner", what, root, out)
    assert found_boxes("refiner", what, root, out) == first and len(made) == 1
    annotations = next((root / "coco").rglob("instances_val2017.json"))
    annotations.write_text(annotations.read_text().replace('"cat"', '"lion"'))
    assert found_boxes("refiner", what, root, out) != first and len(made) == 2
    assert found_boxes("refiner:weights", what, root, out) not in {path for _, path in made[:2]}
    assert found_boxes("dino.json", what, root, out).name == "dino.json" and found_boxes(None, what, root, out) is None


def test_moved_points_stay_near_and_inside(root):
    what = noisy(BENCHMARKS["coco-classes-points-val2017"], 0.3, 2)
    still, sloppy = (open_questions(b, root, "any").samples for b in ("coco-classes-points-val2017", what))
    assert [s.id for s in still] == [s.id for s in sloppy] and what.name == "coco-classes-points-val2017~0.3-2"
    moved = open_questions("coco-classes-points-val2017", root, "any").moved(0.3, 2)
    assert moved == open_questions(what, root, "any") and moved.hash != open_questions(moved.benchmark.name.partition(
        "~")[0], root, "any").hash
    for a, b in zip(still, sloppy):
        p, q = a.turns[0].parts[1].regions[0], b.turns[0].parts[1].regions[0]
        box = a.extra["box"]
        assert abs(p.x - q.x) <= 0.3 * box.width + 1 and abs(p.y - q.y) <= 0.3 * box.height + 1 and p != q
        assert 0 <= q.x < 200 and 0 <= q.y < 100
