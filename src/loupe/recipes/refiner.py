"""The small refiner of the miniature world: tags, boxes, masks, attributes and features of what a picture shows.

    loupe world DATA --world mini --images 60000 --val 2200
    loupe pretrain refiner --root DATA --out RUN        RUN/refiner: loupe.models.refiner.load_refiner
"""

from __future__ import annotations

from loupe.data.mixture import Mixture, Source
from loupe.recipes.mini import BETAS
from loupe.training.recipe import Optim, Stage
from loupe.training.refiner_recipe import RefinerRecipe

THINGS = (("detection", 1.0),)  # what makes a picture worth drawing; no question is asked
MINI_REFINER = RefinerRecipe(
    name="mini-refiner",
    stages=(
        Stage("refine", Mixture((Source("world", "records", "records", "train", THINGS),)),
              Optim(2e-3, 0.02, warmup=0.05, betas=BETAS), epochs=None, steps=5000, batch=8, objective="refiner"),
    ),
    judged=Source("judged", "records", "records", "val", THINGS),
)
