"""What stands before every request: who may ask, how much may be sent, and the headers of every reply."""

from __future__ import annotations

import hmac
import json
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loupe.serving.faults import Refused
from loupe.serving.figures import Figures
from loupe.serving.settings import Settings

CSP = ("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
       "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'")
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
CLOSED = ("/v1/", "/metrics")  # need the key, where there is one
READING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI: checks host, origin, key and size before the app sees anything."""

    def __init__(self, app: ASGIApp, settings: Settings, figures: Figures):
        self.app, self.settings, self.figures = app, settings, figures
        self.reading = 0  # bytes of bodies in memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, began, status = Headers(scope=scope), time.monotonic(), [499]

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                if not scope["path"].startswith("/ui/"):
                    out.setdefault("Cache-Control", "no-store")
            await send(message)

        held = [0]
        try:
            self._welcome(scope, headers)
            receive = await self._received(scope, headers, receive, held)
            await self.app(scope, receive, dressed)
        except Refused as refused:
            await _refuse(dressed, refused)
        finally:
            self.reading -= held[0]
            route = getattr(scope.get("route"), "path", "other")
            self.figures.tell(route, status[0], time.monotonic() - began)

    def _welcome(self, scope: Scope, headers: Headers) -> None:
        known = self.settings
        host = headers.get("host", "")
        name = (urlsplit(f"//{host}").hostname or "") if _plain(host) else ""
        if known.hosts and name not in known.hosts:
            raise Refused(403, "this server does not go by that name", got=repr(host[:80]),
                          expected=" or ".join(known.hosts), do="start it with --allow-host NAME")
        origin = headers.get("origin")
        foreign = origin is not None and not (_plain(origin) and urlsplit(origin).netloc == host)
        if foreign and scope["method"] not in READING and origin not in known.origins:
            raise Refused(403, "pages of other sites may not ask", got=repr(origin[:80]),
                          do="start the server with --allow-origin ORIGIN")
        if known.key is not None and scope["method"] != "OPTIONS" and scope["path"].startswith(CLOSED):
            kind, _, sent = headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), known.key.encode()):
                raise Refused(401, "the API key is missing or wrong", code="invalid_api_key",
                              expected="the header Authorization: Bearer KEY")

    async def _received(self, scope: Scope, headers: Headers, receive: Receive, held: list[int]) -> Receive:
        """The whole body, within its bounds, to be read again by the app; behind it the true connection."""
        if scope["method"] in READING:
            return receive
        limits = self.settings
        said = headers.get("content-length", "0")
        if not (said.isascii() and said.isdigit()) or int(said) > limits.body:
            raise _large(said, limits.body)
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(499, "the caller left")
            chunk = message.get("body", b"")
            held[0] += len(chunk)
            self.reading += len(chunk)
            if held[0] > limits.body:
                raise _large(held[0], limits.body)
            if self.reading > limits.bodies:
                raise Refused(503, "too much is being sent at once", wait=2)
            body += chunk
            more = message.get("more_body", False)
        if not headers.get("content-type", "").startswith("multipart/"):
            count = sum(body.count(mark) for mark in (b",", b"[", b"{"))
            if count > limits.values:
                raise Refused(413, "too many values in one request", got=count, expected=f"at most {limits.values}",
                              code="request_too_large", do="draw with fewer points")
        whole = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        return again


def _plain(text: str) -> bool:
    """Whether it may be taken apart as a URL."""
    return text.isascii() and text.isprintable() and not set(text) & set("[]@\\ ") or text.startswith("[::1]")


def _large(size: object, most: int) -> Refused:
    return Refused(413, "request is too large", got=f"{str(size)[:20]} bytes", expected=f"at most {most}",
                   code="request_too_large")


async def _refuse(send: Send, refused: Refused) -> None:
    body = json.dumps(refused.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close",
               **refused.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
