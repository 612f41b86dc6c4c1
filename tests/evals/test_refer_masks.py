"""Masks on RefCOCO's layouts: the box first, then questions inside it; truth from instances.json."""

from __future__ import annotations

import numpy as np
import pytest

from loupe import world
from loupe.evals import BENCHMARKS, evaluate, open_questions
from loupe.evals.grid import Masks, places
from loupe.readers import reader
from loupe.regions import Box, Colour, Mask, contains
from loupe.sample import Answer, Found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("masks") / "data"
    world.write(out, 4, seed=3, val=4, world="mini")
    return out


class Knows:
    """Says the true box (or another), and of every place whether it lies on the true mask."""

    name = "knows"

    def __init__(self, truths: dict, box=lambda mask: mask.box, yes: str = "yes"):
        self.truths, self.box, self.yes, self.asked = truths, box, yes, []

    def answer(self, samples):
        for s in samples:
            if s.task == "grounding":
                box = self.box(self.truths[s.id])
                yield Answer((Found(box),) if box else ("it is not there",), (), "said")
            else:
                point, = (r for p in s.turns[0].parts if hasattr(p, "regions") for r in p.regions)
                self.asked.append(point)
                on = contains(self.truths[s.id.rsplit("#", 1)[0]], point)
                yield Answer((self.yes if on else "no",))


def test_truth_and_counts(root):
    questions = open_questions("refcoco-masks-val", root)
    plain = open_questions("refcoco-val", root)
    assert questions.expected == len(questions) == len(plain)
    assert BENCHMARKS["refcoco-masks-val"].count == 10834 and BENCHMARKS["refcocog-masks-test"].count == 9602
    boxes = {s.id: s.extra["truth"] for s in plain.samples}
    for s in questions.samples:
        mask = s.extra["truth"]
        assert isinstance(mask, Mask) and (mask.width, mask.height) == s.images[0].size
        assert np.abs(np.subtract(mask.box.xyxy, boxes[s.id].xyxy)).max() <= 1.5
    few, more = ([s.id for s in questions.some(n)] for n in (2, 4))
    assert few == [s.id for s in open_questions("refcoco-masks-val", root).some(2)] and len(few) == 2
    assert set(few) < set(more) and len(more) == 4 < len(questions)  # each choice is part of a larger one
    assert more != [s.id for s in questions.samples[:4]]  # drawn from the whole split


def test_the_box_first_then_inside_it(root):
    samples = open_questions("refcoco-masks-val", root).samples[:3]
    truths = {s.id: s.extra["truth"] for s in samples}
    whole, inside = Knows(truths), Knows(truths)
    everywhere = list(Masks(whole, 32).answer(samples))
    held = list(Masks(inside, 32, True).answer(samples))
    assert len(whole.asked) == 3 * 32 * 32 and len(inside.asked) < len(whole.asked) / 3
    for a, b, s in zip(everywhere, held, samples):
        mask, mine = a.found[1].region, b.found[1].region
        assert mine.area and not (mine.array() & ~mask.array()).any()  # nothing outside the box
        box = truths[s.id].box
        expected = sum(contains(box, p) for p in places(*s.images[0].size, 32))
        assert f"of {expected} places" in b.raw and b.found[0].region == box
    missing = list(Masks(Knows(truths, lambda mask: None), 8, True).answer(samples[:1]))[0]
    assert missing.found[0].region.area == 0 and [p.kind for p in missing.problems] == ["no box"]
    tiny = Knows(truths, lambda mask: Box(0, 0, 1, 1))
    assert list(Masks(tiny, 4, True).answer(samples[:1]))[0].raw == "0 of 1 places" and len(tiny.asked) == 1
    odd = list(Masks(Knows(truths, yes="perhaps"), 8, True).answer(samples[:1]))[0]
    assert odd.problems[0].kind == "neither yes nor no"


def test_scores_beside_filled_boxes(root, tmp_path):
    questions = open_questions("refcoco-masks-val", root)
    truths = {s.id: s.extra["truth"] for s in questions.samples}
    result = evaluate(Knows(truths), questions, root, tmp_path, limit=6, progress=False)
    assert result["cIoU"] > 0.75 and result["gIoU"] > 0.7  # 64 x 64 places of 96 pixels
    assert result["cIoU of the said box, filled"] == result["cIoU of the true box, filled"] < result["cIoU"] + 0.3
    main = result.scores.main
    assert main.low < main.value < main.high and main.count == 6
    again = evaluate(Knows({}), questions, root, tmp_path, limit=6, progress=False)  # kept answers are not asked again
    assert again.scores == result.scores


def test_filled_outlines_are_cocos(shared_data):
    """Against pycocotools on real annotations: boundary pixels alone may differ."""
    coder = pytest.importorskip("pycocotools.mask")
    assert len(open_questions("refcocog-masks-all", shared_data / "coco_photos", count="any")) > 0
    hits, union, seen = 0, 0, 0
    for record in reader("coco")(shared_data / "coco_photos", "val2017")[:12]:
        for thing in record.objects:
            if isinstance(thing.shape, Mask) or not thing.shape or thing.box.area < 2000:
                continue
            rings = [[v for p in ring.points for v in p] for ring in thing.shape]
            theirs = coder.decode(coder.merge(coder.frPyObjects(rings, record.height, record.width))) > 0
            mine = Mask.from_polygons(thing.shape, record.width, record.height).array()
            hits, union, seen = hits + (mine & theirs).sum(), union + (mine | theirs).sum(), seen + 1
    assert seen >= 20 and hits / union > 0.97


def test_pixels_of_any_folder(shared_data, tmp_path):
    """Pictures of the kept side alone; the ladder stands beside every reading of the error."""
    questions = open_questions("photo-pixels", {"pictures": shared_data / "coco_photos/images"})
    held = {r.image.content_hash for r in reader("pictures")(shared_data / "coco_photos/images", "val")}
    assert {s.images[0].content_hash for s in questions.samples} == held and 5 <= len(held) <= 30

    class Grey:
        name, whole = "grey", True

        def answer(self, samples):
            yield from (Answer((Colour(128, 128, 128),) * 64 ** 2) for _ in samples)

    result = evaluate(Grey(), questions, limit=3, progress=False)
    said = str(result)
    for reading in ("channel mean", "L2", "sum"):
        assert f"error, {reading}" in said and f"- 16 x 16 blur, {reading}" in said and f"- flat, {reading}" in said
    assert result["error, sum"] > result["- flat, sum"] > result["- 16 x 16 blur, sum"]
