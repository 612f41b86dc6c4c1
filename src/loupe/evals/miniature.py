"""The judgement of miniatures: benchmarks on a judging world's held-out pictures, the suite they form, and its goals.

The folder is written by `loupe world DIR --world mini` (or mini-128, shifted); every task asks one question of each
picture, drawn by a fixed seed, so that the questions of a benchmark are independent of one another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from loupe.evals.spec import Benchmark

EXPRESSIONS = ("attribute", "relation", "order")
FIRST = ("counting", "question", "presence", "region", "grounding")  # asked before in the same conversation


def _mini(name: str, task: str, metric: str, *, answer: int = 24, folder: str = "records", **fields) -> Benchmark:
    options = fields.pop("options", {})
    return Benchmark(f"mini-{name}", "records", folder, "val", task=task, metric=metric, task_options=options,
                     draw=1, fit="train", answer=answer, **fields)


ALONE: tuple[Benchmark, ...] = (
    _mini("grounding", "grounding", "referring", options={"phrases": "refers"}, expressions=EXPRESSIONS,
          balance="expression", scene=True, answer=48),
    _mini("description", "description", "descriptions", options={"phrases": "refers"}, scene=True, answer=32),
    _mini("relation", "relation", "relations", options={"keep": 1.0}, scene=True),
    _mini("coarse", "coarse-position", "sets", options={"kinds": ("names",), "phrases": "refers"}, answer=64),
    _mini("coarse-steps", "coarse-position", "sets", options={"kinds": ("steps",), "phrases": "refers"}, answer=160),
    _mini("coarse-boxes", "coarse-position", "sets", options={"kinds": ("boxes",), "phrases": "refers"}, answer=160),
    _mini("counting", "counting", "numbers", options={"kinds": ("name",)}, answer=8),
    _mini("counting-region", "counting", "numbers", options={"kinds": ("region",)}, balance="truth", answer=8),
    _mini("detection", "detection", "boxes", options={"kinds": ("name",)}, scene=True, answer=160),
    _mini("detection-region", "detection", "boxes", options={"kinds": ("region",)}, scene=True, answer=160),
    _mini("relation-objects", "relation-objects", "sets", options={"keep": 1.0, "kinds": ("names",)}, answer=64),
    *(_mini(form, "region", "words", options={"forms": (form,), "asks": ("all",)}, scene=True)
      for form in ("point", "box", "polygon")),
    _mini("presence", "presence", "words", options={"each": 1}, balance="kind", answer=8),
    _mini("presence-expressions", "presence", "words", balance="truth", answer=8,
          options={"each": 1, "kinds": ("name",), "expressions": 1.0}),
    _mini("statement", "statement", "words", options={"each": 1}, balance="kind", answer=8),
    _mini("choice", "choice", "words", options={"each": 1}, balance="kind", answer=8),
    _mini("reading", "reading", "words", options={"kinds": ("read",)}, answer=16),
    _mini("reading-find", "reading", "referring", options={"kinds": ("find",)}, answer=48),
    _mini("question", "question", "words", answer=16),
    _mini("conversation", "conversation", "answers", balance="kind", answer=48),
    _mini("grounded-caption", "grounded-caption", "captions", scene=True, answer=256),
    _mini("masks", "grounding", "masks", options={"phrases": "refers"}, expressions=EXPRESSIONS, balance="expression",
          form="mask", grid=48, inside=True, boxed=True, answer=48),
    _mini("pixels", "reconstruction", "colours", options={"size": 64}, form="colours", grid=16, most=40, answer=32),
    _mini("unread", "reading", "words", options={"kinds": ("read",)}, folder="unread", answer=16),
)
MINI = (*ALONE, *(replace(b, name=f"{b.name}-behind", behind=FIRST) for b in ALONE
                  if b.name in ("mini-grounding", "mini-presence")))
OWN_ROOT = {"mini-unread": "unread"}  # left out where its own folder is not given: --root unread=DIR/records

SUITES: dict[str, tuple[str, ...]] = {
    "mini": tuple(b.name for b in MINI),
    "mini-quick": ("mini-grounding", "mini-description", "mini-relation", "mini-counting", "mini-detection",
                   "mini-point"),
}
JUDGED = "mini"  # the world that goals are stated for
LIMIT = 300  # questions of each benchmark of a suite, where nothing else is said


@dataclass(frozen=True)
class Goal:
    """What the shipped miniature must reach and aims at on world "mini"; shares of 1."""

    what: str
    benchmark: str
    figure: str
    must: float
    aim: float | None = None


GOALS: tuple[Goal, ...] = (
    Goal("grounding, IoU 0.5", "mini-grounding", "IoU >= 0.5", 0.88, 0.95),
    Goal("description singles out", "mini-description", "unique", 0.85, 0.95),
    Goal("relation", "mini-relation", "holds", 0.93, 0.98),
    Goal("coarse position, whole set", "mini-coarse", "exact set", 0.78, 0.90),
    Goal("counting", "mini-counting", "exact", 0.80, 0.96),
    Goal("detection, F1", "mini-detection", "F1", 0.85, 0.93),
    Goal("what is at a point", "mini-point", "exact", 0.90, 0.98),
    Goal("presence", "mini-presence", "exact", 0.92, 0.98),
    Goal("printed words, closed list", "mini-reading", "exact", 0.70, 0.85),
    Goal("masks, cIoU above the said box filled", "mini-masks", "cIoU above the said box", 0.10),
    Goal("pixels, way to the noise floor", "mini-pixels", "way from patch mean to noise floor", 0.60),
)
