"""ChatSpot's measurements: Tables 1, 2 and 4, and their miniatures on the world's pictures."""

from __future__ import annotations

from loupe.evals.spec import Benchmark

SAMPLE = 1000  # pictures of COCO-1000, §4.2


def _boxes(name: str, boxes: str, region: str = "box", *, mini: bool = False, **fields) -> Benchmark:
    place = ("records", "records", "val") if mini else ("coco", "coco", "val2017")
    fit = {"fit": "train" if mini else "train2017"} if boxes == "given" else {}
    return Benchmark(name, *place, task="region", metric="classes", boxes=boxes, region=region,
                     pictures=0 if mini else SAMPLE, answer=24 if mini else 48, scoring={"rank": "similarity"},
                     **fit, **fields)


def _pope(split: str) -> Benchmark:
    return Benchmark(f"pope-{split}", "pope", "pope", split, task="question", metric="yes-no", count=3000, answer=8)


def _mmbench(split: str) -> Benchmark:
    return Benchmark(f"mmbench-{split.replace('_', '-')}", "mmbench", "mmbench", split, task="multiple-choice",
                     metric="circular", circular=True, balance="topic", answer=16)


def _mini(name: str, task: str, metric: str, **fields) -> Benchmark:
    return Benchmark(f"mini-{name}", "records", "records", "val", task=task, metric=metric, draw=1, answer=24, **fields)


CHATSPOT: tuple[Benchmark, ...] = (
    _boxes("coco-classes-val2017", "given"), _boxes("coco-classes-points-val2017", "given", "point"),
    _boxes("coco-classes-found-val2017", "found"),
    Benchmark("cocotext-val", "coco-text", "coco_text", "val", task="reading", metric="contains",
              task_options={"kinds": ["read"]}, answer=48),
    Benchmark("vizwiz-grounding-val", "vizwiz-grounding", "vizwiz_grounding", "val", task="region-question",
              metric="contains", task_options={"forms": ["box"]}, answer=48),
    *(Benchmark(f"pointqa-{form}-test", "pointqa-looktwice", "pointqa", "test", task="region-question",
                metric="contains", task_options={"forms": [form], "kinds": ["general"]}, answer=48)
      for form in ("box", "point")),
    *map(_pope, ("random", "popular", "adversarial")),
    _mmbench("dev_en"), _mmbench("test_en"),
    Benchmark("mm-vet", "mm-vet", "mm-vet", "", task="question", metric="judged", count=218, answer=256),
    _boxes("mini-classes", "given", mini=True), _boxes("mini-classes-points", "given", "point", mini=True),
    _boxes("mini-classes-found", "found", mini=True),
    _mini("text", "reading", "contains", task_options={"kinds": ("read",)}),
    *(_mini(f"asked-{form}", "region", "contains", fit="train",
            task_options={"forms": (form,), "asks": ("name", "colour"), "nothing": 0.0}) for form in ("box", "point")),
    _mini("pope", "presence", "yes-no", task_options={"each": 1, "kinds": ("name",), "described": 0.0}),
    _mini("circular", "choice", "circular", task_options={"each": 1}, circular=True, balance="kind"),
    _mini("open", "region", "judged", task_options={"forms": ("box",), "asks": ("all",)}),
)
MINIATURE = ("mini-classes", "mini-classes-points", "mini-classes-found", "mini-text", "mini-asked-box",
             "mini-asked-point", "mini-grounding", "mini-pope", "mini-circular", "mini-open")
SUITES: dict[str, tuple[str, ...]] = {
    "chatspot": tuple(b.name for b in CHATSPOT if not b.name.startswith("mini-")),
    "chatspot-mini": MINIATURE,
    "chatspot-jitter": ("coco-classes-val2017", "coco-classes-points-val2017", "vizwiz-grounding-val"),
    "chatspot-mini-jitter": ("mini-classes", "mini-classes-points", "mini-asked-box", "mini-asked-point"),
}
JITTERED = ("chatspot-jitter", "chatspot-mini-jitter")  # suites that are asked by a sloppy hand where nothing is said
