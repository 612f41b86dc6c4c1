"""Recipes by name. A recipe is a value: `recipe("pink").change("stages.tune.optim.lr=2e-4")`."""

from __future__ import annotations

from loupe.errors import unknown_name
from loupe.recipes.chatspot import CHATSPOT, CHATSPOT_665K, CHATSPOT_MINI
from loupe.recipes.lyrics import LYRICS, LYRICS_MINI
from loupe.recipes.mini import COCO_MINI, MINI, MINI_DEMO, MINI_START, MINI_TEXT, MINI_TOWER
from loupe.recipes.pae import PAE, PAE_MINI, PAE_PHOTOS, PAE_SEGMENT
from loupe.recipes.parts import MINI_LANGUAGE, MINI_VISION
from loupe.recipes.pink import PINK, PINK_FINETUNED, PINK_G, PINK_LLAMA2, PINK_MINI, PINK_PLUS, PINK_RELEASE
from loupe.recipes.playing import CAR_RACING, CAR_RACING_MINI, SPACE_INVADERS, SPACE_INVADERS_MINI
from loupe.training.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "pink": PINK,
    "pink-release": PINK_RELEASE,
    "pink-llama2": PINK_LLAMA2,
    "pink-plus": PINK_PLUS,
    "pink-finetuned": PINK_FINETUNED,
    "pink-g": PINK_G,
    "pink-mini": PINK_MINI,
    "chatspot": CHATSPOT,
    "chatspot-665k": CHATSPOT_665K,
    "chatspot-mini": CHATSPOT_MINI,
    "lyrics": LYRICS,
    "lyrics-mini": LYRICS_MINI,
    "pae": PAE,
    "pae-segment": PAE_SEGMENT,
    "pae-mini": PAE_MINI,
    "pae-photos": PAE_PHOTOS,
    "pae-car-racing": CAR_RACING,
    "pae-space-invaders": SPACE_INVADERS,
    "car-racing-mini": CAR_RACING_MINI,
    "space-invaders-mini": SPACE_INVADERS_MINI,
    "mini-start": MINI_START,
    "coco-mini": COCO_MINI,
    "mini": MINI,
    "mini-demo": MINI_DEMO,
    "mini-text": MINI_TEXT,
    "mini-tower": MINI_TOWER,
    "mini-vision": MINI_VISION,
    "mini-language": MINI_LANGUAGE,
}


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]
