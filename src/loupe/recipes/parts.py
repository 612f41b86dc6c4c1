"""Small pretrained parts of a model, each made by a run of its own and written in transformers' layout.

    loupe world DATA --world mini --images 60000 --val 2200
    loupe pretrain language --root DATA --out RUN       RUN/language: AutoModelForCausalLM, AutoTokenizer
    loupe pretrain vision --root DATA --out RUN         RUN/vision: CLIPModel, AutoTokenizer

The tower begins as `loupe/tower`. From random weights captions of whole pictures teach it colours and places in minutes
and shapes not at all (docs/log.md), and nothing behind it finds a thing; CLIP's own 400 million pairs teach it both.
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Curriculum, HeldOut, Mixture, Source
from loupe.models.spec import BridgeSpec, LanguageSpec
from loupe.models.tuner import Frozen, Full, Tune
from loupe.recipes.mini import BEGIN, BETAS, SMALL, TOWER, TOWER_CONFIG, UNSAID
from loupe.training.recipe import Exam, Optim, Recipe, Stage

TEXT = {"missing": "keep"}  # records are read without their pictures
SAID = (  # of a scene said in words
    ("grounding", 3.0), ("description", 1.5), ("relation", 1.0), ("relation-objects", 0.7), ("coarse-position", 1.0),
    ("counting", 1.0), ("detection", 1.0), ("region", 1.5), ("presence", 0.7), ("statement", 0.7), ("choice", 0.5),
    ("reading", 0.5), ("grounded-caption", 0.3), ("conversation", 0.5), ("caption", 0.2))
SHOWN = tuple((name, 1.0) for name in (*(name for name, _ in SAID), "question", "segmentation"))  # for the vocabulary
HOW = {"relation": {"keep": 1.0}, "relation-objects": {"keep": 1.0},
       "region": {"forms": ("point", "box"), "unsaid": UNSAID}}


def _stated(split: str) -> Mixture:
    return Mixture((Source("world", "records", "records", split, (("stated", 1.0),), options=TEXT,
                           task_options={"stated": {"tasks": SAID, "options": HOW, "turns": 10}}),))


MINI_LANGUAGE = Recipe(
    name="mini-language",
    model=replace(SMALL, bridge=BridgeSpec("none")),  # no tower: text alone
    vocabulary=1500,
    start=BEGIN,
    stages=(
        Stage("read", replace(_stated("train"), curriculum=Curriculum(2, 8, 0.35)),
              Optim(2e-3, 0.02, warmup=0.03, betas=BETAS), Tune(Frozen(), Frozen(), Full()), epochs=None, steps=1900,
              batch=16),
    ),
    words=Mixture((Source("world", "records", "records", "train", SHOWN, options=TEXT),), pairs_per_image=8),
    exam=Exam(_stated("val"), 400),
    part="language",
)

SIDES = {  # 0.8 million parameters see, 0.6 million read
    "model_type": "clip", "projection_dim": 128, "vision_config": TOWER_CONFIG,
    "text_config": {"model_type": "clip_text_model", "vocab_size": 768, "hidden_size": 128, "intermediate_size": 256,
                    "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64,
                    "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2},
}
UNUSED = {**SMALL.language.config, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
          "num_attention_heads": 1, "num_key_value_heads": 1}
MINI_VISION = Recipe(
    name="mini-vision",
    model=replace(SMALL, vision=replace(SMALL.vision, checkpoint="loupe/tower", config=SIDES),
                  language=LanguageSpec(config=UNUSED)),
    vocabulary=1024,  # nothing is said here; the text side learns words of its own
    start=BEGIN,
    stages=(
        Stage("match", Mixture((Source("world", "records", "records", "train", (("caption", 1.0),)),),
                               held_out=(HeldOut("records", "records", "val"),)),
              Optim(1e-3, 0.02, warmup=0.05, betas=(0.9, 0.98), method="muon"), TOWER, epochs=None, steps=1000,
              batch=128, objective="contrastive"),
    ),
    part="vision",
)
