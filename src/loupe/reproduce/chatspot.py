"""ChatSpot's tables and its Figure 5 in miniature (IJCAI 2024, Tables 1 to 4).

    loupe reproduce chatspot --out runs/chatspot
    loupe reproduce chatspot --table regions --out runs/chatspot --seeds 3 --workers 2
"""

from __future__ import annotations

import json
from dataclasses import replace

from loupe import config
from loupe.data.mixture import Mixture, Source
from loupe.evals.benchmark import benchmark
from loupe.evals.jitter import SEEDS
from loupe.models.tuner import Frozen, Full, Tune
from loupe.recipes.chatspot import MINI_HELD_OUT, REFUSED, SEEN, SMALL_IMAGE
from loupe.recipes.mini import BEGIN, BETAS, MINI, TOWER_CONFIG
from loupe.reproduce.experiment import Claim, Column, Curve, Experiment, Row, Table, World
from loupe.training.recipe import Optim, Recipe, Stage

STEPS = 400  # of a row
PICTURES = 80  # of COCO-1000's miniature, §4.2
NOISE = (0.05, 0.1, 0.2, 0.3)  # Fig. 5 has 0.1, 0.2 and 0.3
LEAST = 0.05  # a loss of fewer points than these is taken for "no significant decrease" (§5.1)

REFER = next(source for source in SEEN if source.name == "refer")
TALKS = Source("llava-665k", "llava-665k", "llava_665k", tasks=(("dialogue", 1.0),))
ASKED = Source(  # what of LLaVA-665K are VQAv2, GQA, OK-VQA and A-OKVQA: open questions, yes or no, letters
    "llava-questions", "records", "records", "train", (("question", 1.0), ("presence", 1.0), ("choice", 1.0)),
    task_options={"presence": {"kinds": ("name",)}})


def sources(*chosen: Source) -> str:
    return "stages.tune.mixture.sources=" + json.dumps(config.to_json(chosen))


RECIPE = Recipe(
    name="chatspot-rows",
    model=MINI.model,
    start=BEGIN,
    stages=(Stage(
        "tune", Mixture(SEEN, pairs_per_image=8, held_out=MINI_HELD_OUT, refused=REFUSED),
        Optim(2e-3, 0.02, warmup=0.04, betas=BETAS, method="muon"),
        Tune(vision=Frozen(), bridge=Full(), language=Full()),  # §4.1
        epochs=None, steps=STEPS, batch=64),),
)
# §4.1, first stage: the projection alone, on the image-level half; the same for all rows of a seed
START = (sources(*SMALL_IMAGE), "stages.tune.tune.language=Frozen", "stages.tune.tune.tokens=frozen",
         "stages.tune.steps=150", "stages.tune.optim.weight_decay=0")
RANDOM = ("model.vision.config=" + json.dumps(TOWER_CONFIG), "model.vision.checkpoint=''")
IMAGES = sources(*(replace(source, name=f"image-{source.name}") for source in SMALL_IMAGE), REFER)
LLAVA = sources(TALKS, ASKED, REFER)
BOTH = sources(*SEEN, TALKS, ASKED)


def named(name: str, says: str, about: str, of: str, figure: str = "", **fields) -> Column:
    """A column of a benchmark that loupe has; classes and sizes of one are read from the same answers."""
    asked = replace(benchmark(of), name=f"spot-{name}", count=None)
    if asked.boxes:
        asked, fields = replace(asked, pictures=PICTURES, answer=12), {"limit": 100_000, **fields}
    elif asked.draw is None:
        asked = replace(asked, draw=1)
    return Column(name, says, about, replace(asked, answer=min(asked.answer or 48, 24), fit=FIT.get(asked.reader)),
                  figure, **fields)


FIT = {"coco": "train2017", "coco-text": "train", "pointqa-looktwice": "train", "records": "train", "refer": "train"}
CLASSES = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "small": "AP small", "medium": "AP medium"}


def precision(prefix: str, says: str, about: str, of: str) -> tuple[Column, ...]:
    """AP and what belongs to it: figures of one benchmark's answers. An interval of theirs is of the seeds alone."""
    return tuple(replace(named(of, f"{figure}{says}", f"{figure} of {about}", of, figure), name=f"{prefix}{name}",
                         counted=False) for name, figure in CLASSES.items())


def refer(split: str) -> Column:
    asked = replace(benchmark(f"refcoco-{split}"), name=f"spot-refcoco-{split}", count=None, draw=1, answer=24)
    return Column(f"refcoco-{split}", f"RefCOCO {split}", f"RefCOCO of the world, {split}: IoU >= 0.5", asked,
                  limit=200)


HANDS = {  # Fig. 5: what is asked with moved regions
    "coco": ("COCO", "accuracy with given boxes", "coco-classes-val2017", "accuracy"),
    "coco-point": ("COCO, points", "accuracy with a point on each thing", "coco-classes-points-val2017", "accuracy"),
    "vizwiz": ("VizWiz", "a question about a box", "vizwiz-grounding-val", ""),
}


def sloppy(hand: str, amount: float) -> Column:
    says, about, of, figure = HANDS[hand]
    about = f"{about}, moved by U(-{amount:g}, {amount:g}) of its box" if amount else about
    column = named(f"{hand}-{amount:g}", f"{says}, s = {amount:g}", about, of, figure)
    asked = replace(column.benchmark, name=f"spot-{hand}", jitter=amount)  # the same questions at every amount
    return replace(column, benchmark=asked, measured="jitter" if amount else "")


COLUMNS = (
    replace(named("coco-classes-val2017", "Acc.", "what lies in a given box; the class the answer is most like",
                  "coco-classes-val2017", "accuracy"), name="accuracy"),
    *precision("", "", "the same answers, ranked by likeness", "coco-classes-val2017"),
    *precision("found-", ", found", "the same of boxes the refiner found", "coco-classes-found-val2017"),
    named("text", "COCO-Text", "the word in a region; inside the answer", "cocotext-val"),
    named("vizwiz", "VizWiz", "a question about a box; the answer is inside what is said", "vizwiz-grounding-val"),
    named("pointqa-box", "PointQA (B)", "how many there are of what lies in a box", "pointqa-box-test"),
    named("pointqa-point", "PointQA (P)", "the same of a point", "pointqa-point-test"),
    refer("val"), refer("testA"), refer("testB"),
    named("mmbench-dev", "MMB_d", "letters to choose from, right in every rotation", "mini-circular"),
    replace(named("mmbench-test", "MMB_t", "the same in another world's pictures", "mini-circular"),
            benchmark=replace(benchmark("mini-circular"), name="spot-mmbench-test", folder="judged/records")),
    named("mm-vet", "MM-Vet", "all that is to be said of a region; judged by a rule, not by a model", "mini-open"),
    named("pope", "POPE", "is there a ...? yes or no", "mini-pope"),
    *(sloppy(hand, amount) for hand in HANDS for amount in (0.0, *NOISE)),
)

ROWS = (
    Row("start", "stage 1: projection alone, image-level data", START, shared=True),
    Row("chatspot", "ChatSpot", begins="start"),
    Row("images", "image-level data in stage 2, too", (IMAGES,), begins="start"),
    Row("llava", "LLaVA-1.5: LLaVA-665K alone", (LLAVA,), begins="start"),
    Row("chatspot-665k", "ChatSpot with LLaVA-665K", (BOTH,), begins="start"),
    Row("start-random", "stage 1, random tower", (*START, *RANDOM), shared=True),
    Row("random", "random tower", RANDOM, begins="start-random"),
    Row("random-665k", "random tower, with LLaVA-665K", (*RANDOM, BOTH), begins="start-random"),
    Row("blind", "ChatSpot, shown grey pictures", begins="chatspot", blind=True),
    Row("blind-665k", "ChatSpot with LLaVA-665K, shown grey pictures", begins="chatspot-665k", blind=True),
    Row("sloppy", "ChatSpot, a sloppy hand", begins="chatspot", again=True),
)

# why they came out so
BOTH_NAME = "RefCOCO's sentences about boxes, which both rows learn, teach to name what lies in one"
NONE_LARGE = "in 96 pixels 6 % of the things are medium, of 3 classes of 10"
ONE_NUMBER = "neither reads the picture: ChatSpot says the commonest number, the other was never asked for one"
ONE_WORD = "a word in print is not read in 400 updates: ChatSpot says a likely one, the other none"
SHARES = "at equal updates RefCOCO is a smaller part of more sources, and detection, which says boxes, is not in it"
TOO_SHORT = "400 updates from a language model that has never seen a picture leave all rows at chance"
APART = "things are few and lie apart, so that a moved region still lies on its own more than on any other"
GIVEN = ("accuracy", *CLASSES)
FOUND = tuple(f"found-{name}" for name in CLASSES)
REGIONS = Table(
    "regions", "Table 1: naming regions, given boxes", ("chatspot", "images"), GIVEN, ("random", "blind"),
    {"chatspot": dict(zip(GIVEN, (64.5, 48.8, 48.8, 48.8, 35.1, 56.0)))},
    (
        Claim("Medium things are named better than small ones (35.1 to 56.0)", "medium", "chatspot", "chatspot",
              NONE_LARGE, against="small"),
        Claim("Region-level instructions give it regions (§3.3; no number)", "accuracy", "chatspot", "images",
              BOTH_NAME),
        Claim("Region-level instructions give it regions (§3.3; no number)", "ap", "chatspot", "images", BOTH_NAME),
    ),
    note="Pictures are 96 pixels wide, so nothing is large. An answer that is a class's name is as like it as can be, "
    "so nearly all boxes rank alike and AP follows the accuracy.",
)
DETECTED = Table(
    "regions-found", "Table 1: naming regions, boxes of a detector", ("chatspot", "images"), FOUND,
    ("random", "blind"), {"chatspot": dict(zip(FOUND, (39.6, 50.2, 44.1, 21.6, 45.8)))},
    (
        Claim("Given boxes are better than found ones (39.6 to 48.8)", "ap", "chatspot", "chatspot",
              against="found-ap"),
        Claim("but not at IoU 0.5 (48.8 to 50.2)", "found-ap50", "chatspot", "chatspot",
              "what the refiner does not find is not named; its boxes are else as good as given ones", against="ap50"),
        Claim("Medium things are named better than small ones (21.6 to 45.8)", "found-medium", "chatspot", "chatspot",
              NONE_LARGE, against="found-small"),
        Claim("Region-level instructions give it regions (§3.3; no number)", "found-ap", "chatspot", "images",
              BOTH_NAME),
    ),
    note="loupe's refiner stands for DINO.",
)
ASKED_OF = ("text", "vizwiz", "pointqa-box", "pointqa-point")
QUESTIONS = Table(
    "questions", "Table 2: text in regions and questions about regions", ("chatspot", "images"), ASKED_OF,
    ("random", "blind"), {"chatspot": dict(zip(ASKED_OF, (31.8, 63.0, 68.2, 62.0)))},
    (
        Claim("A box says more than a point (62.0 to 68.2)", "pointqa-box", "chatspot", "chatspot",
              ONE_NUMBER, against="pointqa-point"),
        *(Claim("Region-level instructions help (§4.2; no number)", column, "chatspot", "images", why)
          for column, why in zip(ASKED_OF, (ONE_WORD, BOTH_NAME, ONE_NUMBER, ONE_NUMBER))),
    ),
)
SPLITS = ("refcoco-val", "refcoco-testA", "refcoco-testB")
REFERRING = Table(
    "refcoco", "Table 3: RefCOCO", ("chatspot", "images"), SPLITS, ("random", "blind"),
    {"chatspot": dict(zip(SPLITS, (88.1, 91.4, 83.9)))},
    (
        *(Claim("Precise referring instructions help (Table 3's caption; no number)", column, "chatspot", "images",
                SHARES) for column in SPLITS),
        Claim("testA is easier than testB (83.9 to 91.4)", "refcoco-testA", "chatspot", "chatspot",
              against="refcoco-testB"),
    ),
    note="The other methods of Table 3 are not rebuilt; both rows learn from RefCOCO's training sentences.",
)
GENERAL_COLUMNS = ("mmbench-dev", "mmbench-test", "mm-vet", "pope")
GENERAL = Table(
    "general", "Table 4: general measurements, with LLaVA-665K", ("llava", "chatspot-665k"), GENERAL_COLUMNS,
    ("random-665k", "blind-665k"),
    {"llava": dict(zip(GENERAL_COLUMNS, (64.3, 59.5, 30.5, 83.3))),
     "chatspot-665k": dict(zip(GENERAL_COLUMNS, (64.5, 63.6, 37.5, 91.4)))},
    (
        Claim("Region instructions help MMBench, dev (64.3 to 64.5)", "mmbench-dev", "chatspot-665k", "llava",
              TOO_SHORT),
        Claim("Region instructions help MMBench, test (59.5 to 63.6)", "mmbench-test", "chatspot-665k", "llava",
              TOO_SHORT),
        Claim("Region instructions help MM-Vet (30.5 to 37.5)", "mm-vet", "chatspot-665k", "llava",
              TOO_SHORT),
        Claim("Region instructions help POPE (83.3 to 91.4)", "pope", "chatspot-665k", "llava",
              TOO_SHORT),
    ),
    note="MM-Vet's judge is GPT-4; here a rule counts what must be said, because no judge is at hand. POPE: random.",
)
HAND = Table(
    "hand", "Figure 5: a sloppy hand", ("sloppy",),
    tuple(f"{hand}-{amount:g}" for hand in HANDS for amount in (0.0, *NOISE)), (), {},
    tuple(Claim(f"No significant decrease at s = {amount:g} (§5.1; the figure prints no number): less than "
                f"{100 * LEAST:g} points", f"{hand}-{amount:g}", "sloppy", "sloppy", APART, against=f"{hand}-0",
                slack=LEAST)
          for hand in ("coco", "vizwiz") for amount in (0.1, 0.2, 0.3)),
    note=f"Each edge moves by U(-s, s) times the box's width or height, clipped; a point by as much of the box it "
    f"stands for; means over {SEEDS} draws of each seed's model. The paper shows no points.",
    curves=tuple(Curve(says, tuple((amount, f"{hand}-{amount:g}") for amount in (0.0, *NOISE)))
                 for hand, (says, *_) in HANDS.items()),
    across="noise s, share of the box",
)

CHATSPOT = Experiment(
    name="chatspot",
    title="ChatSpot",
    paper="IJCAI 2024, arXiv 2307.09474",
    recipe=RECIPE,
    worlds=(World("spots", 3500, 800, seed=0, world="few", also="chatspot"),
            World("judged", 20, 400, seed=777, world="few")),
    columns=COLUMNS,
    rows=ROWS,
    tables=(REGIONS, DETECTED, QUESTIONS, REFERRING, GENERAL, HAND),
    notes=(
        "Parts: the tower `loupe/tower` and the language model `loupe/language`, which has never seen a picture. The "
        "two stages of §4.1: all rows of a seed begin with the same projection, trained alone on image-level data; "
        "then the tower is frozen and the rest is trained.",
        "The paper measures one model and has no row without its region-level data; the row that goes on with "
        "image-level data for as many steps stands in that place. Both see RefCOCO's training sentences.",
        "differs from paper: two to four things in a picture (the world `few`), eight questions each, location tokens "
        "and Muon, because the miniature learns nothing in minutes without them; `loupe/tower` learnt classes patch by "
        "patch, CLIP from captions.",
        "differs from paper: VQAv2, GQA and A-OKVQA of LLaVA-665K are the world's open, yes-or-no and lettered "
        "questions, because the world writes LLaVA-665K as dialogues alone.",
    ),
)
