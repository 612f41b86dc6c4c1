"""PAE-LaMM's games: a model imitates an expert's recorded games (§3.4).

    loupe play expert.zip car-racing --record DATA/games --episodes 30
    loupe train pae-car-racing weights=RUN --root DATA --out DRIVER
    loupe play DRIVER car-racing --episodes 15      the paper: 535.90, expert 853.91, without pixels 465.36 (Table 4)
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Mixture, Source
from loupe.models.tuner import Full, Tune
from loupe.recipes.mini import BETAS
from loupe.recipes.pae import BLIND_TUNE, OPTIM, PAE, PAE_MINI
from loupe.training.recipe import Optim, Recipe, Stage


def _games(name: str) -> Mixture:
    return Mixture((Source(name, "games", "games", "train", ((name, 1.0),), options={"game": name}),))


def _pae(name: str, batch: int, epochs: float) -> Recipe:
    return replace(PAE, name=f"pae-{name}", notes=(
        "start from a trained run: weights=RUN", "the paper does not say how long it fine-tunes"),
        stages=(Stage("imitate", _games(name), OPTIM, BLIND_TUNE, epochs=epochs, batch=batch, precision="bf16"),))


CAR_RACING = _pae("car-racing", 8, 2)  # §4: 8 an update; §3.4: 28,585 observations of 30 games
SPACE_INVADERS = _pae("space-invaders", 3, 2)  # §4: 3 an update; §3.4: 24,618 observations of 30 games


def _mini(name: str) -> Recipe:
    stage = Stage("imitate", _games(name), Optim(1e-3, 0.02, warmup=0.05, betas=BETAS),
                  Tune(vision=Full(), bridge=Full(), language=Full()), epochs=None, steps=1500, batch=32)
    return replace(PAE_MINI, name=f"{name}-mini", stages=(stage,), notes=(
        "weights=RUN of pae-mini has seen pixels, the parts that loupe carries have not: Table 4's two rows",
        "differs from paper: the whole model is trained, because it is small"))


CAR_RACING_MINI = _mini("car-racing")
SPACE_INVADERS_MINI = _mini("space-invaders")
