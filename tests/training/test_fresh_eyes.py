"""Another tower and a new bridge before a language model that was trained with others."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from loupe.data.mixture import Mixture, Source
from loupe.errors import ConfigError
from loupe.image import Image
from loupe.models.checkpoint import load, save
from loupe.models.look import Look
from loupe.recipes.mini import SMALL
from loupe.training.recipe import Optim, Recipe, Stage
from loupe.training.start import trained

STAGE = Stage("any", Mixture((Source("world", "records", "records"),)), Optim(1e-3), epochs=None, steps=1)


def parts(tower: str):
    return replace(SMALL, vision=replace(SMALL.vision, checkpoint=tower, config=None),
                   language=replace(SMALL.language, checkpoint="loupe/language", config=None))


def weights(module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@pytest.fixture(scope="module")
def known():
    from loupe import shipped

    return load(shipped.folder("mini"))


def test_tower_and_bridge_are_the_recipes_and_the_words_are_kept(known, tmp_path):
    recipe = Recipe("swap", parts("loupe/vision"), (STAGE,), weights="mini", fresh_eyes=True)
    model = trained(recipe)
    assert same(weights(model.language), weights(known.language))
    assert not same(weights(model.vision), weights(known.vision)) and model.spec.vision.checkpoint == "loupe/vision"
    assert same(weights(model.vision), weights(trained(replace(recipe, seed=5)).vision)), "a shipped tower has no seed"
    assert not same(weights(model.bridge), weights(known.bridge))
    assert not same(weights(model.bridge), weights(trained(replace(recipe, seed=5)).bridge))
    level = pytest.approx(float(known.bridge.level), rel=0.01)  # stored in half precision
    assert float(model.bridge.level) == level, "the code of places is as loud as the words know it"
    save(model, tmp_path / "swapped")
    again = load(tmp_path / "swapped")
    picture = Image.of(torch.randint(0, 255, (96, 96, 3), dtype=torch.uint8).numpy())
    said, repeated = (Look.at(each.eval(), [picture]).ask("What is it?", max_tokens=4) for each in (model, again))
    assert same(weights(again.language), weights(known.language)) and said == repeated


def test_without_it_another_tower_is_an_error():
    with pytest.raises(ConfigError, match="of another shape.*vision.checkpoint"):
        trained(Recipe("swap", parts("loupe/vision"), (STAGE,), weights="mini"))
    random = replace(parts("loupe/vision"), vision=SMALL.vision)
    one, two = (trained(Recipe("swap", random, (STAGE,), seed, weights="mini", fresh_eyes=True)) for seed in (0, 1))
    assert not same(weights(one.vision), weights(two.vision)) and "vision" not in one.bases
