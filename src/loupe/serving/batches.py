"""Other predictors behind the same desk: waiting questions go to `Predictor.answer` together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from loupe.errors import LoupeError
from loupe.predictor import Predictor, seen
from loupe.sample import Answer, Sample
from loupe.serving.desk import Desk, Ticket, Wish
from loupe.serving.faults import Refused
from loupe.serving.settings import Settings
from loupe.serving.unfolding import Unfolding

UNASKED = {"picture": 400, "question": 400}  # kind of problem of an answer that says nothing -> status; others 502


class Whole(Desk):
    """Answers come whole: nothing streams."""

    def read(self, ticket: Ticket) -> Answer:
        return ticket.answer

    def unfolding(self, ticket: Ticket) -> Unfolding:
        return Unfolding()

    def so_far(self, ticket: Ticket) -> None:
        """Nothing before the answer is whole."""


class Batches(Whole):
    """Answers of any Predictor; the questions of a batch are answered before others begin."""

    def __init__(self, predictor: Predictor, settings: Settings):
        self.predictor = predictor
        self.batch: list[Ticket] = []
        super().__init__(settings, settings.rows, "loupe-batches")

    def work(self) -> None:
        while len(self.batch) < self.places and (ticket := self.next()) is not None:
            self.batch.append(ticket)
        self.answering = len(self.batch)
        for wish, same in groupby(sorted(self.batch, key=_order), lambda ticket: ticket.wish):
            self._answer(list(same), wish)
        self.answering = 0

    def _answer(self, tickets: list[Ticket], wish: Wish) -> None:
        try:
            for ticket, answer in zip(tickets, answers(self.predictor, [t.sample for t in tickets], wish)):
                ticket.answer = answer
                self._end(ticket, refusal(answer))
        except LoupeError as error:
            for ticket in tickets:
                if ticket in self.batch:
                    self._end(ticket, Refused.of(error, "messages"))

    def _end(self, ticket: Ticket, error: Refused | None) -> None:
        self.batch.remove(ticket)
        self.close(ticket, error)

    def abandon(self) -> list[Ticket]:
        lost, self.batch, self.answering = self.batch, [], 0
        return lost


def _order(ticket: Ticket) -> tuple:
    """Neighbours share what they wish, then a look."""
    wish = ticket.wish
    return wish.answer, wish.constrain or "", wish.temperature, wish.seed, ticket.pictures


def answers(predictor: Predictor, samples: list[Sample], wish: Wish) -> Iterator[Answer]:
    """As it is wished, as far as the predictor knows how: `changed` and the `sampled` of what it has seen."""
    changed = getattr(predictor, "changed", None)
    if changed is not None:
        predictor = changed(wish.constrain, wish.answer)
    if not wish.temperature or not hasattr(predictor, "seen"):
        yield from predictor.answer(samples)
        return
    for images, same in groupby(samples, lambda sample: sample.images):
        yield from seen(predictor, [images]).sampled(list(same), wish.temperature, wish.seed)


def refusal(answer: Answer) -> Refused | None:
    """Why the question could not be asked, if it could not."""
    if answer.raw or answer.parts or not answer.problems:
        return None
    problem = answer.problems[0]
    return Refused(UNASKED.get(problem.kind, 502), problem.text, code=problem.kind)
