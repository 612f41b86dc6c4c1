"""Pink's tables in miniature (arXiv 2310.00582, Tables 1, 2b and 2c).

    loupe reproduce pink --out runs/pink
    loupe reproduce pink --table tower --out runs/pink --seeds 3 --workers 2
"""

from __future__ import annotations

import json
from dataclasses import replace

from loupe import config
from loupe.data.mixture import Mixture, Source
from loupe.evals.benchmark import benchmark
from loupe.evals.spec import Benchmark
from loupe.models.tuner import Adapter, Full, Tune
from loupe.recipes.mini import BETAS, SMALL, TOWER_CONFIG
from loupe.reproduce.experiment import Bootstrap, Claim, Column, Experiment, Pairs, Row, Table, World
from loupe.training.recipe import Optim, Recipe, Stage
from loupe.world.spec import MINI

LOOKING = 4800  # of what all rows begin as, so that it finds things at all
STEPS, AGAIN = 320, 220  # of a row; of one with the text codec, whose answers are longer
DECIMALS = 1200  # of what those begin as: boxes said anew, in decimals
DESIGNED = {"R": ("relation", "relation-objects"), "S": ("coarse-position",), "C": ("counting",),
            "D": ("detection",)}  # §3.2; relations are two tasks
RC = (("grounding", 1.0), ("description", 1.0))  # Table 1: the baseline's two tasks
OPTIONS = {"relation": {"keep": 1.0}, "relation-objects": {"keep": 1.0, "order": "left"},
           "coarse-position": {"order": "left", "kinds": ("boxes", "both")}, "detection": {"order": "left"}}


def sources(letters: str | None, *more: Source) -> str:
    """The override of a row's sources: captions, Visual Genome with the designed tasks of `letters` (None: without)."""
    found = [CAPTIONS] if letters is None else [CAPTIONS, genome(letters)]
    return "stages.rows.mixture.sources=" + json.dumps(config.to_json((*found, *more)))


def genome(letters: str) -> Source:
    return Source("visual-genome", "visual-genome", "visual_genome", tasks=tasks(letters),
                  task_options=options(tasks(letters)))


def tasks(letters: str) -> tuple[tuple[str, float], ...]:
    """Grounding and description, and the designed tasks."""
    return RC + tuple((name, 1.0) for letter in letters for name in DESIGNED[letter])


def options(asked: tuple[tuple[str, float], ...]) -> dict:
    return {name: OPTIONS[name] for name, _ in asked if name in OPTIONS}


# captions of whole pictures stand for LLaVA, VQAv2, A-OKVQA and Flickr30K, which ask what the held-out columns ask
CAPTIONS = Source("captions", "records", "records", "train", (("caption", 1.0),), weight=0.25)
BOOTSTRAPPED = tasks("SCD")  # Objects365 annotates no relations
GENERATED = Source("objects365", "records", "pairs", "train", BOOTSTRAPPED, task_options=options(BOOTSTRAPPED))
TRAINING_SETS = tuple(
    Source(name, "refer", "refer", "train", (("grounding", 1.0),), weight=1 / 3, options={"dataset": name, "by": by})
    for name, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")))

RECIPE = Recipe(
    name="pink-rows",
    model=replace(SMALL, vision=replace(SMALL.vision, checkpoint="loupe/vision", config=None),
                  language=replace(SMALL.language, checkpoint="loupe/language", config=None)),
    stages=(Stage(
        "rows", Mixture((CAPTIONS, genome("RSCD")), pairs_per_image=8),
        Optim(2e-3, 0.02, warmup=0.04, betas=BETAS, method="muon"),
        # differs from paper: adapters in the language model, because the shipped one has never seen a picture
        Tune(vision=Adapter(hidden=8), bridge=Full(), language=Full()),  # §4.1: d_s = 8
        epochs=None, steps=STEPS, batch=64),),
)
# §3.1, first stage: the projection alone, on captions
PROJECT = ("stages.rows.mixture.sources=" + json.dumps(config.to_json((CAPTIONS,))),
         "stages.rows.tune.vision=Frozen", "stages.rows.tune.language=Frozen",
         "stages.rows.tune.tokens=frozen", "stages.rows.steps=150", "stages.rows.optim.weight_decay=0")
LOOK = ("stages.rows.tune.vision=Frozen", f"stages.rows.steps={LOOKING}")
RANDOM = ("model.vision.config=" + json.dumps(TOWER_CONFIG), "model.vision.checkpoint=''")
TEXT = ("model.codec=pink", f"stages.rows.steps={AGAIN}")  # §3.1: [0.222,0.333,0.444,0.555]
AS_TEXT = (*TEXT, "stages.rows.tune.vision=Frozen", f"stages.rows.steps={DECIMALS}")
ANSWERS = {"yes or no": ("yes", "no"), "side": ("left", "right"), "number": tuple(str(n) for n in range(9)),
           "colour": MINI.colours, "texture": ("plain", *MINI.textures), "name": MINI.classes, "word": MINI.words}


def held_out(name: str, says: str, about: str, task: str, among: dict, limit: int = 300, **fields) -> Column:
    """Of the answers there are the one that is the most times more probable than over all questions: no row was taught
    their form."""
    asked = Benchmark(f"pink-{name}", "records", "records", "val", task=task, metric="words", draw=1, fit="train",
                      form="calibrated", among=among, **fields)
    return Column(name, says, about, asked, limit=limit, held_out=True)


def refer(dataset: str, by: str, split: str) -> Column:
    name = f"{dataset}-{split}"
    asked = Benchmark(f"pink-{name}", "refer", "refer", split, {"dataset": dataset, "by": by}, draw=1, fit="train",
                      task_options={"phrases": "refers"}, answer=48)
    says = dataset.replace("refcoco", "RefCOCO")
    return Column(name, f"{says} {split}", f"{says} of the world, {split}: IoU >= 0.5", asked, limit=200)


COLUMNS = (
    held_out("choice", "IconQA", "four kinds of questions with letters to choose from", "choice",
             {"": ("A", "B", "C", "D")}, task_options={"each": 1}, balance="kind"),
    held_out("statement", "VSR", "true or false: a relation of two things", "statement", {"": ("true", "false")},
             task_options={"each": 2, "kinds": ("relation",)}, balance="truth"),
    held_out("question", "OK-VQA", "open questions about the picture", "question",
             ANSWERS, limit=200),
    Column("grounding", "RefCOCO val", "words to a box, IoU >= 0.5",
           replace(benchmark("mini-grounding"), name="pink-grounding")),
    held_out("local", "Local", "name or colour of what lies at a point", "region",
             {"point-name": MINI.classes, "point-colour": MINI.colours},
             task_options={"forms": ("point",), "asks": ("name", "colour"), "nothing": 0.0}),
    held_out("twice", "LookTwice", "is there one or are there two of what lies at a point, either equally often",
             "counting", {"": ("1", "2")}, task_options={"kinds": ("region",), "form": "point", "most": 2},
             balance="truth"),
    refer("refcoco", "unc", "val"), refer("refcoco", "unc", "testA"), refer("refcoco", "unc", "testB"),
    refer("refcoco+", "unc", "val"), refer("refcoco+", "unc", "testA"), refer("refcoco+", "unc", "testB"),
    refer("refcocog", "umd", "val"), refer("refcocog", "umd", "test"),
)

ROWS = (
    Row("project", "projection alone, on captions", PROJECT, shared=True, once=True),
    Row("start", "then grounding and description", (*LOOK, sources("")), begins="project", shared=True, once=True),
    Row("start-captions", "then captions", (*LOOK, sources(None)), begins="project", shared=True, once=True),
    Row("baseline", "Baseline", (sources(""),), begins="start"),
    Row("no-vg", "w/o VG", (sources(None),), begins="start-captions"),
    Row("r", "+ R", (sources("R"),), begins="start"),
    Row("rs", "+ R,S", (sources("RS"),), begins="start"),
    Row("rsc", "+ R,S,C", (sources("RSC"),), begins="start"),
    Row("rscd", "+ R,S,C,D", (sources("RSCD"),), begins="start"),
    Row("pairs", "pairs for Objects365", begins="rscd", writes=Bootstrap("objects365", "more/objects365", 1500)),
    Row("o365-all", "+ R,S,C,D + Objects365, not filtered", (sources("RSCD", GENERATED),), begins="start",
        reads=Pairs("pairs", "objects365", iou=0.0)),
    Row("o365", "+ R,S,C,D + Objects365", (sources("RSCD", GENERATED),), begins="start",
        reads=Pairs("pairs", "objects365", iou=0.5)),  # §4.1: lambda = 0.5
    Row("frozen", "Freezing", ("stages.rows.tune.vision=Frozen",), begins="start"),
    Row("full", "Full-tuning", ("stages.rows.tune.vision=Full",), begins="start"),
    Row("lora", "LoRA", ("stages.rows.tune.vision=LoRA(rank=8,alpha=16)",), begins="start"),
    Row("start-text", "then boxes as text", (*AS_TEXT, sources("")), begins="start", shared=True, once=True),
    Row("text-frozen", "Freezing", (*TEXT, "stages.rows.tune.vision=Frozen"), begins="start-text"),
    Row("text-full", "Full-tuning", (*TEXT, "stages.rows.tune.vision=Full"), begins="start-text"),
    Row("text-lora", "LoRA", (*TEXT, "stages.rows.tune.vision=LoRA(rank=8,alpha=16)"), begins="start-text"),
    Row("text-adapter", "Adapter (Pink)", TEXT, begins="start-text"),
    Row("fine", "Pink, fine-tuned", (sources("RSCD", *TRAINING_SETS),), begins="start"),
    Row("fine-o365", "Pink*, fine-tuned", (sources("RSCD", GENERATED, *TRAINING_SETS),), begins="start",
        reads=Pairs("pairs", "objects365", iou=0.5)),
    Row("project-random", "projection alone, on captions, random tower", (*PROJECT, *RANDOM), shared=True, once=True),
    Row("start-random", "then grounding and description, random tower", (*LOOK, *RANDOM, sources("")),
        begins="project-random", shared=True, once=True),
    Row("random", "random tower", RANDOM, begins="start-random"),
    Row("start-text-random", "then boxes as text, random tower", (*AS_TEXT, *RANDOM, sources("")),
        begins="start-random", shared=True, once=True),
    Row("text-random", "random tower", (*TEXT, *RANDOM), begins="start-text-random"),
    Row("text-blind", "Adapter, shown grey pictures", begins="text-adapter", blind=True),
    Row("fine-random", "random tower, fine-tuned", (*RANDOM, sources("RSCD", *TRAINING_SETS)), begins="start-random"),
    Row("blind", "+ R,S,C,D, shown grey pictures", begins="rscd", blind=True),
    Row("fine-blind", "fine-tuned, shown grey pictures", begins="fine", blind=True),
)

SIX = ("choice", "statement", "question", "grounding", "local", "twice")
EIGHT = ("refcoco-val", "refcoco-testA", "refcoco-testB", "refcoco+-val", "refcoco+-testA", "refcoco+-testB",
         "refcocog-val", "refcocog-test")


def printed(columns: tuple[str, ...], **rows: tuple[float | None, ...]) -> dict[str, dict[str, float]]:
    return {name.replace("_", "-"): {c: v for c, v in zip(columns, values, strict=True) if v is not None}
            for name, values in rows.items()}


# why they came out so
GUESSED = "no row sees it in these minutes: shown grey pictures it does about as well"
DIVIDED = ("likely because steps are equal: each further task takes questions from description, which asks of a box "
           "what Local asks of a point")
ALIKE = ("the second world is of the first one's kind and steps are equal: generated pairs take the place of annotated "
         "ones and bring nothing new")

DATA = Table(
    "data", "Table 1, upper part: which tasks are trained on",
    ("baseline", "no-vg", "r", "rs", "rsc", "rscd", "o365-all", "o365"), SIX, ("random", "blind"),
    printed(SIX, baseline=(44.6, 65.6, 58.5, 55.0, 0.0, 0.2), no_vg=(43.1, 62.8, 58.3, None, None, None),
            r=(44.4, 65.7, 58.5, 52.1, 17.1, 12.8), rs=(46.2, 65.8, 58.5, 52.7, 50.9, 60.0),
            rsc=(47.4, 65.7, 58.9, 53.1, 53.4, 60.7), rscd=(47.8, 66.3, 59.5, 54.1, 54.6, 63.1),
            o365_all=(44.6, 65.9, 58.7, 73.8, 52.1, 69.2), o365=(47.7, 67.1, 59.5, 77.0, 57.2, 70.3)),
    (
        Claim("Grounding and description help VSR (§4.2: 2.8 points)", "statement", "baseline", "no-vg", GUESSED),
        Claim("All designed tasks help Local (0.0 to 54.6)", "local", "rscd", "baseline", DIVIDED),
        Claim("All designed tasks help LookTwice (0.2 to 63.1)", "twice", "rscd", "baseline", GUESSED),
        Claim("Spatial reasoning helps Local (17.1 to 50.9)", "local", "rs", "r", DIVIDED),
        Claim("Spatial reasoning helps LookTwice (12.8 to 60.0)", "twice", "rs", "r", GUESSED),
        Claim("All designed tasks help IconQA (44.6 to 47.8)", "choice", "rscd", "baseline", GUESSED),
        Claim("All designed tasks help VSR (65.6 to 66.3)", "statement", "rscd", "baseline", GUESSED),
        Claim("All designed tasks help OK-VQA (58.5 to 59.5)", "question", "rscd", "baseline", GUESSED),
        Claim("More tasks cost grounding a little (55.0 to 52.1)", "grounding", "baseline", "r"),
        Claim("Bootstrapped Objects365 helps grounding (54.1 to 77.0)", "grounding", "o365", "rscd", ALIKE),
        Claim("Bootstrapped Objects365 helps LookTwice (63.1 to 70.3)", "twice", "o365", "rscd", GUESSED),
        Claim("The filter helps grounding (73.8 to 77.0)", "grounding", "o365", "o365-all",
              "higher with every seed, by less than a row's interval"),
        Claim("The filter helps Local (52.1 to 57.2)", "local", "o365", "o365-all"),
        Claim("The filter helps IconQA (44.6 to 47.7)", "choice", "o365", "o365-all", GUESSED),
    ),
)
TOWERS = printed(SIX, frozen=(42.9, 61.5, 58.3, 37.2, 44.9, 57.5), full=(36.9, 48.6, 33.1, 0.05, 26.1, 54.1),
                 lora=(44.3, 65.4, 58.9, 54.7, 56.7, 62.2), adapter=(47.8, 66.3, 59.5, 54.1, 54.6, 63.1))


STILL = ("in so few updates neither moves this tower far: with one seed the rows differ by less than a row's seeds do")
UNSPOILT = "likely because this tower was made from pictures of this very world: tuning it takes little away"


def tower_claims(prefix: str, adapter: str) -> tuple[Claim, ...]:
    frozen, full, lora = f"{prefix}frozen", f"{prefix}full", f"{prefix}lora"
    return (
        Claim("Adapters ground better than a frozen tower (37.2 to 54.1)", "grounding", adapter, frozen, STILL),
        Claim("LoRA grounds better than a frozen tower (37.2 to 54.7)", "grounding", lora, frozen, STILL),
        Claim("Full tuning spoils grounding (54.1 to 0.05)", "grounding", adapter, full, UNSPOILT),
        Claim("Full tuning spoils grounding below the frozen tower (37.2 to 0.05)", "grounding", frozen, full,
              UNSPOILT),
        Claim("Full tuning spoils VSR (66.3 to 48.6)", "statement", adapter, full, GUESSED),
        Claim("Full tuning spoils OK-VQA (59.5 to 33.1)", "question", adapter, full, GUESSED),
        Claim("Full tuning spoils Local (54.6 to 26.1)", "local", adapter, full, UNSPOILT),
        Claim("Adapters answer Local better than a frozen tower (44.9 to 54.6)", "local", adapter, frozen, STILL),
    )


TOWER = Table("tower", "Table 1, lower part: how the tower is trained; location tokens", ("frozen", "full", "lora",
              "rscd"), SIX, ("random", "blind"), {name.replace("adapter", "rscd"): row for name, row in TOWERS.items()},
              tower_claims("", "rscd"))
TEXTS = Table("tower-text", "Table 1, lower part: how the tower is trained; three decimals as text",
              ("text-frozen", "text-full", "text-lora", "text-adapter"), SIX, ("text-random", "text-blind"),
              {f"text-{name}": row for name, row in TOWERS.items()}, tower_claims("text-", "text-adapter"),
              note=f"All rows begin as the common beginning with location tokens that said boxes in decimals for "
              f"{DECIMALS} steps more, beside a frozen tower; then {AGAIN} steps each.")
FINETUNE = Table(
    "finetune", "Tables 2b and 2c: grounding, zero-shot and fine-tuned", ("rscd", "o365", "fine", "fine-o365"), EIGHT,
    ("random", "fine-random", "fine-blind"),
    printed(EIGHT, rscd=(54.1, 61.2, 44.2, 43.9, 50.7, 35.0, 59.1, 60.1),
            o365=(77.0, 82.4, 68.2, 65.6, 75.2, 53.4, 72.4, 74.0),
            fine=(88.3, 91.7, 84.0, 81.4, 87.5, 73.7, 83.7, 83.7),
            fine_o365=(88.7, 92.1, 84.0, 81.8, 88.2, 73.9, 83.9, 84.3)),
    (
        *(Claim(f"Bootstrapped Objects365 helps zero-shot ({a} to {b})", column, "o365", "rscd", ALIKE)
          for column, a, b in (
            ("refcoco-val", 54.1, 77.0), ("refcoco+-val", 43.9, 65.6), ("refcocog-val", 59.1, 72.4))),
        Claim("Training sets help more than anything else (54.1 to 88.3)", "refcoco-val", "fine", "rscd",
              "above in 23 of the 24 columns of the three seeds and never below, by 5 to 9 points in the mean; one "
              "column's interval of three seeds and 200 questions reaches further"),
        *(Claim(f"Bootstrapped Objects365 helps when fine-tuned ({a} to {b})", column, "fine-o365", "fine", ALIKE)
          for column, a, b in (
            ("refcoco-val", 88.3, 88.7), ("refcoco+-val", 81.4, 81.8), ("refcocog-val", 83.7, 83.9))),
    ),
    note="The world's RefCOCO, RefCOCO+ and RefCOCOg. Visual-7W and fine-tuned LookTwice are not in the miniature.",
)

PINK = Experiment(
    name="pink",
    title="Pink",
    paper="arXiv 2310.00582",
    recipe=RECIPE,
    worlds=(World("world", 12000, 1000, seed=0, world="few"), World("more", 2000, 20, seed=1, world="few")),
    columns=COLUMNS,
    rows=ROWS,
    tables=(DATA, TOWER, TEXTS, FINETUNE),
    notes=(
        "Parts: the contrastive tower `loupe/vision` and the language model `loupe/language`, which has read scenes "
        "said in words (statements, choices and questions about stated places among them, as Vicuna has read much) but "
        "has never seen a picture. They are brought together once: the projection alone, on captions (§3.1), then "
        f"{LOOKING} steps of the baseline's tasks beside a frozen tower. Every row of every seed begins as that model, "
        "\"w/o VG\" as one that saw captions for as long, the random tower as one of its own: intervals are those of "
        "rows behind one beginning, not of beginnings.",
        "differs from paper: the contrastive tower begins as `loupe/tower`, which was supervised patch by patch, by "
        "boxes, too; captions alone teach a tower of minutes colours and no shapes. CLIP read 400 million of them.",
        "differs from paper: that common beginning, because rows of minutes that begin from parts see next to nothing "
        "(grounding 5 to 9 % in all), and what does not see cannot tell data apart.",
        "Held out: no row is trained on statements, choices, open questions or anything at a point, not even in words. "
        "Counting by name and by box is a task of the rows with C; the column asks by a point.",
        "differs from paper: held-out questions are answered by that of the answers there are (true, false; the "
        "colours; A to D; numbers to a question about a number) which is the most times more probable than over all "
        "questions of the column (batch calibration, arXiv 2309.17249). A row that was taught boxes and phrases says "
        "these whatever it is asked, and likes one word best whatever it is shown; what it sees is measured so, not "
        "which form it has kept.",
        "differs from paper: captions alone stand for LLaVA, VQAv2, A-OKVQA and Flickr30K, because their questions are "
        "those of the held-out columns.",
        "differs from paper: two to four things in a picture (the world `few`), eight questions each, location tokens, "
        "Muon, and the whole language model trained in place of adapters, because the miniature learns nothing in "
        "minutes without them.",
        "Objects365 is a second world; the generator is the model + R,S,C,D of the same seed, its pairs are a quarter "
        "of the pictures drawn and feed every task but relation.",
    ),
)
