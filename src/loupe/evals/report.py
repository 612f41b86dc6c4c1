"""What a report says about answers: cards of single questions, and scores beside their baselines.

The pieces of a page (`page`, `section`, `picture`, `table`, `chart`, ...) come from loupe.evals.page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loupe.errors import ImageError
from loupe.evals.encoders import SAID, alike
from loupe.evals.metrics import measure
from loupe.evals.page import (
    Html,
    Spot,
    card,
    cards,
    chip,
    framed_table,
    join,
    legend,
    next_step,
    page,
    picture,
    row,
    section,
    swatch,
    table,
    tag,
    text,
)
from loupe.evals.predictions import Prediction
from loupe.evals.table import cell
from loupe.image import Image
from loupe.plain import Roots
from loupe.regions import Box, Colour, Mask, Point, Polygon, Region, iou
from loupe.sample import Answer, Found, ImageMark, Regions


@dataclass(frozen=True)
class Case:
    """One question on one picture and what was answered; `truth` is regions or words, None if unknown."""

    image: Image
    question: Sequence  # parts of the user's turn
    answer: Answer | None = None
    truth: Sequence[Region] | str | None = None
    right: bool | None = None  # None: not judged
    note: str = ""


@dataclass(frozen=True)
class Score:
    """One line of the score table: a share in 0..1 with its 95 % interval, where it has one, over `count` questions."""

    benchmark: str
    name: str
    value: float
    low: float | None
    high: float | None
    count: int
    unreadable: int = 0
    strong: bool = False  # the model, as opposed to a baseline


def evaluation_page(results: Sequence, model: str | Sequence[str], roots: Roots = None, *, title: str = "",
                    lead: str = "", before: Sequence = (), after: Sequence = (), shown: int = 12,
                    then: Sequence[str] = ()) -> Html:
    """A report on benchmark results (`evals.runner.Result`) of a model, or of several, and of baselines beside them.

    shown: questions on the page per benchmark. then: a sentence and the commands to run next.
    """
    names = list(dict.fromkeys(r.benchmark for r in results))
    ordered = [r for name in names for r in results if r.benchmark == name]
    models = (model,) if isinstance(model, str) else tuple(model)
    own = [r for r in ordered if r.model in models]
    whole = section("Scores", scores(score_lines(ordered, models)), note="Unreadable answers count as wrong. Baselines "
                    "never look at the picture; some are told a part of the truth, as their names say.")
    said = [r.benchmark if len(models) == 1 else f"{r.benchmark}, {r.model}" for r in own]
    answers = [answers_section(r, roots, shown, name) for r, name in zip(own, said)]
    figures = [table([(f.name, cell(f), f.count) for f in r.scores.figures]
                     + [(f"{s.main.name}: {kind}", cell(s.main), s.count) for kind, s in r.kinds.items()],
                     (name, "value", "N"))
               for r, name in zip(own, said)]
    last = [section("What to run next", next_step(then[0], *then[1:]))] if then else []
    return page(title or f"{', '.join(models)}: {', '.join(names)}", *before, whole, *answers, *after,
                section("Every figure", *figures) if figures else "", *last, lead=lead)


def answers_section(result, roots: Roots = None, shown: int = 12, name: str = "") -> Html:
    """Cards of some questions of one result."""
    note = f"{min(shown, result.count)} of {result.count} questions, evenly spread over the file, not chosen by result."
    return section(f"Answers: {name or result.benchmark}", legend("true", "predicted", "asked"),
                   cases(case_of(p, result.metric, roots) for p in spread(result.predictions, shown)), note=note)


def score_lines(results: Sequence, models: Sequence[str]) -> list[Score]:
    """The first figure of each result as a line of the score table; the models' own lines stand out."""
    out = []
    for r in results:
        f = r.scores.main
        out.append(Score(f"{r.benchmark}: {f.name}", r.model, f.value, f.low, f.high, r.count, r.scores.unread,
                         r.model in models))
    return out


def case_of(prediction: Prediction, metric: str, roots: Roots = None) -> Case:
    if metric == "classes":  # a single answer is judged by its words
        right = alike(prediction.answer.text, prediction.texts[0]) >= SAID if prediction.texts else None
    else:
        judged = measure(metric, [prediction])
        right = (judged["all and only"] if metric == "boxes" else judged.main.value) >= 0.5
    truth = prediction.regions or ("none" if metric == "boxes" else ", ".join(prediction.texts[:3])) or None
    return Case(prediction.pictures(roots)[0], prediction.question, prediction.answer, truth, right)


def spread(predictions: Sequence[Prediction], count: int) -> list[Prediction]:
    """Up to `count` of them, evenly over the list, each picture once where there are enough."""
    firsts = list({str(p.images): p for p in reversed(predictions)}.values())[::-1]
    pool = firsts if len(firsts) >= count else list(predictions)
    return [pool[int(i * len(pool) / count)] for i in range(count)] if len(pool) > count else pool


def cases(many: Iterable[Case]) -> Html:
    return cards(map(case, many))


def case(shown: Case) -> Html:
    """A card: the picture, the question, the answer, the truth, and how far they agree."""
    question, asked = parts(shown.question, "asked")
    rows, true, predicted = [], [], []
    if shown.answer is not None:
        said, predicted = parts(shown.answer.parts, "predicted")
        problems = ", ".join(sorted({p.kind for p in shown.answer.problems}))
        unreadable = tag("span", f" unreadable: {problems}", class_="bad") if problems else ""
        rows.append(row("answer", join((said if said.strip() else "(nothing)", unreadable))))
    if shown.truth is not None:
        truth, true = parts([shown.truth] if isinstance(shown.truth, str) else shown.truth, "true")
        rows.append(row("truth", truth if truth.strip() else "none"))
    spots = [*_named(true, "true"), *_named(predicted, "predicted"), *_named(asked, "asked")]
    try:
        seen = picture(shown.image, *spots)
    except ImageError as error:
        seen = tag("p", str(error), class_="bad")
    return card(seen, tag("p", question, class_="ask"), *rows,
                _verdict(shown, true, predicted))


def parts(pieces: Iterable, kind: str) -> tuple[Html, list[Spot]]:
    """Text, regions, found regions and colours as words with chips, and the spots the chips stand for."""
    out, spots = [], []
    for piece in pieces:
        if isinstance(piece, Colour):
            out.append(swatch(piece))
        elif isinstance(piece, (Regions, Found, Point, Box, Polygon, Mask)):
            regions = getattr(piece, "regions", None) or (getattr(piece, "region", piece),)
            for region in regions:
                spots.append(Spot(region, kind, "", f"{kind}{len(spots)}"))
                out.append(chip(spots[-1]))
        elif not isinstance(piece, ImageMark):
            out.append(text(piece))
    return join(out), spots


def scores(rows: Iterable[Score], caption="Share of right answers, with its 95 % interval as a line.") -> Html:
    """Scores beside their baselines, as numbers and as bars."""
    body, before = [], None
    for score in rows:
        new = score.benchmark != before
        kinds = ["strong"] * score.strong + ["first"] * (new and before is not None)
        interval = "-" if score.low is None else f"{score.low:.1%} to {score.high:.1%}"
        numbers = (interval, f"{score.count:,}", f"{score.unreadable:,}")
        body.append(tag("tr", tag("th", score.benchmark if new else "", scope="row"), tag("td", score.name),
                        tag("td", f"{score.value:.1%}", class_="number"), tag("td", _bar(score)),
                        *(tag("td", cell, class_="number") for cell in numbers), class_=" ".join(kinds) or None))
        before = score.benchmark
    heads = (("measured on", None), ("who", None), ("right", "number"), ("", None), ("95 % interval", "number"),
             ("N", "number"), ("unreadable", "number"))
    return framed_table([tag("th", name, scope="col", class_=kind) for name, kind in heads], body, caption)


def _bar(score: Score) -> Html:
    value, low, high = (None if v is None else 100 * min(max(v, 0), 1) for v in (score.value, score.low, score.high))
    shade = "var(--accent)" if score.strong else "var(--soft)"
    line = "" if low is None else (
        f'<path d="M{low:.2f} 5H{high:.2f}" stroke="var(--ink)" stroke-width="1.6" '
        'vector-effect="non-scaling-stroke"/>')
    return Html(f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
                f'<rect width="100" height="10" fill="var(--tint)"/>'
                f'<rect width="{value:.2f}" height="10" fill="{shade}" opacity=".7"/>'
                f'{line}</svg>')


def _named(spots: list[Spot], name: str) -> list[Spot]:
    many = len(spots) > 1
    return [Spot(s.region, s.kind, f"{name} {i + 1}" if many else name, s.id) for i, s in enumerate(spots)]


def _verdict(shown: Case, true: list[Spot], predicted: list[Spot]) -> Html:
    said = []
    if shown.right is not None:
        said.append(tag("span", "✓ right" if shown.right else "✗ wrong", class_="good" if shown.right else "bad"))
    if len(true) == 1 and len(predicted) == 1:
        said.append(tag("span", f"IoU {iou(true[0].region, predicted[0].region):.2f}"))
    if shown.answer is not None and shown.answer.score is not None:
        said.append(tag("span", f"confidence {shown.answer.score:.2f}"))
    if shown.note:
        said.append(tag("span", shown.note))
    return tag("div", *said, class_="verdict") if said else Html("")
