"""Other predictors behind the same desk: waiting questions go to `Predictor.answer` together."""

from __future__ import annotations

from loupe.errors import LoupeError
from loupe.predictor import Predictor
from loupe.sample import Answer
from loupe.serving.desk import Desk, Ticket
from loupe.serving.faults import Refused
from loupe.serving.settings import Settings
from loupe.serving.unfolding import Unfolding

UNASKED = {"picture": 400, "question": 400}  # kind of problem of an answer that says nothing -> status; others 502


class Batches(Desk):
    """Answers of any Predictor. Nothing streams: an answer comes whole."""

    def __init__(self, predictor: Predictor, settings: Settings):
        self.predictor = predictor
        self.batch: list[Ticket] = []
        super().__init__(settings, settings.rows, "loupe-batches")

    def work(self) -> None:
        while len(self.batch) < self.places and (ticket := self.next()) is not None:
            self.batch.append(ticket)
        self.answering = len(self.batch)
        batch = sorted(self.batch, key=lambda ticket: ticket.pictures)  # one look for neighbours
        try:
            for ticket, answer in zip(batch, self.predictor.answer([ticket.sample for ticket in batch])):
                ticket.answer = answer
                self.batch.remove(ticket)
                self.close(ticket, refusal(answer))
        except LoupeError as error:
            for ticket in self.abandon():
                self.close(ticket, Refused.of(error, "messages"))
        self.answering = 0

    def abandon(self) -> list[Ticket]:
        lost, self.batch, self.answering = self.batch, [], 0
        return lost

    def read(self, ticket: Ticket) -> Answer:
        return ticket.answer

    def unfolding(self, ticket: Ticket) -> Unfolding:
        return Unfolding()

    def so_far(self, ticket: Ticket) -> None:
        """Nothing before the answer is whole."""


def refusal(answer: Answer) -> Refused | None:
    """Why the question could not be asked, if it could not."""
    if answer.raw or answer.parts or not answer.problems:
        return None
    problem = answer.problems[0]
    return Refused(UNASKED.get(problem.kind, 502), problem.text, code=problem.kind)
