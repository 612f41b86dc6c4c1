"""What decides how a refiner is trained, as a value. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field

from loupe.data.mixture import Source
from loupe.errors import ConfigError, unknown_name
from loupe.training.recipe import Stage, changed

LOSSES = (("class", 1.0), ("attribute", 0.5), ("box", 2.0), ("quality", 0.5), ("mask", 2.0), ("tag", 0.1))


@dataclass(frozen=True)
class RefinerRecipe:
    """`model`: settings of RefinerConfig that are not its defaults; its words are found in the records. `losses`: what
    each weighs; a loss that is left out weighs nothing."""

    name: str
    stages: tuple[Stage, ...]  # one, with objective "refiner"; its `tune` says nothing here
    judged: Source  # held-out pictures that the scores are of
    pictures: int = 500  # of them, at most
    model: dict = field(default_factory=dict, hash=False)
    classes: int = 256  # most class names
    attributes: int = 64  # most attributes
    losses: tuple[tuple[str, float], ...] = LOSSES
    seed: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        if [stage.objective for stage in self.stages] != ["refiner"]:
            raise ConfigError("a refiner is trained in one stage", where=f"recipe {self.name}",
                              got=[stage.objective for stage in self.stages], expected=["refiner"])
        for name, _ in self.losses:
            if name not in dict(LOSSES):
                raise unknown_name("loss", name, dict(LOSSES), f"recipe {self.name}")

    @property
    def stage(self) -> Stage:
        return self.stages[0]

    def change(self, *overrides: str) -> RefinerRecipe:
        """A copy with `path=value` applied in order."""
        return changed(self, overrides)
