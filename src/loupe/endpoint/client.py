"""Chat completions from an OpenAI-compatible endpoint: several at once, not too fast, again after a refusal."""

from __future__ import annotations

import asyncio
import email.utils
import os
import time
import zlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from loupe.endpoint.cache import Cache
from loupe.endpoint.ledger import Ledger
from loupe.endpoint.refused import Refused
from loupe.endpoint.reply import Reply, guessed, key_of, read
from loupe.errors import ConfigError, LoupeError

KEY = "LOUPE_API_KEY"
AGAIN = (408, 409, 425, 429)  # and everything from 500 on
FOR_GOOD = (401, 402, 403, 404, 405)
IN_A_ROW = 20  # requests given up one after another: then the endpoint is not there at all


class EndpointError(LoupeError):
    """A request that was refused for good, or given up. `final`: every other request would be refused too."""

    def __init__(self, what: str, *, final: bool = False, **facts):
        super().__init__(what, **facts)
        self.final = final


@dataclass(frozen=True)
class Settings:
    """url ends before /chat/completions. key: the environment variable that holds the secret, which is never written.

    per_minute: requests begun in a minute (0: no bound). tries: of one request. pause: seconds before the second
    try, doubled with every further one up to `longest`; a server's Retry-After is obeyed.
    """

    url: str
    model: str
    key: str = KEY
    concurrency: int = 4
    per_minute: float = 0.0
    timeout: float = 120.0
    tries: int = 6
    pause: float = 1.0
    longest: float = 60.0

    def __post_init__(self):
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).netloc:
            raise ConfigError("this is no endpoint", got=repr(self.url), expected="http://HOST:PORT/v1 or the like",
                              where="--endpoint")
        if not self.model:
            raise ConfigError("no model is named", expected="a name the endpoint knows", where="--model")
        if self.concurrency < 1 or self.tries < 1 or self.per_minute < 0 or not self.timeout > 0:
            raise ConfigError("the endpoint cannot be asked so", expected="--concurrency and --tries of 1 or more",
                              got=f"concurrency {self.concurrency}, tries {self.tries}, per minute {self.per_minute}, "
                              f"timeout {self.timeout}")


class Client:
    """`async with Client(settings, cache, ledger) as client: await client.ask(request)`; one event loop."""

    def __init__(self, settings: Settings, cache: Cache | None = None, ledger: Ledger | None = None):
        self.settings, self.ledger = settings, ledger or Ledger()
        self.cache = Cache() if cache is None else cache  # an empty one is false
        self._next = self._held = 0.0  # times at which the next request may begin; nothing before `held`
        self._given_up = 0
        self._refused = Refused(settings.model)

    async def __aenter__(self) -> Client:
        httpx, s = library(), self.settings
        secret = os.environ.get(s.key, "")
        self._gate = asyncio.Semaphore(s.concurrency)
        self._asking: dict[str, asyncio.Future] = {}
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._http = httpx.AsyncClient(timeout=s.timeout, headers=headers,
                                       limits=httpx.Limits(max_connections=s.concurrency))
        return self

    async def __aexit__(self, *_) -> None:
        await self._http.aclose()

    async def ask(self, request: dict) -> Reply:
        """The reply, from the cache where it is there. EndpointError, Spent."""
        key = key_of(request)
        while key in self._asking:  # the same, asked just now: paid once
            await asyncio.wait([self._asking[key]])
        known = self.cache.get(key)
        if known is not None:
            self.ledger.cached += 1
            return known
        self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            async with self._gate:
                most = self.ledger.reserve(request)
                try:
                    reply = await self._insist(request, key)
                finally:
                    self.ledger.release(most)
            self.ledger.pay(key, reply, request)  # first: a reply that a kill loses here is paid again
            self.cache.put(key, reply)
            return reply
        finally:
            self._asking.pop(key).set_result(None)

    async def _insist(self, request: dict, key: str) -> Reply:
        trouble = ""
        for attempt in range(self.settings.tries):
            await self._turn()
            reply, trouble, wait = await self._once(request, key)
            if reply is not None:
                self._given_up = 0
                return reply
            self.ledger.troubles[trouble] += 1
            if attempt + 1 < self.settings.tries:
                await asyncio.sleep(self._pause(attempt, key) if wait is None else wait)
        self._given_up += 1
        raise EndpointError("the endpoint did not answer", got=f"{trouble}, {self.settings.tries} times",
                            where=self.settings.url, final=self._given_up >= IN_A_ROW,
                            do="run the same command again later; what was answered is kept")

    async def _once(self, request: dict, key: str) -> tuple[Reply | None, str, float | None]:
        """(reply or None, what went wrong, seconds to wait if the server says)."""
        httpx = library()
        try:
            response = await self._post(request)
        except httpx.TimeoutException:
            return None, "time-out", None
        except httpx.HTTPError as error:
            return None, f"connection: {type(error).__name__}", None
        status = response.status_code
        if status in AGAIN or status >= 500:
            wait = retry_after(response.headers.get("retry-after", ""), self.settings.longest)
            if status == 429 and wait is not None:
                self._held = max(self._held, time.monotonic() + wait)  # the others wait, too
            return None, f"status {status}", wait
        if status != 200:
            self.ledger.troubles[f"status {status}"] += 1
            self._given_up += 1
            raise EndpointError("the endpoint refuses the request", got=f"status {status}: {response.text[:200]!r}",
                                where=self.settings.url, do=self._advice(status),
                                final=status in FOR_GOOD or self._given_up >= IN_A_ROW)
        try:
            reply, trouble = read(response.json(), request), "no choice in the reply"
        except (ValueError, RecursionError):
            reply, trouble = None, "broken JSON"
        if reply is None:  # something was written and is paid for
            self.ledger.pay(key, guessed(request, len(response.content)), request)
        return reply, trouble, None

    async def _post(self, request: dict):
        """The response; sent again without a setting that the endpoint refuses by name."""
        while True:
            sent = self._refused.spelt(request)
            response = await self._http.post(f"{self.settings.url.rstrip('/')}/chat/completions", json=sent)
            if not self._refused.learns(sent, response.status_code, response.text):
                return response
            await self._turn()

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return f"put the key into the environment variable {self.settings.key}"
        return "check --endpoint and --model"

    async def _turn(self) -> None:
        """Waits for this request's place in the minute."""
        now = time.monotonic()
        begin = max(now, self._next, self._held)
        self._next = begin + (60 / self.settings.per_minute if self.settings.per_minute else 0.0)
        if begin > now:
            await asyncio.sleep(begin - now)

    def _pause(self, attempt: int, key: str) -> float:
        """Doubled with every try, less up to a quarter so that many do not come back at once."""
        spread = zlib.crc32(f"{key} {attempt}".encode()) / 2**32
        return min(self.settings.pause * 2**attempt, self.settings.longest) * (1 - spread / 4)


def retry_after(text: str, longest: float) -> float | None:
    """Seconds of a Retry-After header, a number or a date; None where it says nothing."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), longest) if seconds == seconds else None


def library():
    """The module httpx, which comes with an extra."""
    try:
        import httpx
    except ImportError:
        raise ConfigError("endpoints need httpx", expected="pip install 'loupe[endpoint]'") from None
    return httpx
