"""What is asked of the model (Settings), and what is kept of its answers afterwards (Rule)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from loupe.errors import ConfigError, unknown_name
from loupe.tasks import task

SCORES = {
    "iou": "overlap of the box found again with the annotated one",
    "likelihood": "probability of the description's tokens (geometric mean)",
    "margin": "the annotated box against the best other one, as answers to where the description is",
    "contrast": "the description's probability at the annotated box against that at the best other one",
    "agreement": "mean overlap over other wordings, augmentations and a second model",
    "combined": "mean of all that is known of these",
}

NEEDS = {"likelihood": "a model that gives the probability of what it says",
         "margin": "a model that can weigh answers, without --no-margin",
         "contrast": "a model that can weigh answers, with --contrast",
         "agreement": "--wordings, --flip, --crops or --second"}  # iou and combined are always known


@dataclass(frozen=True)
class Settings:
    """What decides every question of a run. Shares are of 1, areas are square pixels of the original picture."""

    most_objects: int = 15  # Pink A.2: pictures with more are left out
    least_area: float = 2000.0  # Pink A.2: smaller boxes are not described
    least_share: float | None = None  # instead of it: share of the picture's area
    candidates: int = 1  # descriptions of each box; the first is the most probable one in the fixed wording
    temperature: float = 0.0  # of the others: above 0 they are drawn; 0: the most probable in other wordings
    wordings: int = 0  # the description is looked for in so many other wordings too
    flip: bool = False  # ... in the mirror image, left and right exchanged in the words
    crops: int = 0  # ... in so many small crops that cut no annotated box
    crop_share: float = 0.1  # of a side, the most a crop takes from an edge
    margin: bool = True  # weigh the annotated boxes against each other, where the predictor can
    contrast: bool = False  # weigh the description at each annotated box, where the predictor can
    seed: int = 0  # of drawn descriptions and crops
    limit: int | None = None  # only the first so many pictures
    together: int = 8  # pictures asked about side by side; written together or not at all
    shard: int = 256  # pictures in a file, and a worker's piece of work

    def __post_init__(self):
        least = {"most_objects": 1, "candidates": 1, "together": 1, "shard": 1, "wordings": 0, "crops": 0, "seed": 0,
                 "limit": 1, "least_area": 0, "least_share": 0, "temperature": 0}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and not bound <= value < math.inf:
                raise ConfigError(f"{name} is out of range", got=value, expected=f"{bound} or more",
                                  where="bootstrapping")
        for name in ("least_share", "crop_share"):
            if not 0 <= (getattr(self, name) or 0) < 1:
                raise ConfigError(f"{name} is no share", got=getattr(self, name), expected="0 to below 1",
                                  where="bootstrapping", do="write 0.005 for half a per cent")
        if self.crop_share >= 0.5:
            raise ConfigError("a crop would leave nothing", got=f"crop_share {self.crop_share}", expected="below 0.5")
        if self.temperature > 0 and self.candidates == 1:
            raise ConfigError("nothing is drawn of one candidate: it is the most probable description",
                              got=f"temperature {self.temperature:g}", expected="candidates 2 or more",
                              where="bootstrapping", do="say how many: --candidates N")
        known = {name: len(task(name).wordings()) for name in ("description", "grounding")}
        if self.temperature == 0 and self.candidates > known["description"]:
            raise ConfigError("there are not so many wordings of this question", got=f"candidates {self.candidates}",
                              expected=f"{known['description']} or fewer", where="bootstrapping",
                              do="draw them: --temperature T")
        if self.wordings >= known["grounding"]:
            raise ConfigError("there are not so many other wordings", got=f"wordings {self.wordings}",
                              expected=f"{known['grounding'] - 1} or fewer",
                              where="bootstrapping")

    def least(self, width: int, height: int) -> float:
        """Square pixels of the smallest box that is described in a picture of this size."""
        return self.least_area if self.least_share is None else self.least_share * width * height

    def scores(self, second: bool = False) -> tuple[str, ...]:
        """Those of SCORES that are asked for. second: another model looks for the descriptions too."""
        left_out = {"margin": not self.margin, "contrast": not self.contrast,
                    "agreement": not (self.wordings or self.flip or self.crops or second)}
        return tuple(name for name in SCORES if not left_out.get(name))


@dataclass(frozen=True)
class Rule:
    """Which pairs are kept: by the overlap, and by any score on top of it. Moves without running the model."""

    iou: float = 0.5  # Pink §4.1, lambda: the least overlap that counts as found again
    by: str = "iou"  # one of SCORES: chooses among a box's descriptions, and ranks the pairs
    least: float | None = None  # of that score; where it is not known the pair is left out
    share: float | None = None  # keep the best so many of all described boxes, of those that pass and know the score

    def __post_init__(self):
        if self.by not in SCORES:
            raise unknown_name("score", self.by, SCORES, "bootstrapping")
        for name in ("iou", "least", "share"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} is out of range", got=value, expected="0 to 1", where="bootstrapping")


def unmeasured(by: str, known: Iterable[str]) -> ConfigError:
    """A rule's score that no pair knows; known: those that some know."""
    return ConfigError("this score is not measured", got=f"by {by}", expected=" or ".join(known), where="bootstrapping",
                       do=f"choose one of these; {by} needs {NEEDS.get(by, 'nothing')}")
