"""Pictures from http(s) addresses, where the server was told to fetch them: public addresses only, bounded."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from urllib.parse import urljoin, urlsplit

from loupe.serving.faults import Refused

TURNS, SECONDS, BLOCK = 3, 10.0, 65536  # redirections followed, for everything, bytes read at a time
PORTS = {"http": (80,), "https": (443,)}


def fetch(url: str, most: int) -> tuple[bytes, str]:
    """(bytes, declared type) of a picture of at most `most` bytes.

    The address is looked up once and that very address is connected to, so a name cannot turn private in between;
    each redirection is checked anew.
    """
    until = time.monotonic() + SECONDS
    for _ in range(TURNS + 1):
        reply, connection = _asked(url, until)
        try:
            if reply.status in (301, 302, 303, 307, 308):
                url = urljoin(url, reply.headers.get("Location", ""))
                continue
            if reply.status != 200:
                raise _failed(url, f"status {reply.status}")
            return _body(reply, url, most, until), reply.headers.get("Content-Type", "")
        finally:
            connection.close()
    raise _failed(url, "too many redirections")


def _asked(url: str, until: float) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise _failed(url, error) from None
    if parts.scheme not in PORTS or not name or parts.username is not None or len(url) > 2000:
        raise _failed(url, "an address that is not fetched", "http(s)://host/path")
    port = port or PORTS[parts.scheme][0]
    if port not in PORTS[parts.scheme]:
        raise _failed(url, f"port {port}", " or ".join(map(str, PORTS[parts.scheme])))
    address = public(name, port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        plain = socket.create_connection((address, port), timeout=max(0.1, until - time.monotonic()))
        connection = http.client.HTTPConnection(name, port)
        connection.sock = plain if parts.scheme == "http" else _secured(plain, name)
        connection.request("GET", path, headers={"Host": parts.netloc, "Accept": "image/*", "User-Agent": "loupe"})
        return connection.getresponse(), connection
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(url, error) from None


def public(name: str, port: int) -> str:
    """An address of the host; a Refused if any of its addresses is private, local or reserved."""
    try:
        known = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _failed(name, error) from None
    for *_, place in known:
        address = ipaddress.ip_address(place[0].split("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not address.is_global or address.is_multicast:
            raise Refused(403, "pictures are not fetched from there", got=repr(name[:80]), code="private_address",
                          expected="a public address")
    return known[0][4][0]


def _secured(plain: socket.socket, name: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=name)


def _body(reply: http.client.HTTPResponse, url: str, most: int, until: float) -> bytes:
    out = bytearray()
    try:
        while block := reply.read1(BLOCK):
            out += block
            if len(out) > most:
                raise Refused(413, "picture file is too large", expected=f"at most {most} bytes", where=url[:200],
                              code="image_too_large")
            if time.monotonic() > until:
                raise _failed(url, f"more than {SECONDS:g} seconds")
    except (OSError, http.client.HTTPException) as error:
        raise _failed(url, error) from None
    return bytes(out)


def _failed(url: str, why: object, expected: str | None = None) -> Refused:
    return Refused(400, "picture cannot be fetched", got=why, expected=expected, where=repr(url[:200]),
                   code="image_not_fetched")
