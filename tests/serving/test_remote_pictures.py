"""Pictures from addresses: off unless allowed, and never from private places."""

import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from PIL import Image as Pillow

from loupe.serving import remote
from loupe.serving.faults import Refused
from loupe.serving.pictures import Pictures
from loupe.serving.settings import Settings


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "169.254.169.254", "172.16.0.1", "[::1]", "0.0.0.0",
                                  "[::ffff:127.0.0.1]", "100.64.0.1", "[fe80::1]", "[fd00::1]", "224.0.0.1",
                                  "2130706433"])
def test_private_addresses_are_not_asked(name):
    with pytest.raises(Refused) as told:
        remote.fetch(f"http://{name}/a.png", 1000)
    assert told.value.status == 403


@pytest.mark.parametrize("url", ["ftp://example.com/a", "http://", "http://user:word@example.com/", "http://a:99999/",
                                 "http://example.com:22/", "http://[/", "https://" + "a" * 3000])
def test_addresses_that_are_none(url):
    with pytest.raises(Refused) as told:
        remote.fetch(url, 1000)
    assert told.value.status == 400


def test_one_private_address_among_others_is_enough(monkeypatch):
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, 80)) for name in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: places)
    with pytest.raises(Refused, match="not fetched from there"):
        remote.public("example.com", 80)


class Site(BaseHTTPRequestHandler):
    picture = b""

    def do_GET(self):
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1/secret")
        elif self.path == "/long":
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
        else:
            self.send_response(200 if self.path == "/a.png" else 404)
            self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(bytes(500_000) if self.path == "/long" else self.picture)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(monkeypatch):
    """A site of a public name that in truth is here."""
    out = io.BytesIO()
    Pillow.new("RGB", (30, 20), "red").save(out, "PNG")
    Site.picture = out.getvalue()
    server = HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    true = remote.public
    monkeypatch.setattr(remote, "public", lambda name, port: "127.0.0.1" if name == "public.test" else true(name, port))
    monkeypatch.setattr(remote, "PORTS", {"http": (server.server_port, 80)})
    yield f"http://public.test:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_pictures_are_fetched_where_that_is_allowed(site):
    assert Pictures(Settings(remote=True)).find(site + "/a.png").width == 30
    with pytest.raises(Refused, match="fetches nothing"):
        Pictures(Settings()).find(site + "/a.png")


def test_what_is_fetched_is_bounded(site):
    with pytest.raises(Refused) as told:
        remote.fetch(site + "/long", 100_000)
    assert told.value.status == 413
    with pytest.raises(Refused, match="status 404"):
        remote.fetch(site + "/nothing", 1000)
    with pytest.raises(Refused, match="not fetched from there"):  # a redirection is checked anew
        remote.fetch(site + "/away", 1000)
