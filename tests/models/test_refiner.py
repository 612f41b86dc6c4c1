"""The refiner: saved and loaded, refused when foreign or torn, and what becomes of its numbers, by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from loupe.errors import CheckpointError, ConfigError
from loupe.frame import frame
from loupe.models.refined import Refined, distinct, refine, refined_of
from loupe.models.refiner import Refiner, RefinerConfig, Sight, load_refiner, mask_logits, save_refiner
from loupe.regions import Box, iou

SMALL = {"classes": ["cup", "ball"], "attributes": ["red", "small"], "size": 32, "widths": [8, 8, 8, 8], "neck": 8,
         "state_width": 16, "mask_width": 8, "masks": 4, "queries": 6}


@pytest.fixture()
def model() -> Refiner:
    torch.manual_seed(0)
    return Refiner(RefinerConfig(**SMALL)).eval()


@pytest.fixture()
def pictures() -> list[np.ndarray]:
    return [np.random.default_rng(k).integers(0, 256, (40 + 8 * k, 64, 3), np.uint8) for k in range(3)]


def same(a: Refined, b: Refined, tolerance: float) -> bool:
    words = [t.word for t in a.tags] == [t.word for t in b.tags]
    return words and len(a.things) == len(b.things) and np.allclose(a.queries, b.queries, atol=tolerance)


def test_shapes(model):
    sight = model(torch.zeros(2, 3, 32, 32))
    shapes = {name: tuple(t.shape) for name, t in vars(sight).items()}
    assert shapes == {"state": (2, 64, 16), "kind": (2, 64, 3), "traits": (2, 64, 2), "box": (2, 64, 4),
                      "quality": (2, 64), "mixture": (2, 64, 5), "shared": (2, 4, 16, 16), "ground": (2, 8, 16, 16),
                      "tags": (2, 4)}
    assert (sight.box[..., 2:] > sight.box[..., :2]).all()


def test_the_default_is_small():
    made = Refiner(RefinerConfig(classes=[str(k) for k in range(10)], attributes=[str(k) for k in range(12)]))
    assert sum(p.numel() for p in made.parameters()) < 2_000_000


def test_saved_and_loaded(model, pictures, tmp_path):
    save_refiner(model, tmp_path / "r")
    again = load_refiner(tmp_path / "r")
    assert again.config.classes == ["cup", "ball"] and again.dtype == torch.float32 and not again.training
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight.half().float()), name
    assert model.dtype == torch.float32
    save_refiner(again, tmp_path / "s")
    third = load_refiner(tmp_path / "s")
    assert all(same(a, b, 0) for a, b in zip(refine(again, pictures), refine(third, pictures)))
    assert all(np.allclose(a.queries, b.queries, atol=0.02) for a, b in zip(refine(model, pictures),
                                                                            refine(again, pictures)))


def test_batches_change_nothing(model, pictures):
    for a, b in zip(refine(model, pictures, batch=3), refine(model, pictures, batch=1)):
        assert same(a, b, 1e-5)


def test_foreign_and_torn_weights(model, tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        load_refiner(tmp_path / "nowhere")
    folder = save_refiner(model, tmp_path / "r")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_refiner(folder)
    weights.write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "classes": ["cup"]}))
    with pytest.raises(CheckpointError, match="do not fit the refiner.*of another shape"):
        load_refiner(folder)
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "clip_vision_model"}))
    with pytest.raises(CheckpointError, match="not a refiner.*clip_vision_model"):
        load_refiner(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_refiner(folder)
    (folder / "config.json").write_text(json.dumps(config))
    weights.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_refiner(folder)


def test_weights_of_something_else(model, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_refiner(model, tmp_path / "r")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("tag.bias")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="1 missing, first tag.bias"):
        load_refiner(folder)


def test_impossible_settings():
    with pytest.raises(ConfigError, match="multiple of 16"):
        Refiner(RefinerConfig(**{**SMALL, "size": 40}))
    with pytest.raises(ConfigError, match="and classes"):
        Refiner(RefinerConfig(**{**SMALL, "classes": []}))


def sight_of(boxes, kinds, quality, config) -> Sight:
    """A picture with these locations first, all others ground; the first shared mask is high on the left half."""
    cells, many = (config.size // 4) ** 2, len(boxes)
    kind = torch.full((1, cells, 3), -9.0)
    kind[..., 0] = 9
    box, grade = torch.zeros(1, cells, 4), torch.full((1, cells), -9.0)
    box[..., 2:] = 0.01
    for k in range(many):
        kind[0, k] = -9
        kind[0, k, kinds[k]] = 9
        box[0, k], grade[0, k] = torch.tensor(boxes[k]), torch.tensor(quality[k]).logit()
    side = config.size // 2
    shared = torch.zeros(1, config.masks, side, side)
    shared[..., :side // 2], shared[..., side // 2:] = 5.0, -5.0
    mixture = torch.zeros(1, cells, config.masks + 1)
    mixture[..., 0] = 1
    traits = torch.full((1, cells, 2), -3.0)
    traits[..., 0] = 3
    return Sight(torch.arange(cells * 16.0).view(1, cells, 16), kind, traits, box, grade, mixture, shared,
                 torch.ones(1, config.mask_width, side, side), torch.tensor([[3.0, -3.0, 4.0, -3.0]]))


def test_things_by_hand():
    """64 x 32 pixels seen as 32 x 32: two boxes, one of them said twice; the mask is the left half of the box."""
    config = RefinerConfig(**SMALL)
    sight = sight_of([(0.25, 0.25, 0.75, 0.75), (0.25, 0.25, 0.75, 0.72), (0.0, 0.0, 0.2, 0.2)], [1, 1, 2],
                     [0.7, 0.9, 0.5], config)
    found = refined_of(sight, 0, frame("squash", 64, 32, 32), config)
    assert [(t.name, t.attributes) for t in found.things] == [("cup", ("red",)), ("ball", ("red",))]
    best, other = found.things
    assert best.box.xyxy == pytest.approx((16, 8, 48, 23.04)) and other.box.xyxy == pytest.approx((0, 0, 12.8, 6.4))
    assert best.score == pytest.approx(0.9, abs=1e-3)
    assert (best.mask.width, best.mask.height) == (64, 32)
    assert iou(best.mask, Box(16, 8, 32, 23)) > 0.75 and iou(best.mask, Box(32, 8, 48, 23)) < 0.1
    assert [(t.word, round(t.score, 2)) for t in found.tags] == [("red", 0.98), ("cup", 0.95)]
    assert found.queries.shape == (6, 20) and found.scores.shape == (6,) and found.outlines.shape == (2, 13)
    assert (found.queries[0, :16] == np.arange(16, 32)).all(), "rows of things come first, in their order"
    assert found.queries[0, 16:] == pytest.approx([0.5, 0.485, 0.5, 0.47], abs=1e-4)
    assert (found.queries[2, :16] != np.arange(16)).any(), "what was said twice stands behind everything distinct"
    assert np.allclose(found.outlines[:, :5], [1, 0, 0, 0, 0]) and np.allclose(found.outlines[:, 5:], 1)


def test_nothing_found():
    config = RefinerConfig(**SMALL)
    found = refined_of(sight_of([], [], [], config), 0, frame("squash", 64, 32, 32), config)
    assert found.things == () and found.outlines.shape == (0, 13)
    assert found.queries.shape == (6, 20) and (found.scores < config.threshold).all()


def test_blank_pictures_and_no_pictures(model):
    assert refine(model, []) == []
    blank = refine(model, [Pillow.new("RGB", (50, 30), "white")])[0]
    assert (blank.width, blank.height) == (50, 30) and blank.queries.shape == (6, 20)
    assert np.isfinite(blank.queries).all()


def test_distinct_boxes():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 7], [0, 0, 10, 5], [20, 0, 30, 10]], float)
    assert distinct(boxes, 0.6).tolist() == [0, 2, 3]
    assert distinct(boxes, 0.8).tolist() == [0, 1, 2, 3]
    assert distinct(boxes, 0.5).tolist() == [0, 2, 3]  # by half is no more than half
    assert distinct(boxes[:0], 0.6).tolist() == []


def test_masks_of_several_pictures():
    """The grouped product is the plain one."""
    torch.manual_seed(0)
    mixture, shared, picture = torch.randn(5, 4), torch.randn(3, 3, 6, 6), torch.tensor([0, 0, 2, 2, 2])
    expected = torch.einsum("km,kmhw->khw", mixture[:, :3], shared[picture]) + mixture[:, 3, None, None]
    assert torch.allclose(mask_logits(mixture, shared, picture), expected, atol=1e-5)
