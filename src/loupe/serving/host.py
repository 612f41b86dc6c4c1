"""One model with everything it needs to answer many callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.requests import Request

from loupe.sample import Answer, Sample
from loupe.serving.batches import Batches
from loupe.serving.calls import Calls
from loupe.serving.conversation import Ear
from loupe.serving.desk import Desk, Ticket, Wish
from loupe.serving.faults import Refused
from loupe.serving.pictures import Pictures
from loupe.serving.settings import Settings
from loupe.serving.sights import Sights

WORDS = ("chat", "describe", "locate", "ask")


class Gone(Refused):
    """The caller left."""

    def __init__(self):
        super().__init__(499, "the caller left")


@dataclass(frozen=True)
class News:
    """What is new in an answer being written; the last one has the whole Answer."""

    content: str = ""
    regions: tuple[dict, ...] = ()
    answer: Answer | None = None


class Host:
    """`predictor`: a Model of loupe, or anything with `answer`. Threads start with it; `stop` ends them."""

    def __init__(self, predictor, settings: Settings | None = None):
        self.predictor, self.settings = predictor, settings or Settings()
        self.name = getattr(predictor, "name", "model")
        self.pictures = Pictures(self.settings)
        self.vlm = getattr(predictor, "vlm", None)
        self.started = int(time.time())
        if self.vlm is not None:
            from loupe.serving.engine import Engine

            self.desk: Desk = Engine(self.vlm, self.settings)
            codec = self.vlm.encoder.codec
        else:
            self.desk = (Calls if hasattr(predictor, "begin") else Batches)(predictor, self.settings)
            codec = getattr(predictor, "codec", None)
        kinds = frozenset(k for g in codec.groups for k in g.kinds) if codec is not None else frozenset({"box"})
        self.ear = Ear(kinds - {"colour"}, system=self.vlm is None)
        self.sights = Sights(self.settings) if self.vlm is not None else None
        self.capabilities = self._capabilities(kinds)

    def _capabilities(self, kinds: frozenset[str]) -> tuple[str, ...]:
        """What it says of itself, less what its codec cannot spell; pictures and masks come from loupe's models."""
        said = set(getattr(self.predictor, "capabilities", WORDS))
        if self.vlm is None:
            return tuple(name for name in (*WORDS, "constrain") if name == "chat" or name in said)
        needs = {"segment": {"point"}, "pixels": {"point", "colour"}}
        return tuple(name for name in (*WORDS, "stream", "constrain", *needs)
                     if name in ("chat", "stream") or (name in said and needs.get(name, set()) <= kinds))

    @property
    def desks(self) -> dict[str, Desk]:
        return {"questions": self.desk} | ({"sights": self.sights} if self.sights else {})

    @property
    def alive(self) -> bool:
        return all(desk.alive for desk in self.desks.values())

    def stop(self) -> None:
        for desk in self.desks.values():
            desk.stop()

    def able(self, capability: str) -> None:
        """A Refused with status 501 where the model cannot do this."""
        if capability not in self.capabilities:
            raise Refused(501, f"{self.name} cannot do this", got=capability, code="not_supported",
                          expected=" or ".join(self.capabilities))

    # asking

    async def ask(self, request: Request, sample: Sample, pictures: tuple[str, ...], wish: Wish | None = None
                  ) -> tuple[Answer, Ticket]:
        """The answer to a sample; Refused when there is no place, no time or no model, Gone when the caller leaves."""
        ticket = self._ticket(sample, pictures, wish or Wish(self.settings.answer))
        waking = _waking(ticket)
        self.desk.submit(ticket)
        async for _ in self._notices(request, ticket, waking):
            pass
        return await asyncio.to_thread(self.desk.read, ticket), ticket

    async def stream(self, request: Request, ticket: Ticket) -> AsyncIterator[News]:
        """What is new, as it comes; the last one has the Answer. The first comes with the first token."""
        ticket.stream = True
        waking = _waking(ticket)
        self.desk.submit(ticket)
        unfolding, begun = self.desk.unfolding(ticket), False
        async for _ in self._notices(request, ticket, waking):
            so_far = self.desk.so_far(ticket)
            if so_far is None:
                continue
            text, said = so_far
            content, regions = unfolding.grow(text)
            if regions:
                scored = unfolding.scored(self.desk.scored(ticket, said))
                regions = [scored[each["index"]] if each["index"] < len(scored) else each for each in regions]
            if content or regions or not begun:
                begun = True
                yield News(content, tuple(regions))
        answer = await asyncio.to_thread(self.desk.read, ticket)
        content, regions = unfolding.end(answer)
        yield News(content, tuple(regions), answer)

    async def sight(self, request: Request, job: Callable[[], object]) -> object:
        """What a job of a thread of its own gives."""
        ticket = Ticket(None, (), Wish(), job=job)
        waking = _waking(ticket)
        self.sights.submit(ticket)
        async for _ in self._notices(request, ticket, waking):
            pass
        return ticket.result

    def _ticket(self, sample: Sample, pictures: tuple[str, ...], wish: Wish) -> Ticket:
        return Ticket(sample, pictures, wish)

    async def _notices(self, request: Request, ticket: Ticket, waking: asyncio.Event) -> AsyncIterator[None]:
        """One for each time there is something new, until the ticket is done; its error is raised."""
        until = time.monotonic() + self.settings.patience
        gone = asyncio.ensure_future(_gone(request))
        try:
            while not ticket.done:
                woken = asyncio.ensure_future(waking.wait())
                done, _ = await asyncio.wait({woken, gone}, timeout=until - time.monotonic(),
                                             return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
                if gone in done:
                    raise Gone()
                if not done:
                    raise Refused(504, "the answer took too long", expected=f"at most {self.settings.patience:g} s",
                                  wait=self.desk.wait())
                waking.clear()
                if not ticket.done:
                    yield
        finally:
            gone.cancel()
            if not ticket.done:
                ticket.cancel()
        if ticket.error is not None:
            raise Refused.of(ticket.error)


def _waking(ticket: Ticket) -> asyncio.Event:
    """An event of this loop that the ticket's thread sets."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()

    def notify() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)

    ticket.notify = notify
    return event


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
