"""Boxes of a few pictures described and found again, every round of questions from the same looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from loupe.bootstrapping.checks import checked
from loupe.bootstrapping.filters import DAMAGED, Work
from loupe.bootstrapping.pair import ALONE, Candidate, Pair
from loupe.bootstrapping.questions import answered, description, first_box, grounding, replies
from loupe.bootstrapping.settings import Settings
from loupe.predictor import Predictor, Seen, seen
from loupe.record import Object
from loupe.regions import Box, iou
from loupe.sample import Answer, Regions
from loupe.tasks.base import mention

OWN = 0.5  # a box that overlaps the annotated one so much is no rival


@dataclass
class Draft:
    """One description of one box, while it is being measured."""

    work: int  # position of its picture
    box: int  # position of its box among all that are asked about; ids may be given twice
    thing: Object
    text: str
    likelihood: float | None
    plain: bool  # said in the fixed wording, greedily
    found: Box | None = None
    confidence: float | None = None
    problem: str = ""
    margin: float | None = None
    contrast: float | None = None
    checks: dict[str, float] = field(default_factory=dict)

    @property
    def place(self) -> tuple[int, str]:
        """What it is looked for by: boxes of one picture with equal descriptions share one question."""
        return self.work, mention(self.text)


@dataclass(frozen=True)
class Outcome:
    """Of one picture: its pairs, and boxes without a description by reason; or why there is nothing."""

    pairs: tuple[Pair, ...] = ()
    undescribed: tuple[str, ...] = ()
    reason: str = ""


def ask(works: Sequence[Work], predictor: Predictor, settings: Settings, second: Predictor | None = None,
        picture: Callable[[Work], dict | None] = lambda work: None) -> list[Outcome]:
    """Every box of every picture, described and found again. picture(work): how a pair names its picture.

    What the predictor raises is raised; another number of answers than questions is a LoupeError.
    """
    view = seen(predictor, [(work.record.image,) for work in works])
    drafts, without = _described(works, view, settings)
    _find(works, view, drafts)
    if settings.margin:
        _weigh_boxes(works, view, drafts)
    if settings.contrast:
        _weigh_words(works, view, drafts)
    for name, boxes in checked(works, predictor, view, second, list(dict.fromkeys(d.place for d in drafts)), settings):
        for draft in drafts:
            if draft.place in boxes:
                draft.checks[name] = _overlap(boxes[draft.place], draft.thing.box)
    return [_outcome(k, work, drafts, without, picture(work)) for k, work in enumerate(works)]


def _described(works: Sequence[Work], view: Seen, settings: Settings) -> tuple[list[Draft], list[tuple[int, str]]]:
    """(drafts, (work, why it has no description) of every other box); equal descriptions of one box count once."""
    boxes = [(k, thing) for k, work in enumerate(works) for thing in work.objects]
    drafts: list[Draft] = []
    said: list[set[str]] = [set() for _ in boxes]
    reasons: dict[int, str] = {}
    for number, answers in enumerate(_rounds(works, view, boxes, settings)):
        for box, ((k, thing), answer) in enumerate(zip(boxes, answers, strict=True)):
            text = answer.text.strip()
            if not mention(text):
                reasons.setdefault(box, answer.problems[0].kind if answer.problems else "no words")
            elif text.lower() not in said[box]:
                said[box].add(text.lower())
                drafts.append(Draft(k, box, thing, text, answer.score, number == 0))
    without = [(k, reasons[box]) for box, (k, _) in enumerate(boxes) if not said[box]]
    return sorted(drafts, key=lambda d: d.box), without


def _rounds(works: Sequence[Work], view: Seen, boxes: list, settings: Settings) -> Iterator[list[Answer]]:
    """The answers of all boxes, once per candidate."""
    yield replies(view.answer, [description(works[k], thing) for k, thing in boxes])
    for number in range(1, settings.candidates):
        if settings.temperature > 0:
            samples = [description(works[k], thing, number) for k, thing in boxes]
            yield replies(lambda some: view.sampled(some, settings.temperature, settings.seed), samples)
        else:
            yield replies(view.answer, [description(works[k], thing, number, number) for k, thing in boxes])


def _find(works: Sequence[Work], view: Seen, drafts: list[Draft]) -> None:
    places = list(dict.fromkeys(d.place for d in drafts))
    answers = replies(view.answer, [grounding(works[k], phrase) for k, phrase in places])
    found = {place: first_box(answer) for place, answer in zip(places, answers, strict=True)}
    for draft in drafts:
        draft.found, draft.confidence, draft.problem = found[draft.place]


def _weigh_boxes(works: Sequence[Work], view: Seen, drafts: list[Draft]) -> None:
    """Each description's box against every other annotated one and the one found."""
    if getattr(view, "weigh", None) is None:
        return
    pairs = {(*d.place, box): None for d in drafts for box in (d.thing.box, *_rivals(works[d.work], d.thing, d.found))}
    samples = [answered(grounding(works[k], phrase), Regions((box,))) for k, phrase, box in pairs]
    logs = dict(zip(pairs, replies(view.weigh, samples), strict=True))
    for draft in drafts:
        others = [logs[(*draft.place, box)] for box in _rivals(works[draft.work], draft.thing, draft.found)]
        draft.margin = _difference(logs[(*draft.place, draft.thing.box)], others)


def _weigh_words(works: Sequence[Work], view: Seen, drafts: list[Draft]) -> None:
    """Each description as an answer at its box and at every other annotated one."""
    if getattr(view, "weigh", None) is None:
        return
    asked = {(d.work, d.text, thing.box): thing for d in drafts
             for thing in (d.thing, *_others(works[d.work], d.thing))}
    samples = [answered(description(works[k], thing), text) for (k, text, _), thing in asked.items()]
    logs = dict(zip(asked, replies(view.weigh, samples), strict=True))
    for draft in drafts:
        others = [logs[draft.work, draft.text, other.box] for other in _others(works[draft.work], draft.thing)]
        draft.contrast = _difference(logs[draft.work, draft.text, draft.thing.box], others)


def _difference(own: float | None, others: list[float | None]) -> float | None:
    known = [value for value in others if value is not None]
    if own is None or len(known) < len(others):
        return None
    return own - max(known) if known else ALONE


def _others(work: Work, thing: Object) -> list[Object]:
    """Annotated things that a description of this one could be mistaken for."""
    return [o for o in work.record.objects if o is not thing and not o.crowd and iou(o.box, thing.box) < OWN]


def _rivals(work: Work, thing: Object, found: Box | None) -> list[Box]:
    boxes = [o.box for o in _others(work, thing)]
    return boxes + [found] if found is not None and _overlap(found, thing.box) < OWN else boxes


def _overlap(found: Box | None, own: Box) -> float:
    return 0.0 if found is None else iou(found, own)


def _outcome(k: int, work: Work, drafts: list[Draft], without: list, picture: dict | None) -> Outcome:
    reasons = [reason for position, reason in without if position == k]
    if reasons and len(reasons) == len(work.objects) and set(reasons) == {"picture"}:
        return Outcome(reason=DAMAGED)
    by_box: dict[int, list[Draft]] = {}
    for draft in drafts:
        if draft.work == k:
            by_box.setdefault(draft.box, []).append(draft)
    pairs = tuple(_pair(work, some, picture) for some in by_box.values())
    return Outcome(pairs, tuple(f"box without a description: {reason}" for reason in reasons))


def _pair(work: Work, drafts: list[Draft], picture: dict | None) -> Pair:
    thing, record = drafts[0].thing, work.record
    candidates = tuple(Candidate(d.text, d.likelihood, d.found, _overlap(d.found, thing.box), d.confidence, d.margin,
                                 d.contrast, d.checks, d.problem) for d in drafts)
    return Pair(record.id, thing.id, thing.name, thing.box, (record.width, record.height), candidates,
                len(_others(work, thing)), picture, drafts[0].plain)
