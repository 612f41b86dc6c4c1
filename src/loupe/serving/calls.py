"""A model behind an endpoint: every question is a call of its own, and its answer comes when it is there."""

from __future__ import annotations

import logging

from loupe.endpoint import EndpointError
from loupe.errors import LoupeError
from loupe.serving.batches import Whole, refusal
from loupe.serving.desk import Count, Ticket, Wish
from loupe.serving.faults import Refused
from loupe.serving.settings import Settings

log = logging.getLogger("loupe.serving")
LOOK = 0.2  # seconds between two looks for callers who left


class Calls(Whole):
    """Answers of a predictor with `begin` and `concurrency`; see `loupe.predictors.endpoint.Endpoint`."""

    def __init__(self, predictor, settings: Settings):
        self.predictor = predictor
        self.calls: dict[Ticket, object] = {}
        super().__init__(settings, min(settings.rows, predictor.concurrency), "loupe-calls")

    def work(self) -> None:
        while len(self.calls) < self.places and (ticket := self.next()) is not None:
            self._begin(ticket)
        self.answering = len(self.calls)
        if self.calls:
            with self._turn:
                self._turn.wait_for(self._news, LOOK)
        for ticket in list(self.calls):
            self._look(ticket)
        self.answering = len(self.calls)

    def _begin(self, ticket: Ticket) -> None:
        try:
            call = self.predictor.begin(ticket.sample, *self._wished(ticket.wish))
        except LoupeError as error:
            self.close(ticket, Refused.of(error, "messages"))
            return
        self.calls[ticket] = call
        call.then(self._wake)

    def _wished(self, wish: Wish) -> tuple[int, float, int]:
        """Who asks for no shorter answer gets the room the endpoint's model has: it may think first."""
        most = wish.answer
        if most >= self.settings.answer:
            most = max(most, self.predictor.asking.answer)
        return most, wish.temperature, wish.seed

    def _wake(self) -> None:
        with self._turn:
            self._turn.notify()

    def _news(self) -> bool:
        return any(call.done for call in self.calls.values()) or bool(self.waiting and len(self.calls) < self.places)

    def _look(self, ticket: Ticket) -> None:
        call = self.calls[ticket]
        if ticket.cancelled:
            del self.calls[ticket]
            call.cancel()
            self.close(ticket)
        elif call.done:
            error = self._read(ticket, call)
            del self.calls[ticket]
            self.close(ticket, error)

    def _read(self, ticket: Ticket, call) -> Refused | None:
        try:
            reply, ticket.answer = call.reply(), call.answer()
        except EndpointError as error:
            log.warning("%s", error)
            return Refused(502, error.what, got=error.got, code="endpoint")
        if reply is not None:
            ticket.length = reply.finish == "length"
            ticket.count = Count(reply.prompt_tokens, 0, reply.answer_tokens) if reply.counted else None
        return refusal(ticket.answer)

    def abandon(self) -> list[Ticket]:
        lost, self.calls, self.answering = self.calls, {}, 0
        for call in lost.values():
            call.cancel()
        return list(lost)
