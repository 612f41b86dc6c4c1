"""ChatSpot (IJCAI 2024): precise referring instructions; the region is text in <box></box>, any number of points.

    loupe check chatspot --root DATA                  what of its data is there, what is missing, the totals
    loupe train chatspot --root DATA --out RUN        docs/chatspot.md says how the folders look
    loupe evaluate RUN refcoco-val --root DATA         the paper: 88.1 (Table 3)
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import HeldOut, Mixture, Refused, Source
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Frozen, Full, Tune
from loupe.recipes.mini import BETAS, MINI
from loupe.training.recipe import Optim, Recipe, Stage

FORMS = ("point", "box", "polygon")  # §3.2: points, boxes and polygons; one at random each time a region is given
SHORT, DETAILED = {"style": "short"}, {"style": "detailed"}  # §3.3: of words and of captions
EVALUATED = "evaluated in §4.2"
REFUSED = (  # §3.3: four data sets are held out; §4.2 says no annotation of COCO is used
    Refused("coco", (), "Table 1 is measured on COCO; §4.2 uses none of its annotations"),
    Refused("coco-captions", (), "§4.2 uses none of COCO's annotations"),
    Refused("vizwiz-grounding", (), "Table 2 is measured on it"),
    Refused("coco-text", ("val", "test"), f"the validation set is {EVALUATED}"),
    Refused("pointqa-looktwice", ("val", "test"), f"PointQA is {EVALUATED}"),
    Refused("refer", ("val", "test", "testA", "testB"), f"RefCOCO is {EVALUATED}"),
    Refused("refer-json", ("val", "test", "testA", "testB"), f"RefCOCO is {EVALUATED}"),
)
KEPT = {"missing": "keep"}  # annotations are enough to know a picture by
HELD_OUT = (  # pictures, by COCO's and Visual Genome's ids, whatever source brings them
    HeldOut("coco", "coco", "val2017", {**KEPT, "captions": False}),
    HeldOut("coco-text", "coco_text", "val", KEPT),
    HeldOut("pointqa-looktwice", "pointqa", "test"),
    *(HeldOut("refer", "refer", split, {**KEPT, "dataset": "refcoco", "by": "unc"})
      for split in ("val", "testA", "testB")),
)
ASK = (("question", 1.0),)
READ = {"reading": {"kinds": ("read",), "forms": FORMS, **SHORT}}
OBJECTS365 = 220_000  # pictures: what the other sources leave of §1's 1.2 M (1.74 M are published)
IMAGE_LEVEL = (  # §3.3, image-level instruction data
    Source("cc595k", "llava-captions", "llava_cc3m", tasks=(("caption", 1.0),), task_options={"caption": DETAILED}),
    Source("ocr-vqa", "ocr-vqa", "ocr_vqa", "train", ASK, task_options={"question": SHORT}),
    Source("st-vqa", "st-vqa", "st_vqa", "train", ASK, task_options={"question": SHORT}),
    Source("docvqa", "docvqa", "docvqa", "train", ASK, task_options={"question": SHORT}),
    Source("textvqa", "textvqa", "textvqa", "train", ASK, task_options={"question": SHORT}),
    Source("objects365", "objects365", "objects365", "train", (("inventory", 1.0), ("detection", 1.0)),
           limit=OBJECTS365, task_options={"inventory": SHORT, "detection": {"kinds": ("name",)}}),
)
REGION_LEVEL = (  # §3.3, region-level instruction data
    Source("objects365", "objects365", "objects365", "train", (("region", 1.0),), limit=OBJECTS365,
           task_options={"region": {"asks": ("name",), "forms": FORMS, "nothing": 0.0, **SHORT}}),
    Source("coco-text", "coco-text", "coco_text", "train", (("reading", 1.0),), options={"region": "outline"},
           task_options=READ),
    Source("hiertext", "hiertext", "hiertext", "train", (("reading", 1.0),), task_options=READ),
    Source("art", "art", "art", "train", (("reading", 1.0),), task_options=READ),
    Source("pointqa", "pointqa-looktwice", "pointqa", "train", (("region-question", 1.0),),
           task_options={"region-question": {"forms": ("point", "box"), **SHORT}}),  # §3.3: "points or boxes"
    Source("region-chat", "records", "regionchat/records", "train", (("dialogue", 1.0),),
           task_options={"dialogue": {"about": "regions", "forms": FORMS}}),  # §3.3: 108K; loupe regionchat writes it
)
MGVLID = Mixture((*(replace(s, name=f"image-{s.name}") for s in IMAGE_LEVEL),
                  *(replace(s, name=f"region-{s.name}") for s in REGION_LEVEL)),
                 pairs_per_image=2, held_out=HELD_OUT, refused=REFUSED)  # §3.3, Fig. 3: all of it as one mixture

TOTALS = {"pictures": 1_200_000, "pairs": 3_000_000, "dialogues": 108_000}  # §1, §3.3: all the paper says of sizes
PUBLISHED = {  # training pictures, as their authors state (OCR-VQA: four fifths of 207,572 covers)
    "cc595k": 595_375, "ocr-vqa": 166_058, "st-vqa": 18_921, "docvqa": 10_194, "textvqa": 21_953,
    "objects365": 1_742_292, "coco-text": 43_686, "hiertext": 8_281, "art": 5_603, "llava-665k": 665_298,
    "region-chat": 108_077}  # Visual Genome's
PAIRS = 2  # of a picture behind one look: §1's 3 M pairs on 1.2 M images are 2.5
ALIGN = Stage(  # §4.1: the first stage
    name="align",
    mixture=Mixture(IMAGE_LEVEL, pairs_per_image=PAIRS, held_out=HELD_OUT, refused=REFUSED),
    # §4.1: the projection; "the majority" of the language model is frozen: the new tokens' rows are not
    tune=Tune(vision=Frozen(), bridge=Full(), language=Frozen(), tokens="rows"),
    epochs=3,  # §4.1 prints one number for both stages
    batch=128,  # §4.1
    accumulation=16,
    precision="bf16",
    optim=Optim(lr=2e-3,  # §4.1; AdamW
                warmup=0.03, schedule="cosine"),  # LLaVA's, which §4.1 follows; the paper names neither
)
TUNE = Stage(  # §4.1: the second stage
    name="tune",
    mixture=Mixture(REGION_LEVEL, pairs_per_image=PAIRS, held_out=HELD_OUT, refused=REFUSED),
    tune=Tune(vision=Frozen(), bridge=Full(), language=Full()),  # §4.1: only the visual encoder is frozen
    epochs=3,  # §4.1
    batch=128,  # §4.1
    accumulation=32,
    precision="bf16",
    optim=Optim(lr=2e-5,  # §4.1
                warmup=0.03, schedule="cosine"),  # as above
)
CHATSPOT = Recipe(
    name="chatspot",
    model=ModelSpec(
        vision=VisionSpec("openai/clip-vit-large-patch14", layer=-2, size=224),  # §4.1; layer and size as LLaVA's
        bridge=BridgeSpec("linear"),  # §4.1: "a simple linear layer"; §3.1 says a multilayer perceptron
        language=LanguageSpec("lmsys/vicuna-7b-v1.1", max_length=2048),  # §4.1: Vicuna-7B; 2,048 tokens
        codec="chatspot",  # §3.2: <box>, fractions of the picture
        dialogue="chatspot",
    ),
    stages=(ALIGN, TUNE),
    notes=(
        "the bridge is linear (§4.1); §3.1 says a simple MLP: model.bridge.kind=mlp",
        "differs from paper: each stage holds one half of MGVLID, because §4.1 says only that it \"mainly\" does",
        "differs from paper: Objects365 is cut to 220,000 pictures, because its 1.74 M exceed the paper's 1.2 M",
        "differs from paper: pictures of the evaluated splits are held out by id, because Visual Genome, ST-VQA and "
        "COCO-Text share pictures with COCO and RefCOCO",
        "no answer style is asked for in region chat: its answers are of every length",
    ),
)

CHATSPOT_665K = replace(  # Table 4: with LLaVA-1.5's instruction data
    CHATSPOT,
    name="chatspot-665k",
    model=replace(CHATSPOT.model, language=replace(CHATSPOT.model.language, checkpoint="lmsys/vicuna-7b-v1.5")),
    stages=(ALIGN, replace(TUNE, mixture=replace(TUNE.mixture, sources=(
        *REGION_LEVEL, Source("llava-665k", "llava-665k", "llava_665k", tasks=(("dialogue", 1.0),)))))),
    notes=(
        *CHATSPOT.notes,
        "LLaVA-665K holds pictures of COCO's train2017, which only this variant allows; those of RefCOCO's val and "
        "tests and of val2017 stay held out",
        "LLaVA-665K's 40 K instructions without pictures are not among its sources; a source of your own with the "
        "reader instructions takes them from the same file",
        "differs from paper: Vicuna v1.5, because LLaVA-1.5 is what Table 4 compares with; the paper says Vicuna-7B",
    ),
)

WORLD_CHAT = Source("region-chat", "records", "regionchat/records", "train", (("dialogue", 1.0),),
                    task_options={"dialogue": {"about": "regions", "forms": FORMS}})
SEEN = (  # region sources of the world, and what of the world's own records the small model needs to know a region
    Source("objects365", "objects365", "objects365", "train", (("region", 3.0),),
           task_options={"region": {"asks": ("name",), "forms": FORMS, **SHORT}}),
    Source("refer", "refer", "refer", "train", (("grounding", 2.0), ("description", 1.0)),
           options={"dataset": "refcoco", "by": "unc"}, task_options={"grounding": {"phrases": "refers"}}),
    *(replace(s, weight=0.5) for s in REGION_LEVEL[1:5]),
    WORLD_CHAT,
)
MINI_HELD_OUT = (HeldOut("coco-text", "coco_text", "val", KEPT), HeldOut("pointqa-looktwice", "pointqa", "test"),
                 HeldOut("coco", "coco", "val2017", {**KEPT, "captions": False}))
SMALL_IMAGE = tuple(replace(s, limit=None, weight=0.5 if s.name == "cc595k" else 1.0) for s in IMAGE_LEVEL)
CHATSPOT_MINI = replace(  # loupe world DATA --world mini --images 20000 --also chatspot
    MINI,
    name="chatspot-mini",
    stages=(
        replace(ALIGN, mixture=Mixture(SMALL_IMAGE, pairs_per_image=4, held_out=MINI_HELD_OUT, refused=REFUSED),
                epochs=None, steps=250, batch=64, accumulation=1, precision="float32",
                tune=Tune(vision=Frozen(), bridge=Full(), language=Frozen(), tokens="frozen"),
                optim=Optim(2e-3, warmup=0.1, betas=BETAS)),
        replace(TUNE, mixture=Mixture((*SEEN, *(replace(s, name=f"image-{s.name}") for s in SMALL_IMAGE[1:])),
                                      pairs_per_image=8, held_out=MINI_HELD_OUT, refused=REFUSED),
                epochs=None, steps=5000, batch=64, accumulation=1, precision="float32",
                optim=Optim(2e-3, 0.02, warmup=0.02, schedule="cosine", betas=BETAS, method="muon")),
    ),
    notes=(
        "differs from paper: shipped parts, their codec (location tokens) and turns, and rates of their size, because "
        "a model this small reads a token better than digits",
        "differs from paper: RefCOCO's training sentences and the image-level questions are in the second stage, "
        "because a small model forgets what it is not asked",
    ),
)
