"""What a benchmark is: a frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

# said only where they are set
LATER = ("draw", "most", "balance", "expressions", "scene", "form", "grid", "inside", "boxed", "answer", "boxes",
         "region", "pictures", "circular", "jitter", "jitter_seed", "scoring", "shots", "shots_seed", "behind",
         "among")


@dataclass(frozen=True)
class Benchmark:
    """Reader, task and metric as values; `count` is the published number of questions (None: not fixed).

    fit: the split trivial baselines may be fitted on. least_area: only true boxes larger than this, in square pixels.
    draw: so many questions of each picture, pictures in a fixed random order, `most` in all; None: every question.
    balance: a key of the questions' extra ("truth": the true text) whose values are drawn equally often, and scored
    one by one. expressions: only referring expressions of these kinds (Phrase.kind, put into extra["expression"]).
    scene: the judge gets the picture's objects. form: "mask" or "colours", put together from grid x grid questions;
    "ranked": the most probable of the options is the answer; "calibrated": the one that is the most more probable than
    over all questions (evals/ranked.py).
    inside: of a mask, a box is asked for first and only places in it are asked about; boxed: and the thing is meant by
    that box, no longer by its phrase. answer: longest answer, tokens.
    boxes: every "given" (annotated) or "found" (by a detector) box is asked about, as a `region`: "box" or "point".
    pictures: so many, in a fixed random order. circular: every rotation of the options is asked (CircularEval).
    jitter: share of a box by which a sloppy hand moves its edges, drawn by jitter_seed. scoring: options of the metric.
    shots: solved examples before each question, from the split `fit`, drawn by shots_seed (evals/shots.py).
    behind: tasks, of one of which a question about the same picture stands before each drawn question, truly answered,
    as in a conversation that goes on to something else.
    among: of these two forms: {kind of question (its extra["kind"]), or "" for all: the answers that are weighed},
    where the questions bring no options of their own; one whose kind stands there not: the list that holds its truth.
    """

    name: str
    reader: str
    folder: str
    split: str
    options: dict = field(default_factory=dict)
    task: str = "grounding"
    metric: str = "referring"
    count: int | None = None
    task_options: dict = field(default_factory=dict)
    least_area: float = 0.0
    fit: str | None = None
    draw: int | None = None
    most: int | None = None
    balance: str = ""
    expressions: tuple[str, ...] = ()
    scene: bool = False
    form: str = ""
    grid: int = 0
    inside: bool = False
    boxed: bool = False
    answer: int | None = None
    boxes: str = ""
    region: str = ""
    pictures: int = 0
    circular: bool = False
    jitter: float = 0.0
    jitter_seed: int = 0
    scoring: dict = field(default_factory=dict)
    shots: int = 0
    shots_seed: int = 0
    behind: tuple[str, ...] = ()
    among: dict = field(default_factory=dict)

    def spec(self) -> dict:
        """JSON-able; what a file of predictions says it answers (the number of questions is said beside it)."""
        return {k: v for k, v in asdict(self).items() if k not in ("count", "fit") and (v or k not in LATER)}
