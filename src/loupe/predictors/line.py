"""A line to an endpoint for code that waits: the client on an event loop in a thread of its own. No torch."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from urllib.parse import urlsplit

from loupe.endpoint import Client, EndpointError, Reply, Settings
from loupe.errors import ConfigError


class Line:
    """Opened with the first question. Threads may share it."""

    def __init__(self, settings: Settings):
        parts = urlsplit(settings.url)
        if parts.username or parts.password or parts.query:
            raise ConfigError("an address must not hold keys or passwords", got=f"{parts.scheme}://{parts.hostname}...",
                              do=f"put the key into the environment variable {settings.key}")
        self.settings = settings
        self._lock, self._loop, self._client, self._scored = threading.Lock(), None, None, True

    def __reduce__(self):
        return Line, (self.settings,)

    def ask(self, body: dict, scored: bool) -> Future[Reply]:
        """scored: with log-probabilities, unless the endpoint turns out to know none."""
        with self._lock:
            if self._loop is None:
                self._open()
        return asyncio.run_coroutine_threadsafe(self._ask(body, scored), self._loop)

    async def _ask(self, body: dict, scored: bool) -> Reply:
        if not (scored and self._scored):
            return await self._client.ask(body)
        try:
            return await self._client.ask({**body, "logprobs": True})
        except EndpointError as error:  # final, where as many were refused at the same time as mean that all are
            if "logprob" not in str(error).lower():
                raise
        self._scored = False
        return await self._client.ask(body)

    def _open(self) -> None:
        """The loop runs until the program ends."""
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="loupe-endpoint", daemon=True).start()

        async def opened() -> Client:
            return await Client(self.settings).__aenter__()

        self._client = asyncio.run_coroutine_threadsafe(opened(), loop).result()
        self._loop = loop


def served(settings: Settings) -> list[str] | None:
    """Names the endpoint says it serves; None where it does not say. One that is not there, or refuses the key, is an
    EndpointError."""
    from loupe.endpoint.client import library

    httpx, secret = library(), os.environ.get(settings.key, "")
    try:
        said = httpx.get(f"{settings.url.rstrip('/')}/models", timeout=min(settings.timeout, 20.0),
                         headers={"Authorization": f"Bearer {secret}"} if secret else {})
    except httpx.HTTPError as error:
        raise EndpointError("the endpoint does not answer", got=type(error).__name__, where=settings.url,
                            do="check the address; it usually ends in /v1") from None
    if said.status_code in (401, 403):
        raise EndpointError("the endpoint refuses the key", got=f"status {said.status_code}", where=settings.url,
                            do=f"put the key into the environment variable {settings.key}")
    try:
        return [str(each["id"]) for each in said.json()["data"]] if said.status_code == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


def key_named(name: str | None) -> str | None:
    """The name, if that environment variable is set; None where none is named."""
    if name and not os.environ.get(name):
        raise ConfigError("the environment variable with the endpoint's key is not set", got=name, do=f"export {name}=")
    return name
