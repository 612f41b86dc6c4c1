"""Small pretrained parts of a model, each made by a run of its own and written in transformers' layout.

    loupe world DATA --world mini --images 40000
    loupe pretrain language --root DATA --out RUN       RUN/language: AutoModelForCausalLM, AutoTokenizer
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Curriculum, Mixture, Source
from loupe.models.spec import BridgeSpec
from loupe.models.tuner import Frozen, Full, Tune
from loupe.recipes.mini import BEGIN, BETAS, SMALL
from loupe.training.recipe import Exam, Optim, Recipe, Stage

TEXT = {"missing": "keep"}  # records are read without their pictures
SAID = (("grounding", 3.0), ("description", 1.5), ("relation", 1.0), ("relation-objects", 0.7),
        ("coarse-position", 1.0), ("counting", 1.0), ("detection", 1.0), ("caption", 0.2))  # of a scene said in words
SHOWN = (*((name, 1.0) for name, _ in SAID), ("question", 0.5))  # of a picture, for the vocabulary


def _stated(split: str) -> Mixture:
    options = {"stated": {"tasks": SAID, "options": {"relation": {"keep": 1.0}, "relation-objects": {"keep": 1.0}}}}
    return Mixture((Source("world", "records", "records", split, (("stated", 1.0),), options=TEXT,
                           task_options=options),))


MINI_LANGUAGE = Recipe(
    name="mini-language",
    model=replace(SMALL, bridge=BridgeSpec("none")),  # no tower: text alone
    vocabulary=1280,
    start=BEGIN,
    stages=(
        Stage("read", replace(_stated("train"), curriculum=Curriculum(2, 8, 0.35)),
              Optim(2e-3, 0.02, warmup=0.03, betas=BETAS), Tune(Frozen(), Frozen(), Full()), epochs=None, steps=8000,
              batch=16),
    ),
    words=Mixture((Source("world", "records", "records", "train", SHOWN, options=TEXT),), pairs_per_image=8),
    exam=Exam(_stated("val"), 400),
    part="language",
)
