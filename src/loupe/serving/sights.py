"""Pictures and masks asked place by place: one at a time, beside the questions, on a thread of their own."""

from __future__ import annotations

from loupe.errors import LoupeError
from loupe.serving.desk import Desk, Ticket
from loupe.serving.settings import Settings


class Sights(Desk):
    """Runs the `job` of each ticket. One that has begun goes to its end."""

    def __init__(self, settings: Settings):
        self.ticket: Ticket | None = None
        super().__init__(settings, 1, "loupe-sights")

    def work(self) -> None:
        self.ticket = self.next()
        if self.ticket is None:
            return
        self.answering = 1
        try:
            self.ticket.result = self.ticket.job()
        except LoupeError as error:
            self.close(self.ticket, error)
        else:
            self.close(self.ticket)
        self.ticket, self.answering = None, 0

    def abandon(self) -> list[Ticket]:
        lost, self.ticket, self.answering = [self.ticket] if self.ticket else [], None, 0
        return lost
