"""Small models from random weights: a tower supervised patch by patch, then all parts together.

    loupe world DATA --images 6000 --seed 0 && loupe train mini-start --root DATA --out RUN
    loupe train coco-mini --root coco=FOLDER_OF_COCO --out RUN

What makes it learn in minutes: a tower that already knows objects and boxes, location tokens whose embeddings start
from the tower's position code, query and key norms that start above one, few objects first.
"""

from __future__ import annotations

from loupe.data.mixture import Curriculum, Mixture, Source
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Frozen, Full, Tune
from loupe.training.recipe import Optim, Recipe, Stage

SMALL = ModelSpec(  # 1.5 million parameters
    vision=VisionSpec(
        config={"model_type": "clip_vision_model", "hidden_size": 128, "intermediate_size": 512, "image_size": 96,
                "num_hidden_layers": 3, "num_attention_heads": 4, "patch_size": 12},
        layer=-1, size=96, attention="eager"),
    bridge=BridgeSpec("linear", position=True),
    language=LanguageSpec(
        config={"model_type": "qwen3", "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4,
                "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32, "tie_word_embeddings": True,
                "max_position_embeddings": 1024},
        attention="eager", max_length=1024),
    codec="xy",
    dialogue="mini",
)
EVERYTHING = Tune(vision=Full(), bridge=Full(), language=Full())
TOWER = Tune(vision=Full(), bridge=Frozen(), language=Frozen(), tokens="frozen")

WORLD = (
    Source("refer", "refer", "refer", split="train", weight=1.0, tasks=(("grounding", 1.0), ("description", 0.3)),
           options={"dataset": "refcoco", "by": "unc"}),
    Source("visual-genome", "visual-genome", "visual_genome", weight=0.5,
           tasks=(("grounding", 1.0), ("description", 1.0), ("relation", 1.0), ("coarse-position", 1.0))),
    Source("coco", "coco", "coco", split="train2017", weight=0.5,
           tasks=(("detection", 1.0), ("counting", 1.0), ("coarse-position", 1.0), ("caption", 0.3))),
)
MINI_START = Recipe(
    name="mini-start",
    model=SMALL,
    vocabulary=1024,
    qk_gain=1.5,
    stages=(
        Stage("see", Mixture(WORLD[2:]), Optim(2e-3, 0.02, warmup=0.05), TOWER, epochs=None, steps=1500, batch=64,
              precision="auto", objective="dense"),
        Stage("talk", Mixture(WORLD, pairs_per_image=10, curriculum=Curriculum(1, 6, 0.35)),
              Optim(2e-3, 0.02, warmup=0.03), EVERYTHING, epochs=None, steps=3500, batch=80, precision="auto"),
    ),
)

PHOTOS = (
    Source("coco", "coco", "coco", split="train2017",
           tasks=(("grounding", 2.0), ("detection", 1.0), ("counting", 1.0), ("coarse-position", 1.0),
                  ("caption", 0.5)),
           task_options={"grounding": {"phrases": "unique"}}),  # categories that occur once in their photo
)
COCO_MINI = Recipe(
    name="coco-mini",
    model=SMALL,
    vocabulary=1024,
    qk_gain=1.5,
    stages=(
        Stage("see", Mixture(PHOTOS), Optim(2e-3, 0.02, warmup=0.05), TOWER, epochs=None, steps=300, batch=32,
              precision="auto", objective="dense"),
        Stage("talk", Mixture(PHOTOS, pairs_per_image=8), Optim(2e-3, 0.02, warmup=0.05), EVERYTHING,
              epochs=None, steps=600, batch=64, precision="auto"),
    ),
)
