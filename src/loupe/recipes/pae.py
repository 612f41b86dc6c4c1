"""PAE-LaMM: seeing pixels by answering what colour a place has, then masks by asking whether a place lies on a thing.

    loupe import minigpt-v2 checkpoint.pth --vision blip2-opt-2.7b --language Llama-2-7b-chat-hf --form pae --out START
    loupe train pae weights=START --root DATA --out RUN     DATA: coco, refer, visual_genome, llava,
                                                                vqav2, okvqa, aokvqa, gqa, ocr_vqa, textcaps, flickr30k,
                                                                multitask_conversation, unnatural_instructions
    loupe evaluate RUN coco-pixels-val2017 --root DATA            the paper: 6.59 (Table 8), L2 or sum of the channels
    loupe train pae-segment weights=RUN --root DATA --out MASKS
    loupe evaluate MASKS refcoco-masks-val --root DATA --limit 100   the paper: cIoU 83.93 (Table 3)
"""

from __future__ import annotations

from dataclasses import replace

from loupe.data.mixture import Curriculum, Mixture, Source
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tuner import Frozen, Full, LoRA, Tune
from loupe.recipes.mini import BETAS, EVERYTHING, FEW, SMALL, WORDS
from loupe.training.recipe import Optim, Recipe, Stage

PICTURES = {  # in the training splits; a source's weight turns its share of the questions into passes over them
    "coco": 118_287, "refcoco": 16_994, "refcoco+": 16_992, "refcocog": 21_899, "visual-genome": 108_077,
    "llava": 81_479, "vqav2": 82_783, "okvqa": 8_998, "gqa": 72_140,
    "ocr-vqa": 166_058,  # four fifths of 207,572 covers
    "aokvqa": 17_056,  # its questions; hardly a picture has two
    "textcaps": 21_953, "flickr30k": 29_783,
    "multitask": 12_000,  # stated nowhere
    "unnatural-instructions": 68_478,  # of its core; how many are too long for the release it does not say
}
REFER = {"refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}
ASK = (("question", 1.0),)
PIXELS = {"reconstruction": {"size": 64, "filter": "bicubic"}}  # §4: 64 x 64; the paper names no filter


def _source(name: str, share: float, tasks: tuple, reader: str = "refer", folder: str = "refer", of: str = "",
            **fields) -> Source:
    """share: of all questions, in any unit that all sources of a mixture have."""
    return Source(name, reader, folder, weight=1000 * share / PICTURES[of or name], tasks=tasks, **fields)


def _refer(name: str, share: float, tasks: tuple) -> Source:
    return _source(name, share, tasks, split="train", options={"dataset": name, "by": REFER[name]},
                   task_options={task: {"phrases": "refers"} for task, _ in tasks})


# §3.2: "the complete set from the instructional training of MiniGPTv2"; shares are its release's batch sizes times
# sampling ratios (train_configs/minigptv2_finetune.yaml), referring and its inverse in one source
INSTRUCTIONS = (
    *(_refer(name, 150 + 60, (("grounding", 150.0), ("description", 60.0))) for name in REFER),
    _source("visual-genome", 240, (("grounding", 1.0),), "visual-genome", "visual_genome"),
    _source("coco-captions", 60, (("caption", 1.0),), "coco-captions", "coco", "coco", split="train2017"),
    _source("textcaps", 180, (("caption", 1.0),), "textcaps", "textcaps", split="train"),
    _source("flickr30k", 160 + 160 + 160, (("grounded-caption", 160.0), ("detection", 160.0 + 160.0)),
            "flickr30k-entities", "flickr30k", split="train",  # a sentence with its boxes; a phrase's; all phrases'
            task_options={"detection": {"kinds": ("phrase", "sentence")}}),
    _source("llava", 60 + 80 + 320, (("dialogue", 1.0),), "llava", "llava"),
    _source("vqav2", 90, ASK, "vqa", "vqav2", split="train2014"),
    _source("okvqa", 48, ASK, "vqa", "okvqa", split="train2014"),
    _source("aokvqa", 72, ASK, "aokvqa", "aokvqa", split="train", task_options={"question": {"chosen": True}}),
    _source("gqa", 300, ASK, "gqa", "gqa", split="train_balanced"),
    _source("ocr-vqa", 180, ASK, "ocr-vqa", "ocr_vqa", split="train"),
    _source("multitask", 100, (("dialogue", 1.0),), "conversations", "multitask_conversation",  # with its own tags
            options={"file": "multitask_conversation.json", "codec": "minigpt", "picture": "id"}),
    _source("unnatural-instructions", 10, (("dialogue", 1.0),), "instructions", "unnatural_instructions"),
)
ASKED = sum(s.weight * PICTURES["coco" if s.name == "coco-captions" else s.name] / 1000 for s in INSTRUCTIONS)


def _with_pixels(share: float) -> Mixture:
    """The instructions and pixel questions on COCO's photos (Table 1), `share` of all."""
    pixels = _source("pixels", ASKED * share / (1 - share), (("reconstruction", 1.0),), "coco-captions", "coco", "coco",
                     split="train2017", task_options=PIXELS)
    return Mixture((pixels, *INSTRUCTIONS))


RANK = LoRA(64, 16.0, r".*\.(q_proj|v_proj)", 0.05)  # §4: rank 64; the rest is MiniGPT-v2's release
BLIND_TUNE = Tune(vision=Frozen(), bridge=Full(), language=RANK)  # §3.2: the tower frozen
SEEING_TUNE = Tune(vision=Full(), bridge=Full(), language=RANK)  # §3.2: adapted "without using LoRA"
OPTIM = Optim(  # §4: AdamW, cosine; the numbers are in a supplement that is not at hand
    lr=1e-5,  # MiniGPT-v2's release
    weight_decay=0.05,  # MiniGPT-v2's release
    warmup=1000,  # MiniGPT-v2's release
)


def _stage(name: str, tune: Tune, share: float, batch: int, steps: int) -> Stage:
    return Stage(name, _with_pixels(share), OPTIM, tune, epochs=None, steps=steps, batch=batch,
                 accumulation=batch // 4, precision="bf16")


PAE = Recipe(
    name="pae",
    model=ModelSpec(
        # §4: MiniGPT-v2 at 448 x 448: 1,024 tokens of EVA-CLIP-g, four neighbours in one, 256 x 5,632
        vision=VisionSpec("Salesforce/blip2-opt-2.7b", layer=-1, size=448, norm=True),
        bridge=BridgeSpec("linear", merge=4),
        language=LanguageSpec("meta-llama/Llama-2-7b-chat-hf", max_length=4096),
        codec="pae",  # §3.1
        dialogue="pae",  # §3.1, §3.3
    ),
    stages=(  # §4: on average 64, 16 and 64 pixel questions an update, 3.6 million in all
        _stage("familiar", BLIND_TUNE, 1 / 2, batch=128, steps=20_000),  # 1.28 million
        _stage("adapt", SEEING_TUNE, 1 / 2, batch=32, steps=105_000),  # 1.68 million
        _stage("balance", BLIND_TUNE, 1 / 4, batch=256, steps=10_000),  # 0.64 million, a smaller share (§3.2)
    ),
    notes=(
        "the paper starts from MiniGPT-v2's weights: weights=START of `loupe import minigpt-v2 ... --form pae`; "
        "without them bridge and LoRA start fresh",
        "the paper does not say how the 3.6 million divide among the stages, nor the shares of pixel questions",
        "how many multi-task conversations there are is stated nowhere: their share is reckoned with 12,000",
        "A-OKVQA is asked openly, as the other sets of questions are, because the paper does not say",
    ),
)

PAE_SEGMENT = replace(
    PAE,
    name="pae-segment",
    stages=(Stage(
        "segment",
        # §4: 64 masks' questions and 24 boxes an update, "REC and referring segmentation data"
        Mixture(tuple(_refer(name, 1, (("segmentation", 64.0), ("grounding", 24.0))) for name in REFER)),
        OPTIM, BLIND_TUNE, epochs=None, steps=20_000, batch=88, accumulation=22, precision="bf16"),),
    notes=("start from a trained run: weights=RUN", "the paper does not say how long it fine-tunes"),
)

# miniatures: loupe world DATA --world mini --images 20000
ANY = replace(FEW, name="tasks")
SEEN = replace(EVERYTHING, name="pixels", tasks=(("reconstruction", 1.0),), task_options=PIXELS)
PHOTOS = Source("pixels", "pictures", "pictures", "train", (("reconstruction", 1.0),), task_options=PIXELS)


def _mini(pixels: Source, others: float, curriculum: Curriculum | None = None) -> Mixture:
    """Pixel questions, and `others` times as many of other tasks where both sources are equally large."""
    return Mixture((pixels, replace(ANY, weight=others)), pairs_per_image=8, curriculum=curriculum)


def _three(pixels: Source) -> tuple[Stage, ...]:
    def stage(name: str, others: float, lr: float, tune: Tune, steps: int, **fields) -> Stage:
        return Stage(name, _mini(pixels, others, **fields), Optim(lr, 0.02, warmup=0.05, betas=BETAS), tune,
                     epochs=None, steps=steps, batch=64)

    # differs from paper: the language model trains whole, because the shipped one has never seen a picture
    return (stage("familiar", 1.0, 2e-3, WORDS, 1100, curriculum=Curriculum(2, 8, 0.35)),
            stage("adapt", 1.0, 1e-3, Tune(vision=Full(), bridge=Full(), language=Full()), 900),
            stage("balance", 3.0, 1e-3, WORDS, 400))


PAE_MINI = Recipe(
    name="pae-mini",
    model=replace(
        SMALL,
        # the contrastive tower, as the paper's is; differs from paper: no merging, because 64 tokens are few enough
        vision=replace(SMALL.vision, checkpoint="loupe/vision", config=None),
        language=replace(SMALL.language, checkpoint="loupe/language", config=None)),
    stages=_three(SEEN),
    notes=("differs from paper: codec xy, because the shipped language model has a token for each place and value",),
)
PAE_PHOTOS = replace(  # --root pictures=FOLDER: a fifth of its pictures is kept for `loupe evaluate RUN photo-pixels`
    PAE_MINI, name="pae-photos", stages=_three(PHOTOS),
    notes=(*PAE_MINI.notes, "pixel questions about any photos, the other tasks from the world"))
