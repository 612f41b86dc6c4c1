"""Where questions wait for the model: a bounded queue, one thread that answers, a ticket for each question."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from loupe.errors import LoupeError
from loupe.sample import Answer, Sample
from loupe.serving.faults import Refused
from loupe.serving.settings import Settings

log = logging.getLogger("loupe.serving")
# torch: out of memory, a device that fails; models of others: a shape or a setting they did not expect
ACCIDENTS = (RuntimeError, MemoryError, ValueError, LookupError, ArithmeticError, OSError)
LATELY = 32  # answers whose pace is remembered


@dataclass(frozen=True)
class Wish:
    """How a question is to be answered; see `loupe.models.look.Limits`."""

    answer: int = 256  # tokens
    constrain: str | None = None
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Count:
    """Tokens of one answer; None where the model does not tell."""

    prompt: int
    cached: int
    answer: int


@dataclass(eq=False)
class Ticket:
    """One question on its way. The thread that answers writes, and calls `notify` when there is something new."""

    sample: Sample
    pictures: tuple[str, ...]  # ids of the sample's pictures
    wish: Wish
    notify: Callable[[], None] = lambda: None
    stream: bool = False  # notified of every token, not of the end alone
    job: Callable[[], object] | None = None  # instead of a question: work on a thread of its own
    result: object = None  # of the job
    written: object = None  # what is generated, while it grows and when it is done
    guide: object = None
    answer: Answer | None = None
    count: Count | None = None
    error: LoupeError | None = None
    done: bool = False
    cancelled: bool = False
    length: bool = False  # the answer was cut at its most tokens
    began: float = field(default_factory=time.monotonic)

    def cancel(self) -> None:
        """Nobody wants the answer any more; its place is free at the next step."""
        self.cancelled = True

    def finish(self, error: LoupeError | None = None) -> None:
        self.error, self.done = error, True
        self.notify()


class Desk:
    """Questions in order of arrival. `work` is given by subclasses: one round of answering, with what may begin.

    name: of the thread. places: questions answered at the same time.
    """

    def __init__(self, settings: Settings, places: int, name: str):
        self.settings, self.places = settings, places
        self.waiting: deque[Ticket] = deque()
        self.answering = 0
        self.answered = self.refused = self.cancelled = self.failed = 0
        self._turn = threading.Condition()
        self._stopping = False
        self._finished: deque[float] = deque(maxlen=LATELY)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._stopping

    def submit(self, ticket: Ticket) -> None:
        """The ticket waits for its turn; a Refused with status 429 when too many do, 503 when the server stops."""
        with self._turn:
            if not self.alive:
                raise Refused(503, "the server is stopping", wait=5)
            if sum(not t.cancelled for t in self.waiting) >= self.settings.queue:
                self.refused += 1
                raise Refused(429, "too many questions are waiting", got=len(self.waiting), code="queue_full",
                              expected=f"at most {self.settings.queue}", wait=self.wait(), do="come again later")
            self.waiting.append(ticket)
            self._turn.notify()

    def wait(self) -> int:
        """Seconds until the queue has probably gone down by half, from the pace of the last answers."""
        if len(self._finished) < 2:
            return 1
        pace = (self._finished[-1] - self._finished[0]) / (len(self._finished) - 1)
        return max(1, min(60, round(pace * self.settings.queue / 2)))

    def stop(self) -> None:
        """What waits is refused; what is being answered has the grace of the settings."""
        with self._turn:
            self._stopping = True
            for ticket in self.waiting:
                ticket.finish(Refused(503, "the server is stopping", wait=5))
            self.waiting.clear()
            self._turn.notify()
        self._thread.join(self.settings.grace)

    def next(self) -> Ticket | None:
        """The question whose turn it is, without those nobody waits for."""
        with self._turn:
            while self.waiting:
                ticket = self.waiting.popleft()
                if not ticket.cancelled:
                    return ticket
                self.close(ticket)
        return None

    def back(self, ticket: Ticket) -> None:
        """It did not fit yet: it is the next again."""
        with self._turn:
            self.waiting.appendleft(ticket)

    def close(self, ticket: Ticket, error: LoupeError | None = None) -> None:
        """The question is done with, and counted."""
        if ticket.cancelled:
            self.cancelled += 1
        elif error is not None:
            self.failed += 1
        else:
            self.answered += 1
            self._finished.append(time.monotonic())
        ticket.finish(error)

    def work(self) -> None:
        raise NotImplementedError

    def abandon(self) -> list[Ticket]:
        """Questions being answered, given up after an accident."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while True:
                with self._turn:
                    while not (self.waiting or self.answering or self._stopping):
                        self._turn.wait()
                    if self._stopping and not self.answering:
                        return
                try:
                    self.work()
                except ACCIDENTS as error:
                    log.exception("a batch failed")
                    self._lost(f"the model failed: {type(error).__name__}")
        finally:
            self._stopping = True
            self._lost("the server is stopping")

    def _lost(self, why: str) -> None:
        for ticket in self.abandon():
            self.close(ticket, Refused(500, why))
