"""Lyrics (arXiv 2312.05278): queries that look at a tower and at what a visual refiner found, in two stages.

    loupe show lyrics                               every number, and what trains: 275.6 M and the new tokens
    loupe show lyrics model.bridge.mqformer.cross_every=2       as BLIP-2 places its cross-attention
    loupe refine PICTURES --out REFINED --refiner lyrics --views 4
    loupe train lyrics --root DATA --refined REFINED start.mqformer=blip2_pretrain_vitL.pth --out RUN
    loupe train lyrics-mini --root DATA --out RUN               DATA: loupe world DATA --world mini --images 20000
    loupe train lyrics-mini --stages align --root DATA --out ALIGNED
    loupe train lyrics-mini --stages multitask start.mqformer=ALIGNED --root DATA --out RUN
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Mixture, Source
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, MQFormerSpec, RefinerSpec, VisionSpec
from loupe.models.tuner import Frozen, Full, LoRA, Tune
from loupe.recipes.mini import BETAS, EVERYTHING, MINI
from loupe.training.recipe import Optim, Recipe, Refined, Stage, Start

ASK, SAY, TALK = (("question", 1.0),), (("caption", 1.0),), (("dialogue", 1.0),)
FIND = (("grounding", 1.0), ("description", 1.0), ("presence", 0.5))  # Appendix A: REC, grounded captions, presence
CHOOSE, LETTERED = (("multiple-choice", 1.0),), {"multiple-choice": {"marks": "(a)"}}  # Appendix A: "(a) blue"
REFER_TO = (("description", 1.0), ("grounding", 1.0), ("conversation", 0.5))  # Appendix A: dialogue, boxes both ways
LEAST = 0.25  # §4: "filter out low-relevant samples"; the paper gives no number, ours is of `loupe relevance`


def _records(names: str, tasks, split: str = "train") -> tuple[Source, ...]:
    """Data sets written as records, each in a folder of its name."""
    return tuple(Source(name, "records", name, split, tasks) for name in names.split())


def _pairs(names: str) -> tuple[Source, ...]:
    """Pictures and captions of the web in tar files; those that state less similarity are counted and left out."""
    return tuple(Source(name, "webdataset", name, "train", SAY, options={"least": LEAST}) for name in names.split())


OPTIM = Optim(  # §4: AdamW
    lr=1e-4,  # §4: the peak
    weight_decay=0.05,  # §4
    warmup=0.15,  # §4: linear, of the steps
    schedule="cosine",  # §4
    betas=(0.9, 0.98),  # §4 prints "beta_1 = 0.9, beta_1 = 0.98": the second is read as beta_2
)
ALIGN = Stage(  # §3.2
    name="align",
    mixture=Mixture(_pairs("laion cc12m cc3m sbu")),  # Table 1, pre-training
    tune=Tune(vision=Frozen(), bridge=Full(), language=Frozen(), tokens="frozen"),  # §4: the tower is frozen throughout
    epochs=None,
    steps=800_000,  # §4
    batch=512,  # §4: told apart all together, so in one pass of all processes
    precision="bf16",
    optim=OPTIM,
    objective="mqformer",  # Eq. 5
    refined=Refined("cached", views=4),  # §4: random resized crops and flips; how many views is ours
)
REFERS = tuple(Source(name, "refer", "refer", "train", FIND, options={"dataset": name, "by": by})
               for name, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")))
TUNED = Tune(vision=Frozen(), bridge=Full(), language=LoRA(rank=64, alpha=16.0))  # §4: W_q, W_v; the rank is ours
MULTITASK = Stage(  # §3.3; §4: first "a wide range of publicly available" data
    name="multitask",
    mixture=Mixture((  # Table 1
        Source("coco", "coco-captions", "coco", "train2017", SAY), *_pairs("cc3m"),
        Source("mmc4", "mmc4", "mmc4", "train", SAY, options={"least": LEAST}),
        Source("ai-challenger", "ai-challenger", "ai_challenger", "train", SAY),
        *REFERS, Source("grit", "webdataset", "grit", "train", (("grounding", 1.0), ("description", 1.0)),
                        task_options={"grounding": {"phrases": "refers"}}),
        Source("visual-genome", "visual-genome", "visual_genome", tasks=REFER_TO),
        Source("vqav2", "vqa", "vqav2", "train2014", ASK), Source("okvqa", "vqa", "okvqa", "train2014", ASK),
        Source("gqa", "gqa", "gqa", "train_balanced", ASK), Source("docvqa", "docvqa", "docvqa", "train", ASK),
        Source("ai2d", "ai2d", "ai2d", "train", CHOOSE, task_options=LETTERED),
        Source("scienceqa", "scienceqa", "scienceqa", "train", CHOOSE, task_options=LETTERED),
        Source("textvqa", "textvqa", "textvqa", "train", ASK), Source("dvqa", "dvqa", "dvqa", "train", ASK),
        *(Source(f"chartqa-{by}", "chartqa", "chartqa", "train", ASK, options={"by": by})
          for by in ("human", "augmented")),
    )),
    tune=TUNED,
    epochs=None,
    steps=240_000,  # §4: 300,000 for both parts
    batch=64,  # §4
    accumulation=4,
    precision="bf16",
    optim=OPTIM,
    refined=Refined("cached", views=4, spatial=0.2),  # the shares are ours
)
DIALOGUE = replace(  # §4: then high-quality annotation and dialogue
    MULTITASK,
    name="dialogue",
    mixture=Mixture((*(Source(name, "llava", name, tasks=TALK) for name in ("llava", "svit", "llavar")),  # Table 1
                     Source("m3it", "m3it", "m3it", "train", TALK), *_records("multiinstruct", TALK),
                     Source("orca", "instructions", "orca", "train", TALK),
                     Source("alpaca", "instructions", "alpaca", "train", TALK),
                     *REFERS)),  # "high-quality annotation"; which the paper does not say
    steps=60_000,
)
LYRICS = Recipe(
    name="lyrics",
    model=ModelSpec(
        # §4: CLIP ViT-L/14 at 224; §3.1: 257 x 1024; the last layer but one, as BLIP-2 uses this tower
        vision=VisionSpec("openai/clip-vit-large-patch14", layer=-2, size=224, drop_cls=False),
        bridge=BridgeSpec("mqformer", mqformer=MQFormerSpec()),  # §3.1, Fig. 2
        language=LanguageSpec("lmsys/vicuna-13b-v1.5", max_length=2048),  # §4: Vicuna-13B; the version is ours
        codec="lyrics",  # §3.1
        dialogue="lyrics",
        refiner=RefinerSpec("lyrics"),  # §4: RAM++, Grounding-DINO-T, SAM-HQ ViT-H
    ),
    start=Start(),  # §3.1: mqformer=BLIP-2's first stage
    stages=(ALIGN, MULTITASK, DIALOGUE),
    notes=(
        "the refiner's features are read from --refined, as `loupe refine` writes them (docs/lyrics.md)",
        "trained in stage two with cross-attention in every block: 275.6 M and the new tokens' rows (274.7 M beside "
        "the heads of ITC and ITM and small parts), in every second: 249.5 M (248.7 M); the paper says 278 M. LoRA's "
        "rank is ours, as the paper gives none",
        "the paper prints \"beta_1 = 0.9, beta_1 = 0.98\": the second is read as beta_2",
        "the paper starts from BLIP-2's first stage: start.mqformer=blip2_pretrain_vitL.pth",
        "the paper does not say how the 300,000 steps divide between its two parts",
        "differs from paper: of MMC4's documents each picture comes with the sentence it is matched to; MultiInstruct "
        "has no reader and is read as records; Orca is not public, OpenOrca's lines are read in its place",
        "the paper filters pairs of the web by relevance and gives no number: `loupe relevance` writes what it keeps; "
        "pairs that state a similarity below 0.25 are left out and counted in the manifest",
        "differs from paper: crops and flips are four seeded views of each picture, because features are kept per view",
        "spatial text comes with a fifth of the questions of stage two; the paper does not say with which",
    ),
)

SMALL_LETTERS = {"choice": {"marks": "(a)"}}
SMALL_FORMER = MQFormerSpec(
    width=128, depth=4, heads=4, inner=256, visual_queries=32, grounding_queries=32, detector_width=260,
    outline_width=49,  # of the shipped refiner's rows
    vocabulary=1024, positions=192, projection=64, dropout=0.0, tokenizer="")
SMALL_TALK = replace(
    MULTITASK, mixture=Mixture((replace(EVERYTHING, task_options={**EVERYTHING.task_options, **SMALL_LETTERS}),),
                               pairs_per_image=8),
    steps=1500, batch=64, accumulation=1, precision="float32",
    tune=Tune(vision=Frozen(), bridge=Full(), language=Full()),
    optim=Optim(1.5e-3, 0.02, warmup=0.02, betas=BETAS), refined=Refined(spatial=0.2))
SMALL_TALKS = (("conversation", 2.0), ("region", 1.0), ("description", 1.0))
CONVERSED = replace(EVERYTHING, name="conversations", tasks=SMALL_TALKS,
                    task_options={name: EVERYTHING.task_options[name] for name, _ in SMALL_TALKS})
REFERRED = replace(REFERS[2], tasks=(("grounding", 1.0), ("description", 1.0)), weight=0.2)
LYRICS_MINI = replace(  # loupe world DATA --world mini --images 20000
    MINI,
    name="lyrics-mini",
    model=replace(MINI.model, bridge=BridgeSpec("mqformer", mqformer=SMALL_FORMER), refiner=RefinerSpec("mini")),
    stages=(
        replace(ALIGN, mixture=Mixture((replace(EVERYTHING, tasks=(("caption", 1.0),), task_options={}),)), steps=400,
                batch=32, precision="float32", optim=Optim(1e-3, 0.05, warmup=0.15, betas=BETAS), refined=Refined()),
        SMALL_TALK,
        replace(SMALL_TALK, name="dialogue", steps=300, mixture=Mixture((CONVERSED, REFERRED), pairs_per_image=8),
                optim=replace(SMALL_TALK.optim, lr=7e-4)),
    ),
    notes=(
        "differs from paper: the language model trains whole, because it is small and has read texts alone",
        "features of the shipped refiner are found as the run goes and kept in it; --refined DIR shares them",
    ),
)
