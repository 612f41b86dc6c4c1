"""The shipped weights can do what their cards say: floors well under those figures, on pictures no training sees."""

from __future__ import annotations

import pytest
import torch

import loupe
from loupe import world
from loupe.evals import evaluate, open_questions
from loupe.models.assembly import build
from loupe.models.refiner import load_refiner
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.training.pretraining import DenseWork, Drawn, Words
from loupe.training.refiner_run import judge

PICTURES, SEED = 60, 779  # neither a training's nor the judging worlds' seed


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("skill") / "data"
    world.write(out, 1, SEED, val=PICTURES, world="mini")
    return out


@pytest.fixture(scope="module")
def mini():
    return loupe.load("mini", device="cpu")


@pytest.mark.parametrize("name,floor", [("mini-grounding", 0.75), ("mini-presence", 0.8)])  # cards: 0.89, 0.94
def test_mini_finds_and_denies(mini, root, name, floor):
    result = evaluate(mini, open_questions(name, root), root, progress=False)
    assert result.count >= 0.9 * PICTURES and result.scores.main.value >= floor


def test_the_refiner_finds_things():
    records = list(world.records(PICTURES, SEED, "val", world="mini"))
    scores = judge(load_refiner("loupe/refiner"), records)
    assert scores["box F1"] >= 0.85 and scores["all attributes right of found"] >= 0.85  # card: 0.92, 0.95


@torch.no_grad()
def patches(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """([N, C + 1] what the tower says of patches on things and a one, [N] the classes of those things)."""
    model = build(ModelSpec(VisionSpec("loupe/tower", layer=-1, size=96), BridgeSpec(), LanguageSpec("loupe/language"),
                            "xy", "mini"))
    records = list(world.records(PICTURES, SEED, split, world="mini"))
    work = DenseWork(model.encoder, model.vision.grid, Words(world.WORLDS["mini"].classes, ()), room=0)
    batch = work([(Drawn((split, k), records), False) for k in range(PICTURES)]).batch
    on = batch.kind > 0
    said = model.vision.eval()(batch.pixels)[on]
    return torch.cat((said, torch.ones(len(said), 1)), 1).double(), batch.kind[on] - 1


def test_the_tower_tells_classes_apart():
    """Its head is not carried, so a linear one is fitted here, by least squares, on the patches of other pictures."""
    (seen, kind), (fresh, truth) = patches("train"), patches("val")
    wanted = torch.nn.functional.one_hot(kind).double()
    head = torch.linalg.solve(seen.T @ seen + len(seen) * 1e-3 * torch.eye(seen.shape[1]), seen.T @ wanted)
    assert ((fresh @ head).argmax(1) == truth).double().mean() >= 0.8  # card: 0.95 by its own head
