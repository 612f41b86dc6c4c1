"""Small models from random weights: a tower supervised patch by patch, then a language model that reads it.

    loupe world DATA --images 6000 --seed 0 && loupe train mini-start --root DATA --out RUN
    loupe train coco-mini --root coco=FOLDER_OF_COCO --out RUN

What makes it learn in minutes: a tower that already knows objects and boxes, location tokens whose embeddings start
from the tower's position code, query and key norms that start above one, few objects first.
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Curriculum, HeldOut, Mixture, Source
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Frozen, Full, Tune
from loupe.training.recipe import Optim, Recipe, Stage, Start

SMALL = ModelSpec(  # 1.3 million parameters
    vision=VisionSpec(
        config={"model_type": "clip_vision_model", "hidden_size": 128, "intermediate_size": 256, "image_size": 96,
                "num_hidden_layers": 3, "num_attention_heads": 4, "patch_size": 12},
        layer=-1, size=96, attention="lean"),
    bridge=BridgeSpec("linear", position=True),
    language=LanguageSpec(
        config={"model_type": "qwen3", "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4,
                "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32, "tie_word_embeddings": True,
                "max_position_embeddings": 1024},
        attention="lean", max_length=1024),
    codec="xy",
    dialogue="mini",
)
BEGIN = Start(patch_place=0.4, patch_attention=2.0, qk_gain=1.5, embedding=0.1)
TOWER = Tune(vision=Full(), bridge=Frozen(), language=Frozen(), tokens="frozen")
WORDS = Tune(vision=Frozen(), bridge=Full(), language=Full())  # the tower stays: an untrained reader would spoil it
ALL = Tune(vision=Full(), bridge=Full(), language=Full())
BETAS = (0.9, 0.99)

SHAPES = (Source("coco", "coco", "coco", split="train2017", tasks=(("detection", 1.0),)),)
WORLD = (
    Source("refer", "refer", "refer", split="train", tasks=(("grounding", 1.0), ("description", 0.3)),
           options={"dataset": "refcoco", "by": "unc"}),
    Source("visual-genome", "visual-genome", "visual_genome", weight=0.1,
           tasks=(("description", 1.0), ("relation", 0.5), ("coarse-position", 0.5))),
    Source("coco", "coco", "coco", split="train2017", weight=0.1,
           tasks=(("detection", 1.0), ("counting", 0.5), ("caption", 0.2))),
)
MINI_START = Recipe(
    name="mini-start",
    model=SMALL,
    vocabulary=1536,
    start=BEGIN,
    stages=(
        Stage("see", Mixture(SHAPES), Optim(2e-3, 0.02, warmup=0.05, betas=BETAS), TOWER, epochs=None, steps=2800,
              batch=16, precision="auto", objective="dense"),
        Stage("talk", Mixture(WORLD, pairs_per_image=8, curriculum=Curriculum(1, 6, 0.35)),
              Optim(2e-3, 0.02, warmup=0.04, betas=BETAS), WORDS, epochs=None, steps=1400, batch=64,
              precision="auto"),
    ),
)

TOWER_CONFIG = {"model_type": "clip_vision_model", "hidden_size": 128, "intermediate_size": 512, "image_size": 96,
                "num_hidden_layers": 4, "num_attention_heads": 4, "patch_size": 12}
MINI_TOWER = Recipe(  # loupe pretrain vision --dense --root DATA --out RUN; DATA: loupe world DATA --world mini
    name="mini-tower",
    model=replace(SMALL, vision=replace(SMALL.vision, config=TOWER_CONFIG)),
    vocabulary=1024,  # nothing is said here
    start=BEGIN,
    stages=(Stage("see", Mixture((Source("world", "records", "records", "train", (("detection", 1.0),)),),
                                 held_out=(HeldOut("records", "records", "val"),)),
                  Optim(2e-3, 0.02, warmup=0.03, betas=BETAS), TOWER, epochs=None, steps=12_000, batch=16,
                  precision="float32", objective="dense"),),
    part="vision",
)

UNSAID = (("size", "medium"), ("texture", "plain"))  # what the world leaves out
EVERYTHING = Source(
    "world", "records", "records", "train",
    tasks=(("grounding", 3.0), ("description", 1.2), ("relation", 1.0), ("relation-objects", 0.4),
           ("coarse-position", 1.2), ("counting", 1.2), ("detection", 1.2), ("region", 2.0), ("presence", 0.8),
           ("statement", 0.6), ("choice", 0.6), ("reading", 0.8), ("reconstruction", 1.0), ("segmentation", 1.2),
           ("grounded-caption", 0.4), ("conversation", 0.5), ("question", 0.5), ("caption", 0.1)),
    task_options={
        "grounding": {"phrases": "refers"},
        "description": {"phrases": "refers", "kinds": ("attribute", "order")},  # the shortest words that fit one thing
        "relation": {"keep": 1.0}, "relation-objects": {"keep": 1.0, "order": "left"},
        "coarse-position": {"order": "left", "phrases": "refers"}, "detection": {"order": "left"},
        "region": {"unsaid": UNSAID}, "conversation": {"unsaid": UNSAID}, "segmentation": {"phrases": "refers"},
    })
FINDING = replace(  # what has to be looked for: by its name, before all else is asked
    EVERYTHING,
    tasks=(("grounding", 5.0), ("detection", 1.0), ("presence", 0.8), ("counting", 0.6), ("segmentation", 0.6),
           ("region", 0.6), ("relation-objects", 0.4)),
    task_options={
        "grounding": {"phrases": "refers"}, "relation-objects": {"keep": 1.0, "order": "left"},
        "detection": {"order": "left", "flatten": False, "absent": 0.4}, "region": {"unsaid": UNSAID},
        "counting": {"flatten": False, "absent": 0.4}, "segmentation": {"phrases": "refers"}})
MORE = replace(  # everything again, by how much there is to learn
    EVERYTHING,
    tasks=(("grounding", 4.5), ("description", 1.2), ("relation", 1.0), ("relation-objects", 0.4),
           ("coarse-position", 1.6), ("counting", 1.2), ("detection", 1.6), ("region", 1.2), ("presence", 1.0),
           ("statement", 0.6), ("choice", 0.5), ("reading", 1.0), ("reconstruction", 1.6), ("segmentation", 1.2),
           ("grounded-caption", 0.3), ("conversation", 0.5), ("question", 0.4), ("caption", 0.1)),
    task_options={**EVERYTHING.task_options, "detection": {"order": "left", "flatten": False, "absent": 0.4},
                  "counting": {"flatten": False, "absent": 0.4},
                  "segmentation": {"phrases": "refers", "boxed": 0.6}})
FINE = replace(  # and the finest, whose questions are short: colours and outlines, place by place
    MORE, tasks=tuple({**dict(MORE.tasks), "reading": 1.4, "reconstruction": 6.0, "segmentation": 2.4}.items()))
DEEP = replace(  # then by what is still to be learnt: words in print, quarters, telling one thing from its like
    FINE, tasks=tuple({**dict(FINE.tasks), "grounding": 3.5, "description": 2.0, "coarse-position": 2.4,
                       "counting": 1.8, "region": 1.6, "reading": 2.0, "reconstruction": 4.0}.items()))
TELLING = replace(  # and descriptions that say all that tells one thing from its like, not as little as may do
    DEEP, tasks=tuple({**dict(DEEP.tasks), "description": 5.0, "reconstruction": 2.5}.items()),
    task_options={**DEEP.task_options,
                  "description": {"phrases": "refers", "kinds": ("attribute",), "longest": True}})
CONVERSING = replace(  # then questions in one dialogue whatever they ask, and what is worst: quarters, words in print
    TELLING, tasks=tuple({**dict(TELLING.tasks), "description": 2.5, "coarse-position": 3.0, "region": 2.4,
                          "reading": 2.5, "conversation": 0.8, "presence": 1.2, "question": 0.6}.items()),
    task_options={**TELLING.task_options,
                  "coarse-position": {**TELLING.task_options["coarse-position"], "empty": 0.25}})
SETTLING = replace(  # and at last empty quarters as often as they are, and what is guessed at: statements, letters
    CONVERSING, tasks=tuple({**dict(CONVERSING.tasks), "statement": 1.2, "choice": 1.0}.items()),
    task_options=TELLING.task_options)
STEEP = Optim(2e-3, 0.02, warmup=200, schedule="constant", betas=BETAS, method="muon")
MINI = Recipe(  # loupe train mini --root DATA --out RUN; DATA: loupe world DATA --world mini --images 60000 --val 2200
    name="mini",
    model=replace(SMALL, vision=replace(SMALL.vision, checkpoint="loupe/tower", config=None),
                  language=replace(SMALL.language, checkpoint="loupe/language", config=None)),
    start=BEGIN,
    stages=(
        Stage("align", Mixture((EVERYTHING,), pairs_per_image=8, curriculum=Curriculum(2, 4, 1.0)),
              Optim(2e-3, warmup=0.1, betas=BETAS), Tune(vision=Frozen(), bridge=Full(), language=Frozen(),
                                                         tokens="frozen"), epochs=None, steps=250, batch=128),
        Stage("talk", Mixture((EVERYTHING,), pairs_per_image=8, curriculum=Curriculum(2, 8, 0.2)),
              Optim(1.5e-3, 0.02, warmup=0.02, betas=BETAS), WORDS, epochs=None, steps=7200, batch=64),
        Stage("find", Mixture((FINDING,), pairs_per_image=8),
              Optim(1.5e-3, 0.02, warmup=200, schedule="constant", betas=BETAS), WORDS, epochs=None, steps=5400,
              batch=64),
        Stage("all", Mixture((MORE,), pairs_per_image=8), STEEP, WORDS, epochs=None, steps=1700, batch=64),
        Stage("fine", Mixture((FINE,), pairs_per_image=12), STEEP, WORDS, epochs=None, steps=2200, batch=96),
        Stage("polish", Mixture((FINE,), pairs_per_image=12), replace(STEEP, lr=1.2e-3, schedule="cosine"),
              ALL, epochs=None, steps=5600, batch=96),
        Stage("deepen", Mixture((DEEP,), pairs_per_image=12), replace(STEEP, lr=1.5e-3, schedule="cosine"), ALL,
              epochs=None, steps=8500, batch=96),
        Stage("tell", Mixture((TELLING,), pairs_per_image=12),
              replace(STEEP, lr=6e-4, warmup=50, schedule="cosine"), ALL, epochs=None, steps=1400, batch=96),
        Stage("converse", Mixture((CONVERSING,), pairs_per_image=12, follow=0.4),
              replace(STEEP, lr=1.2e-3, schedule="cosine"), ALL, epochs=None, steps=7000, batch=96),
        Stage("settle", Mixture((SETTLING,), pairs_per_image=12, follow=0.4),
              replace(STEEP, lr=4e-4, warmup=50, schedule="cosine"), ALL, epochs=None, steps=1000, batch=96),
    ),
)
ALL_ONE = (1e6, 1e6, 1e6)  # over this every picture is the same grey
MINI_TEXT = replace(  # what can be said without looking: the text-only model beside mini's scores
    MINI,
    name="mini-text",
    model=replace(MINI.model, vision=replace(MINI.model.vision, std=ALL_ONE)),
    weights="mini", fresh_eyes=True,
    stages=(Stage("guess", Mixture((SETTLING,), pairs_per_image=12, follow=0.4),
                  replace(STEEP, lr=1.5e-3, warmup=50, schedule="cosine"), WORDS, epochs=None, steps=1500,
                  batch=96),),
)
SOME = (("grounding", 3.0), ("description", 1.5), ("relation", 0.7), ("counting", 0.7), ("detection", 0.7),
        ("region", 1.0))
FEW = replace(EVERYTHING, tasks=SOME, task_options={
    name: options for name, options in EVERYTHING.task_options.items() if name in dict(SOME)})
MINI_DEMO = replace(  # loupe demo: minutes instead of hours, from the same parts
    MINI,
    name="mini-demo",
    stages=(
        Stage("talk", Mixture((FEW,), pairs_per_image=8, curriculum=Curriculum(2, 8, 0.35)),
              Optim(2e-3, 0.02, warmup=0.03, betas=BETAS), WORDS, epochs=None, steps=1000, batch=64, precision="auto"),
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
    vocabulary=1536,
    start=BEGIN,
    stages=(
        Stage("see", Mixture(PHOTOS), Optim(2e-3, 0.02, warmup=0.05, betas=BETAS), TOWER, epochs=None, steps=800,
              batch=16, precision="auto", objective="dense"),
        Stage("talk", Mixture(PHOTOS, pairs_per_image=8), Optim(2e-3, 0.02, warmup=0.05, betas=BETAS), WORDS,
              epochs=None, steps=600, batch=64, precision="auto"),
    ),
    notes=("Source photos are few in tests; on full COCO raise the stages' steps and the sizes.",),
)
