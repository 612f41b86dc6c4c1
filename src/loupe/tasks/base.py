"""What every task is: questions a record can answer (cases), one drawn or all of them, worded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from loupe.record import Object, Record
from loupe.sample import Part, Sample, Turn
from loupe.tasks.wording import wordings

REPEATS = 4  # times a task may come up with a question already asked of this picture
NONE = "none"  # said when there is nothing to list
STYLES = ("", "short", "detailed")  # of an answer, asked for in the words of templates/style.*.txt


@dataclass(frozen=True)
class Case:
    """One question about a record with its true answer, before wording."""

    key: str  # stable within record and task
    fields: dict  # placeholder -> text or region
    answer: tuple[Part, ...]
    truth: object  # for metrics: str, region, or a tuple of them
    kind: str = ""  # which file of wordings
    extra: dict = field(default_factory=dict)
    judged: dict = field(default_factory=dict)  # as extra, of questions asked, not of those taught


@dataclass(frozen=True, kw_only=True)
class Task:
    """Record and rng in, Sample or None (nothing to ask) out. Same record, same rng state, same sample."""

    name: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset()  # Record fields without which there is nothing to ask
    placeholders: ClassVar[dict[str, tuple[str, ...]]] = {}  # kind of question -> placeholders of its wordings
    plain: ClassVar[dict[str, str]] = {}  # kind -> the kind whose wordings ask for no length, used where a style does
    templates: str | None = None  # folder of the user's own wordings
    style: str = ""  # of STYLES: how long an answer is asked for, behind every question

    def cases(self, record: Record) -> Iterator[Case]:
        """Every question this record can answer, in a fixed order."""
        raise NotImplementedError

    def choose(self, record: Record, rng: np.random.Generator) -> Case | None:
        return pick(list(self.cases(record)), rng)

    def __call__(self, record: Record, rng: np.random.Generator) -> Sample | None:
        case = self.choose(record, rng)
        if case is None:
            return None
        question = self.worded(case.kind, case.fields, rng)
        return self._sample(record, case, (Turn("user", question), Turn("assistant", case.answer)))

    def pose(self, record: Record, rng: np.random.Generator) -> Sample | None:
        """One question drawn as in training, worded and ended as those of `every`."""
        case = self.choose(record, rng)
        if case is None:
            return None
        return self._sample(record, case, (Turn("user", self.worded(case.kind, case.fields)),))

    def every(self, record: Record) -> list[Sample]:
        """All questions in the fixed wording, ending with the user's turn; the answer is in extra["truth"]."""
        return [self._sample(record, case, (Turn("user", self.worded(case.kind, case.fields)),))
                for case in self.cases(record)]

    def wordings(self, kind: str = ""):
        kind = self.plain.get(kind, kind) if self.style else kind
        return wordings(self.name, kind, self.placeholders[kind], self.templates)

    def worded(self, kind: str, fields: dict, rng: np.random.Generator | None = None) -> tuple[Part, ...]:
        """A question in a wording drawn with `rng`, without it in the fixed one; the style's request behind it."""
        known = self.wordings(kind)
        return self.styled(known[0 if rng is None else int(rng.integers(len(known)))].fill(**fields), rng)

    def styled(self, parts: tuple[Part, ...], rng: np.random.Generator | None = None) -> tuple[Part, ...]:
        """A question with the request for an answer of this style behind it."""
        if not self.style:
            return parts
        known = wordings("style", self.style, (), self.templates)
        request = known[0 if rng is None else int(rng.integers(len(known)))].texts[0]
        *rest, last = parts
        if not isinstance(last, str):
            return (*parts, f" {request}")
        return (*rest, f"{last}{'.' if last[-1:].isalnum() else ''} {request}")

    def _sample(self, record: Record, case: Case, turns: tuple[Turn, ...]) -> Sample:
        extra = {"truth": case.truth, **({"kind": case.kind} if case.kind else {}), **case.extra}
        if turns[-1].role == "user":
            extra |= case.judged
        if self.style:
            extra["style"] = self.style
        return Sample(record.images, turns, self.name, identity(record, self.name, case.key), record.id, extra)


def different(record: Record, asking: Sequence[Task], shares: Sequence[float], rng: np.random.Generator,
              enough: Callable[[list[Sample]], bool],
              empty: Callable[[Task], None] = lambda task: None) -> list[Sample]:
    """Different questions drawn by the tasks' shares, until `enough`. A task that finds none (`empty` is told) or
    only repeats itself leaves its turn to the others."""
    samples: dict[str, Sample] = {}
    weights, repeats = np.array(shares, float), Counter()
    while weights.any() and not enough(list(samples.values())):
        sums = weights.cumsum()
        k = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
        sample = asking[k](record, rng)
        if sample is None:
            empty(asking[k])
            weights[k] = 0
        elif sample.id in samples:
            repeats[k] += 1
            weights[k] *= repeats[k] < REPEATS
        else:
            samples[sample.id] = sample
    return list(samples.values())


def identity(record: Record, task: str, key: str) -> str:
    """Unique and stable id of a question."""
    return "/".join(part for part in (record.source, record.split, record.id, task, key) if part)


def pick(things: list, rng: np.random.Generator):
    """One of them, each as likely; None of none."""
    return things[int(rng.integers(len(things)))] if things else None


def mention(text: str) -> str:
    """A phrase as it stands inside a question: without the full stop many annotators end it with."""
    return text.strip().rstrip(".").rstrip() or text.strip()


def single(record: Record) -> list[Object]:
    """The objects one can point at and name: no crowds, nothing unnamed."""
    return [o for o in record.objects if o.name and not o.crowd]
