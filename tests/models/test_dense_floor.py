"""The engine against batches that carry the picture, in operations torch counts: the same on every machine."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from loupe import predictors, world
from loupe.models import dense
from loupe.models.decoding import Prefix, generate
from loupe.models.look import Look
from loupe.models.rail import Held
from loupe.regions import Point
from loupe.sample import Sample
from loupe.tasks import question

GRID, FEW, FLOOR = 16, 8, 10.0


@pytest.fixture(scope="module")
def mini():
    return predictors.load("mini", device="cpu").vlm


def counted(work) -> tuple[object, float]:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        found = work()
    return found, float(counter.get_total_flops())


def batched(mini, samples: list[Sample], rail) -> list[bool]:
    """Each row of a batch carries the picture, the tower sees it once a row."""
    encoder = mini.encoder
    many = [e.prefix + e.ids for e in encoder.encode(samples)]
    pixels = torch.from_numpy(encoder.pixels([samples[0].images[0]] * len(many)))
    bare = Prefix((), (), 0, mini.see(pixels), 1)
    said, _ = generate(mini, bare, list(range(len(many))), many, [4] * len(many), [Held(rail) for _ in many])
    return [encoder.decode(each.ids).strip() == "yes" for each in said]


def test_one_token_answers_cost_a_tenth_of_batches(mini):
    """Tower and look included on both paths."""
    picture = next(iter(world.records(1, 77, "val", world="mini"))).image
    width, height = picture.size

    def engine():
        return Look.at(mini, [picture]).likely("the circle", GRID, check=False).probability

    found, mine = counted(engine)
    cells = [(k * 7 % GRID, k * 11 % GRID) for k in range(FEW)]
    samples = [Sample((picture,), (question("segmentation", phrase="the circle", region=Point(
        (i + 0.5) * width / GRID, (j + 0.5) * height / GRID)),), "segmentation") for i, j in cells]
    rail, _ = dense._words(Look.at(mini, [picture]), ("yes", "no"), "segmentation")
    said, theirs = counted(lambda: batched(mini, samples, rail))
    assert said == [bool(found[j, i] > 0.5) for i, j in cells]
    assert (theirs / FEW) / (mine / GRID ** 2) > FLOOR
