"""Recipe and its stages as values: what trains on what, with which numbers. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from loupe import config
from loupe.data.mixture import Mixture
from loupe.errors import ConfigError, unknown_name
from loupe.models.spec import ModelSpec
from loupe.models.tuner import Tune

OBJECTIVES = ("language", "dense", "contrastive", "refiner", "mqformer")
OBJECTS = ("each", "together")
PRECISIONS = ("float32", "bf16", "auto")
METHODS = ("adamw", "muon")
SCHEDULES = ("cosine", "linear", "constant")


@dataclass(frozen=True)
class Optim:
    """Decay falls on matrices only, never on biases, norms or single vectors."""

    lr: float
    weight_decay: float = 0.0
    warmup: int | float = 0  # a whole number: steps; below one: that share of the stage's steps
    schedule: str = "cosine"  # behind the warm-up, to zero
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = 1.0  # norm of the whole gradient
    method: str = "adamw"  # or "muon": orthogonal updates of matrices that are no embeddings (training/optim.py)

    def __post_init__(self):
        _positive("lr", self.lr)
        if self.schedule not in SCHEDULES:
            raise unknown_name("schedule", self.schedule, SCHEDULES)
        if self.method not in METHODS:
            raise unknown_name("method", self.method, METHODS)
        if self.warmup < 0:
            raise ConfigError("warm-up is negative", got=self.warmup, expected="steps, or a share below 1")


@dataclass(frozen=True)
class Refined:
    """What a stage gets of the refiner that model.refiner names."""

    features: str = "filled"  # the run's cache, filled as it goes; "cached": --refined alone; "live": found every time
    views: int = 1  # seeded ones of each picture: itself and crops, half of them mirrored; 1: no augmentation
    smallest: float = 0.5  # share of the picture that a crop shows at least
    spatial: float = 0.0  # share of questions that come with tags and boxes in words


@dataclass(frozen=True)
class Align:
    """Of an "mqformer" stage, where the paper is silent or gives a rate (docs/lyrics.md)."""

    hard: bool = True  # wrong pairs of ITM are drawn by similarity, as BLIP-2's
    rate: float = 0.15  # §3.2: of objects hidden
    least: int = 0  # objects of a picture hidden in any case
    objects: str = "each"  # every box is an object; "together": all boxes of a tag

    def __post_init__(self):
        if self.objects not in OBJECTS:
            raise unknown_name("kind of objects", self.objects, OBJECTS, "align.objects")


@dataclass(frozen=True)
class Stage:
    name: str
    mixture: Mixture
    optim: Optim
    tune: Tune = field(default_factory=Tune)
    epochs: float | None = 1.0  # passes over the mixture, or
    steps: int | None = None  # updates, where given
    batch: int = 32  # question-answer pairs per update, over all processes
    accumulation: int = 1  # parts a process cuts its share of the batch into; changes memory, not results
    precision: str = "float32"  # "auto": bf16 where the processor is faster at it
    # "dense": the tower alone learns each patch's object (training/pretraining.py); "contrastive": with a text side it
    # learns which caption is whose (training/contrastive.py); "mqformer": Lyrics' four (training/aligning.py)
    objective: str = "language"
    refined: Refined = Refined()
    align: Align = Align()

    def __post_init__(self):
        if self.objective not in OBJECTIVES:
            raise unknown_name("objective", self.objective, OBJECTIVES, f"stage {self.name}")
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS, f"stage {self.name}")
        if self.epochs is None and self.steps is None:
            raise ConfigError("a stage has no end", where=f"stage {self.name}", do="give epochs or steps")
        for name in ("batch", "accumulation"):
            _positive(name, getattr(self, name), f"stage {self.name}")
        if self.batch < self.images:
            raise ConfigError("a batch is smaller than one packed image", got=self.batch,
                              expected=f"at least pairs_per_image = {self.mixture.pairs_per_image}",
                              where=f"stage {self.name}")

    @property
    def images(self) -> int:
        """Pictures per update: `batch` pairs, packed `pairs_per_image` behind each."""
        return max(1, self.batch // self.mixture.pairs_per_image)


@dataclass(frozen=True)
class Start:
    """How parts made from a config begin, where not as the library makes them (measured in docs/recipes.md)."""

    patch_place: float | None = None  # size of a sine code of its place as each patch's position embedding
    patch_attention: float = 1.0  # factor on the tower's query and key matrices
    qk_gain: float | None = None  # query and key norms of the language model: attention is sharp from the first step
    embedding: float | None = None  # root mean square of embedding rows; location tokens and image tokens follow
    # of the MQ-Former: a run or model of ours (its projection too), or BLIP-2's first stage (importers/blip2.py)
    mqformer: str = ""


@dataclass(frozen=True)
class Exam:
    mixture: Mixture
    groups: int = 300


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run learns; where it runs and how often it saves is not part of it.

    weights: a trained model that all parts begin as: a folder of loupe's layout, or "mini"; fresh_eyes: its language
    model alone, tower and bridge begin as `model` says. words: rendered beside the first language stage when a
    vocabulary is learnt. exam: held-out questions answered at the end (training/exam.py), groups of them. part:
    written in transformers' layout at the end, to RUN/<part>.
    """

    name: str
    model: ModelSpec
    stages: tuple[Stage, ...]
    seed: int = 0
    vocabulary: int = 2048  # tokens of the tokenizer trained at the start, for a language model made from its config
    start: Start | None = None  # of parts made from their configs
    weights: str = ""
    words: Mixture | None = None
    exam: Exam | None = None
    part: str = ""
    notes: tuple[str, ...] = ()
    fresh_eyes: bool = False

    def __post_init__(self):
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise ConfigError("stages need different names", got=names, where=f"recipe {self.name}")

    def only(self, *names: str) -> Recipe:
        """A copy with these stages alone, in the recipe's order."""
        known = [stage.name for stage in self.stages]
        for name in names:
            if name not in known:
                raise unknown_name("stage", name, known, f"recipe {self.name}")
        return replace(self, stages=tuple(stage for stage in self.stages if stage.name in names))

    def change(self, *overrides: str) -> Recipe:
        """A copy with `path=value` applied in order: recipe.change("stages.tune.optim.lr=2e-4", "seed=3")."""
        return changed(self, overrides)


def changed(recipe, overrides: Sequence[str]):
    """A recipe with every `path=value` applied; "stages." may be left out before a stage's name."""
    known, stages = [f.name for f in fields(recipe)], [stage.name for stage in recipe.stages]
    for override in overrides:
        first = override.partition("=")[0].strip().split(".")[0]
        if first in stages and first not in known:
            override = f"stages.{override.strip()}"
        elif first and "=" in override and first not in known:
            error = unknown_name("setting or stage", first, (*known, *stages), f"recipe {recipe.name}")
            raise ConfigError(error.what, got=error.got, where=error.where, do=f"{error.do}; stages here: "
                              f"{', '.join(stages)}; `loupe show RECIPE --paths` lists every path")
        recipe = config.change(recipe, override)
    return recipe


def _positive(name: str, value, where: str | None = None) -> None:
    if not value > 0:
        raise ConfigError(f"{name} is not positive", got=value, where=where)
