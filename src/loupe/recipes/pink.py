"""Pink (arXiv 2310.00582): referential comprehension through adapters in the tower and the language model.

    loupe train pink --root DATA --out RUN          DATA: llava_cc3m, llava, vqav2, aokvqa, flickr30k, visual_genome,
                                                          objects365
    loupe evaluate RUN refcoco-val --root DATA       the paper: 88.3 (Table 7, fine-tuned)
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Mixture, Source
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Adapter, Frozen, Full, Tune
from loupe.training.recipe import Optim, Recipe, Stage

DESIGNED = (  # §3.2: one of the designed tasks is drawn at random for a picture (§4.1, Training data)
    ("relation", 1.0), ("relation-objects", 1.0), ("coarse-position", 1.0), ("counting", 1.0), ("detection", 1.0),
    ("grounding", 1.0), ("description", 1.0),
)
OBJECTS365_SHARE = 1 / 6  # §4.1: drawn less often; the release repeats everything else six times and Objects365 once

ASK = (("question", 1.0),)
CAPTIONS = Mixture((Source("llava-cc3m", "llava-captions", "llava_cc3m", tasks=(("caption", 1.0),)),))  # Table 3, PT
INSTRUCTIONS = Mixture((  # Table 3, IT: 396K samples and Objects365, of VQAv2 and what follows it a picture each
    Source("llava", "llava", "llava", tasks=(("dialogue", 1.0),)),
    Source("vqav2", "vqa", "vqav2", "train2014", ASK),  # 83K: its pictures, one question of each an epoch
    Source("aokvqa", "aokvqa", "aokvqa", "train", (("multiple-choice", 1.0),)),  # 17K: as the release, by a letter
    Source("flickr30k", "flickr30k-entities", "flickr30k", "train",
           (("grounded-caption", 1.0),)),  # 30K: as the release, one of its sentences with the boxes of what it names
    Source("visual-genome", "visual-genome", "visual_genome", tasks=DESIGNED),  # 108K
    Source("objects365", "objects365", "objects365", split="train", weight=OBJECTS365_SHARE,
           tasks=(("detection", 1.0), ("counting", 1.0))),  # 1M
))

ALIGN = Stage(  # §4.1: the first stage
    name="align",
    mixture=CAPTIONS,
    tune=Tune(vision=Frozen(), bridge=Full(), language=Frozen(), tokens="frozen"),  # §3.1: the projection alone
    epochs=1,  # §4.1
    batch=128,  # §4.1
    accumulation=16,  # the release: 8 GPUs x 1 x 16
    precision="bf16",  # the release
    optim=Optim(
        lr=2e-3,  # differs from paper: 0.03, because 0.03 is the warm-up ratio of the release, which trains with 2e-3
        weight_decay=0.0,  # §4.1
        warmup=200,  # §4.1
        schedule="cosine",  # §4.1
    ),
)
TUNE = Stage(  # §4.1: the second stage
    name="tune",
    mixture=INSTRUCTIONS,
    tune=Tune(
        vision=Adapter(hidden=8),  # §4.1: d_s = 8, before each self-attention: 393,216 parameters in ViT-L/14
        bridge=Full(),  # §3.1: 4,194,304 parameters
        language=Adapter(hidden=8),  # §4.1: 2,097,152 parameters in a 7B
        tokens="rows",
    ),
    epochs=6,  # §4.1
    batch=32,  # §4.1
    accumulation=4,  # the release: 8 GPUs x 1 x 4
    precision="bf16",  # the release
    optim=Optim(
        lr=5e-4,  # §4.1
        weight_decay=0.02,  # differs from paper: 0.05, because 0.05 is the release's warm-up ratio; it decays by 0.02
        warmup=10_000,  # §4.1
        schedule="cosine",
    ),
)

PINK = Recipe(
    name="pink",
    model=ModelSpec(
        vision=VisionSpec("openai/clip-vit-large-patch14", layer=-2, size=224),  # §4.1; the layer is the release's
        bridge=BridgeSpec("linear", bias=False),  # §4.1: one fully connected layer of 1024 x 4096 = 4,194,304
        language=LanguageSpec("lmsys/vicuna-7b-v1.1"),  # §4.1: Vicuna-7B on LLaMA-1
        codec="pink",  # §3.1: [0.222,0.333,0.444,0.555], squashed image
        dialogue="pink",  # §3.2
    ),
    stages=(ALIGN, TUNE),
    notes=(
        "differs from paper: Objects365 serves detection and counting only, because its referring expressions come "
        "from self-consistent bootstrapping (§3.3)",
    ),
)

RELEASE_TUNER = Adapter(hidden=8, activation="identity", bias=True, dropout=0.1)
PINK_RELEASE = replace(
    PINK,
    name="pink-release",
    model=ModelSpec(
        vision=VisionSpec("openai/clip-vit-large-patch14", layer=-2, size=224),
        bridge=BridgeSpec("linear", bias=True),  # 4,198,400 parameters
        language=LanguageSpec("meta-llama/Llama-2-7b-chat-hf"),  # Tables 6-8: Pink-LLaMA-2
        codec="pink",
        dialogue="pink-llama-2",  # the picture in the system block, marks around input regions
    ),
    stages=(
        # both warm-ups differ from paper: 200 and 10,000 steps, because the release gives them as shares
        replace(ALIGN, optim=replace(ALIGN.optim, warmup=0.03)),
        replace(
            TUNE,
            tune=Tune(vision=replace(RELEASE_TUNER, tapped_only=True),  # 23 layers: 400,568 parameters
                      bridge=Full(), language=RELEASE_TUNER, tokens="rows"),  # 2,228,480 parameters
            optim=replace(TUNE.optim, warmup=0.05),
        ),
    ),
)

TRAINED_ON = tuple(  # Table 2c: the training sets of what is measured join the instructions
    Source(name, "refer", "refer", "train", (("grounding", 1.0),), options={"dataset": name, "by": by})
    for name, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")))
LOOK_TWICE = Source("pointqa", "pointqa-looktwice", "pointqa", "train", (("region-question", 1.0),),
                    task_options={"region-question": {"forms": ("point",)}})  # Table 2c: "how many of these" by a point
WHICH = Source("visual7w", "visual7w", "visual7w", "train", (("which-region", 1.0),))  # Table 2c: one of four boxes
PINK_FINETUNED = replace(
    PINK,
    name="pink-finetuned",
    stages=(ALIGN, replace(TUNE, mixture=Mixture(  # Table 2c: 519K samples, 396K and these
        (*INSTRUCTIONS.sources, *TRAINED_ON, LOOK_TWICE, WHICH)))),
)
PINK_G = replace(
    PINK_FINETUNED,
    name="pink-g",
    model=replace(PINK.model, vision=VisionSpec(  # §4.3: ViT-G as Qwen-VL has it, by CLIP
        "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", layer=-2, size=224)),  # Table 2c: 224 pixels
)
PINK_LLAMA2 = replace(
    PINK,
    name="pink-llama2",
    model=replace(PINK.model, language=LanguageSpec(
        "meta-llama/Llama-2-7b-chat-hf")),  # §A.3; the paper names LLaMA-2 alone, 7B and chat are the release's
)
QUESTIONS = (  # Table 2a: 477K samples, 396K and these 9K and 72K
    Source("okvqa", "vqa", "okvqa", "train2014", ASK), Source("gqa", "gqa", "gqa", "train_balanced", ASK),
)
PINK_PLUS = replace(
    PINK,
    name="pink-plus",
    stages=(ALIGN, replace(TUNE, mixture=Mixture((*INSTRUCTIONS.sources, *QUESTIONS)))),
)

MINI_SOURCES = Mixture((
    Source("llava", "llava", "llava", tasks=(("dialogue", 1.0),)),
    Source("visual-genome", "visual-genome", "visual_genome", tasks=DESIGNED),
    Source("objects365", "objects365", "objects365", split="train", weight=OBJECTS365_SHARE,
           tasks=(("detection", 1.0), ("counting", 1.0))),
))
PINK_MINI = replace(
    PINK,
    name="pink-mini",
    model=replace(  # give the parts: model.vision.checkpoint=FOLDER model.language.checkpoint=FOLDER
        PINK.model,
        vision=replace(PINK.model.vision, checkpoint="vision", size=96, attention="eager"),
        language=replace(PINK.model.language, checkpoint="language", attention="eager", max_length=1024),
    ),
    stages=(
        replace(
            ALIGN,
            # differs from paper: CC3M, because the miniature world has its own captions
            mixture=Mixture((Source("captions", "coco-captions", "coco", "train2017", (("caption", 1.0),)),)),
            accumulation=1,
            precision="float32",
            optim=replace(ALIGN.optim, warmup=0.03),  # differs from paper: 200 steps, because a mini stage has fewer
        ),
        replace(
            TUNE,
            mixture=replace(MINI_SOURCES, pairs_per_image=4),  # differs from paper: 1, because packing is cheaper
            accumulation=1,
            precision="float32",
            optim=replace(TUNE.optim, warmup=0.05),  # differs from paper: 10,000 steps, because a mini stage has fewer
        ),
    ),
)
