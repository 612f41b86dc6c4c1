"""What a refiner is taught: targets by hand and mirrored, each loss alone, a batch learnt by heart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from loupe import world
from loupe.errors import ImageError
from loupe.frame import squash
from loupe.image import Image
from loupe.models.refined import refine
from loupe.models.refiner import Refiner, RefinerConfig
from loupe.record import Object, Record
from loupe.regions import Box, iou
from loupe.training.pretraining import Drawn, Words
from loupe.training.refiner_recipe import LOSSES
from loupe.training.refiner_run import _scores
from loupe.training.refining import (
    EACH,
    GROUND,
    UNKNOWN,
    RefinerWork,
    Refining,
    best_score,
    class_loss,
    mask_loss,
    overlaps,
    stacked,
    strongest,
    targets,
    thing_losses,
    within,
)

WORDS = Words(("cup", "ball"), ("red", "small"))
CONFIG = RefinerConfig(classes=["cup", "ball"], attributes=["red", "small"], size=16, widths=[8, 8, 8, 16], neck=8,
                       state_width=16, mask_width=8, masks=4)


def record(*objects: Object, side: int = 16) -> Record:
    return Record(Image.of(np.zeros((side, side, 3), np.uint8)), side, side, "1", "hand", objects=objects)


def seen(scenes):
    return Refiner(CONFIG).eval()(scenes.pixels)


@pytest.fixture()
def scene() -> Record:
    """16 x 16, sixteen locations: a cup on the left half, a ball in front of its lower part, a crowd at the right."""
    return record(Object("1", Box(0, 0, 8, 16), ("cup",), ("red",)), Object("2", Box(4, 8, 8, 16), ("ball",)),
                  Object("3", Box(12, 0, 16, 16), ("cup",), crowd=True),
                  Object("4", Box(0, 0, 4, 4), ("handle",), part_of="1"),
                  Object("5", Box(8, 0, 12, 4), ("lamp",), ("blue",)))


def test_targets_by_hand(scene):
    made = targets(scene, squash(16, 16, 16), WORDS)
    assert made.cell.reshape(4, 4).tolist() == [[0, 0, 2, UNKNOWN], [0, 0, GROUND, UNKNOWN],
                                                [0, 1, GROUND, UNKNOWN], [0, 1, GROUND, UNKNOWN]]
    assert (made.owner[::4, ::4] == made.cell.reshape(4, 4)).all() and made.owner.shape == (16, 16)
    assert made.kind.tolist() == [0, 1, -1], "a lamp is none of the words"
    assert made.box.tolist() == [[0, 0, 0.5, 1], [0.25, 0.5, 0.5, 1], [0.5, 0, 0.75, 0.25]]
    assert made.traits[0].tolist() == [1, 0] and np.isnan(made.traits[1]).all() and made.traits[2].tolist() == [0, 0]
    assert made.tags.tolist() == [1, 1, 1, 0]


def test_mirrored_targets_are_those_of_the_mirrored_picture():
    found = next(iter(world.records(1, seed=5, world="mini")))
    frame = squash(96, 96, 96)
    got = targets(found, frame, Words.of([found])).mirrored()
    expected = targets(found, replace(frame, flip=True), Words.of([found]))
    for name, value in vars(got).items():
        assert np.allclose(value, getattr(expected, name), atol=1e-6, equal_nan=True), name


def test_a_picture_without_things():
    made = targets(record(), squash(16, 16, 16), WORDS)
    assert (made.cell == GROUND).all() and made.tags.sum() == 0
    scenes = stacked([made, made], CONFIG)
    total, terms = Refining(Refiner(CONFIG))(scenes)
    assert math.isfinite(total.detach()) and terms[0] > 0 and terms[1:5].tolist() == [0, 0, 0, 0]


def test_class_loss(scene):
    """Ground and known classes count, crowds and rarer classes do not."""
    scenes = stacked([targets(scene, squash(16, 16, 16), WORDS)] * 2, CONFIG)
    sight = seen(scenes)
    sight = replace(sight, kind=torch.zeros_like(sight.kind))
    assert float(class_loss(sight, scenes)) == pytest.approx(2 * 11 * math.log(3), rel=1e-5)
    wanted = torch.full((2, 16), 0)
    wanted[:, [0, 1, 4, 5, 8, 12]], wanted[:, [9, 13]] = 1, 2
    known = torch.nn.functional.one_hot(wanted, 3) * 50.0
    assert float(class_loss(replace(sight, kind=known), scenes)) == pytest.approx(0, abs=1e-5)


def test_thing_losses_weigh_things_alike(scene):
    scenes = stacked([targets(scene, squash(16, 16, 16), WORDS)], CONFIG)
    sight = seen(scenes)
    sight = replace(sight, traits=torch.zeros_like(sight.traits), quality=torch.zeros_like(sight.quality),
                    box=scenes.box[scenes.cell.clamp(0, 2)])
    traits, box, quality = thing_losses(sight, scenes)
    assert float(traits) == pytest.approx(4 * math.log(2), rel=1e-5), "the ball's attributes are not annotated"
    assert float(box) == pytest.approx(0, abs=1e-5) and float(quality) == pytest.approx(3 * math.log(2), rel=1e-5)


def test_overlaps_against_regions():
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.random((2, 50, 2, 2)), 2).reshape(2, 50, 4).astype(np.float32)
    plain, generalised = overlaps(*torch.from_numpy(boxes))
    assert plain.tolist() == pytest.approx([iou(Box(*map(float, a)), Box(*map(float, b))) for a, b in zip(*boxes)],
                                           abs=1e-5)
    apart = overlaps(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[3.0, 0, 4, 1]]))
    assert [float(v) for v in apart] == [0, -0.5] and (generalised <= plain + 1e-6).all()


def test_strongest_and_within():
    thing, score = torch.tensor([0, 2, 0, 2, 2]), torch.tensor([0.1, 0.5, 0.3, 0.5, 0.2])
    assert strongest(thing, score, 4).tolist() == [2, 1], "things without a location have none, ties go to the first"
    inside = within(torch.tensor([[0.5, 0.25, 0.75, 0.5]]), 8)[0]
    assert inside.sum(0).tolist() == [0, 0, 0, 4, 4, 4, 4, 0] and inside.sum(1).tolist() == [0, 4, 4, 4, 4, 0, 0, 0]
    assert float(best_score(torch.tensor([0.0, 50.0, 0.0]), torch.tensor(0.0))) == pytest.approx(0.5)


def test_mask_loss(scene):
    """A mask that is exactly right costs nothing, the opposite one much."""
    scenes = stacked([targets(scene, squash(16, 16, 16), WORDS)], CONFIG)
    sight = seen(scenes)
    shared = torch.zeros(1, 4, 8, 8)
    for k in range(3):  # mask k is thing k
        shared[0, k] = torch.nn.functional.avg_pool2d((scenes.owner == k).float()[None], 2)[0, 0] * 80 - 40
    mixture = torch.nn.functional.one_hot(scenes.cell.clamp(min=0), 5).float()
    right = replace(sight, shared=shared, mixture=mixture)
    assert float(mask_loss(right, scenes)) == pytest.approx(0, abs=1e-4)
    assert float(mask_loss(replace(right, mixture=-mixture), scenes)) > 3 * 30


def test_the_total_is_the_weighted_sum(scene):
    scenes = stacked([targets(scene, squash(16, 16, 16), WORDS)] * 2, CONFIG)
    torch.manual_seed(0)
    objective = Refining(Refiner(CONFIG), (("box", 3.0), ("class", 2.0)))
    total, terms = objective(scenes)
    assert objective.terms[0] == "class" and objective.terms[2] == "box"
    assert float(total.detach()) == pytest.approx(float(2 * terms[0] + 3 * EACH * terms[2]), rel=1e-5)


def test_work_counts_and_drops(scene):
    torn = replace(scene, image=Image(data=b"no picture"), id="2")
    work = RefinerWork(CONFIG)
    made = work([(Drawn(("s", k), [scene, torn]), bool(k)) for k in (0, 1)])
    assert made.images == 1 and made.drops == {"picture does not decode": 1} and made.ids == ("s/0",)
    assert made.counts.tolist() == [16, 2, 3, 3, 3, 1] and made.weight == 16
    with pytest.raises(ImageError, match="no picture of an update decodes"):
        work([(Drawn(("s", 1), [scene, torn]), False)])


def test_memory_is_bounded(scene):
    size = targets(scene, squash(16, 16, 16), WORDS).nbytes
    work = RefinerWork(CONFIG, room=2 * size)
    work([(Drawn(("s", k), [scene] * 5), False) for k in range(5)])
    assert len(work.kept) == 2


def test_a_batch_learnt_by_heart():
    """Two pictures of the world: after 150 updates what is in them is found, outlined and named."""
    torch.manual_seed(0)
    records = list(world.records(2, seed=2, world="mini"))
    words = Words.of(records)
    config = RefinerConfig(classes=list(words.classes), attributes=list(words.attributes), widths=[16, 16, 24, 32],
                           neck=32, state_width=64, mask_width=16, overlap=0.5)
    objective = Refining(Refiner(config), dict(LOSSES) | {"box": 5.0, "quality": 2.0})
    scenes = stacked([targets(r, squash(96, 96, 96), words) for r in records], config)
    adam = torch.optim.AdamW(objective.parameters(), lr=4e-3)
    for step in range(150):
        adam.param_groups[0]["lr"] = 4e-3 * (1 - step / 150)
        adam.zero_grad()
        loss, _ = objective(scenes)
        (loss / scenes.cell.numel()).backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        adam.step()
    pictures = list(zip(records, refine(objective.model.eval(), [r.image for r in records])))
    scores = _scores(pictures, config)
    assert scores["box F1"] > 0.85 and scores["tag F1"] == 1
    assert scores["mask IoU of found"] > 0.7 and scores["all attributes right of found"] > 0.85
