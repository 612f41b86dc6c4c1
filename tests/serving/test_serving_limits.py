"""Hostile input gets a 4xx that says why, memory stays bounded, and the server goes on."""

import base64
import io
import json
import resource
import struct
import zlib

import pytest
from PIL import Image as Pillow

from loupe.image import Image

CHAT = "/v1/chat/completions"
LOCATE = "/v1/regions/locate"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes = b"\0") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width=64, height=48, **options) -> bytes:
    out = io.BytesIO()
    Pillow.effect_noise((width, height), 60).convert("RGB").save(out, "JPEG", **options)
    return out.getvalue()


def url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64," + base64.b64encode(data).decode()


BOMB = png(40_000, 40_000, bytes(1_000_000))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
PICTURES = {
    "50,000 x 50,000 header": (png(50_000, 50_000), "image/png", 413, "too many pixels"),
    "bomb": (BOMB, "image/png", 413, "too many pixels"),
    "svg": (SVG, "image/svg+xml", 415, "svg"),
    "svg said to be png": (SVG, "image/png", 415, "not a picture"),
    "truncated jpeg": (jpeg(640, 480)[:9000], "image/jpeg", 400, "corrupt"),
    "text": (b"hello", "text/plain", 415, "text/plain"),
    "picture said to be html": (jpeg(), "text/html", 415, "text/html"),
    "empty": (b"", "image/png", 415, "empty"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image/png", 415, "not a picture"),
    "tiff": (b"II*\0" + bytes(100), "image/tiff", 415, "tiff"),
    "too many bytes": (jpeg() + bytes(21 * 2**20), "image/jpeg", 413, "too large"),
}


def told(reply) -> str:
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and len(error["message"]) < 600
    return error["message"]


@pytest.mark.parametrize("name", PICTURES)
def test_hostile_pictures(client, name):
    data, kind, status, word = PICTURES[name]
    reply = client.post("/v1/images", files={"file": ("a.png", data, kind)})
    assert reply.status_code == status and word in told(reply)
    if len(data) < 20 * 2**20:
        reply = client.post(LOCATE, json={"image": url(data, kind), "phrase": "the cup"})
        assert reply.status_code == status and word in told(reply)


@pytest.mark.parametrize("image,status", [
    (url(jpeg(), "image/png"), 415),  # not of the type it is said to be
    ("data:image/png;base64,@@@@", 400), ("data:image/png,abc", 400), ("data:", 400), ("", 400),
    ("/etc/passwd", 400), ("file:///etc/passwd", 400), ("../../etc/passwd", 400), ("loupe:../../etc/passwd", 404),
    ("loupe:" + "0" * 64, 404), ("http://127.0.0.1/a.png", 400), ("https://example.com/a.png", 400),
    ("loupe:" + "\0" * 64, 404), ("data:image/png;base64," + "é", 400),
])
def test_names_that_are_no_picture(client, image, status):
    reply = client.post(LOCATE, json={"image": image, "phrase": "the cup"})
    assert reply.status_code == status and told(reply)


@pytest.mark.parametrize("path", ["/ui/../app.py", "/ui/%2e%2e/app.py", "/ui/..%2f..%2fapp.py", "/ui//etc/passwd",
                                  "/samples/..%2f..%2fapp.py", "/v1/images/..%2f..%2fapp.py", "/ui/%00"])
def test_paths_do_not_leave_their_folder(server, path):
    import http.client

    host = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    host.request("GET", path)  # as it is: clients tidy paths up
    reply = host.getresponse()
    assert 400 <= reply.status < 500 and b"import" not in reply.read()


@pytest.mark.parametrize("region,word", [
    ('{"type": "box", "box": [NaN, 1, 2, 3]}', "finite"),
    ('{"type": "box", "box": [1, 1, Infinity, 3]}', "finite"),
    ('{"type": "point", "point": [1e999, 3]}', "finite"),
    ('{"type": "box", "box": [50, 50, 10, 10]}', "inside out"),
    ('{"type": "box", "box": [1000, 1000, 1100, 1100]}', "outside"),
    ('{"type": "box", "box": [1, 2, 3]}', "4"),
    ('{"type": "point", "point": [1, 2], "image": 3}', "picture"),
    ('{"type": "polygon", "polygon": [[1, 2], [3, 4]]}', "3"),
    ('{"type": "mask", "mask": {"size": [96, 96], "counts": "' + "o" * 200_000 + '"}}', "run lengths"),
    ('{"type": "mask", "mask": {"size": [96, 96], "counts": "0"}}', "fill"),
    ('{"type": "mask", "mask": {"size": [9999999, 9999999], "counts": "0"}}', "another size"),
    ('{"type": "mask", "mask": {"size": [96, 96], "counts": "é"}}', "run lengths"),
    ('{"type": "circle"}', "circle"),
    ("[" * 50_000, ""),
])
def test_hostile_regions(client, uploaded, region, word):
    body = f'{{"image": "{uploaded[0]}", "region": {region}}}'
    reply = client.post("/v1/regions/describe", content=body, headers={"content-type": "application/json"})
    assert reply.status_code in (400, 413) and word in told(reply)


def test_a_polygon_of_a_million_points(client, uploaded):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    points = "[1,2]," * 1_000_000 + "[3,4]"
    body = f'{{"image": "{uploaded[0]}", "region": {{"type": "polygon", "polygon": [{points}]}}}}'
    reply = client.post("/v1/regions/describe", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 413 and "too many values" in told(reply)
    body = {"image": uploaded[0], "region": {"type": "polygon", "polygon": [[k % 90, k % 89] for k in range(3000)]}}
    assert "2000" in told(client.post("/v1/regions/describe", json=body))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_words_without_end(client):
    body = {"messages": [{"role": "user", "content": "a " * 5_000_000}]}
    reply = client.post(CHAT, json=body)
    assert reply.status_code == 413 and "too many words" in told(reply)
    reply = client.post(CHAT, content=b"x" * (33 * 2**20), headers={"content-type": "application/json"})
    assert reply.status_code == 413 and "too large" in told(reply)
    long = {"messages": [{"role": "user", "content": "cup " * 2000}]}
    reply = client.post(CHAT, json=long)  # more tokens than the model reads
    assert reply.status_code == 400 and "does not fit" in told(reply)


def test_a_body_sent_in_pieces_is_counted(client):
    pieces = (b"x" * 2**20 for _ in range(40))
    reply = client.post(CHAT, content=pieces, headers={"content-type": "application/json"})
    assert reply.status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"messages": 3}', b'"a"', b"1e400"])
def test_bodies_that_are_no_request(client, body):
    reply = client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400 and told(reply)
    assert client.post(CHAT, content=body, headers={"content-type": "text/plain"}).status_code in (400, 415)


def test_the_server_goes_on(client, uploaded):
    assert client.get("/health").json()["status"] == "ok"
    assert client.post(LOCATE, json={"image": uploaded[0], "phrase": "the circle"}).status_code == 200


def test_headers_and_the_page(client):
    reply = client.get("/")
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "http" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff" and reply.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in client.get("/health", headers={"Origin": "http://other.org"}).headers


def test_other_sites_and_names_are_kept_out(mini, running, uploaded, client):
    from loupe.serving import application

    strict = running(application(mini, key="secret", hosts=("127.0.0.1",), origins=("https://lab.org",)))
    with strict.client() as caller:
        body = {"messages": [{"role": "user", "content": "hello"}]}
        good = {"Authorization": "Bearer secret"}
        assert caller.post(CHAT, json=body).status_code == 401
        assert caller.post(CHAT, json=body, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert caller.get("/metrics").status_code == 401 and caller.get("/v1/models").status_code == 401
        assert caller.get("/health").status_code == 200 and caller.get("/").status_code == 200
        assert caller.post(CHAT, json=body, headers=good).status_code == 200
        assert caller.post(CHAT, json=body, headers=good | {"Origin": "http://evil.org"}).status_code == 403
        allowed = caller.post(CHAT, json=body, headers=good | {"Origin": "https://lab.org"})
        assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == "https://lab.org"
        assert caller.get("/health", headers={"Host": "evil.org"}).status_code == 403


def test_phone_photos_stand_upright(client):
    picture = Pillow.new("RGB", (60, 40), "blue")
    picture.paste("red", (0, 0, 20, 40))  # the left third of what the sensor saw
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, quality=95)
    kept = client.post("/v1/images", files={"file": ("a.jpg", out.getvalue(), "image/jpeg")}).json()
    assert (kept["width"], kept["height"]) == (40, 60)
    shown = client.get(f"/v1/images/{kept['id']}")
    upright = Image(data=shown.content).pillow()
    assert shown.headers["content-type"] == "image/jpeg" and upright.size == (40, 60)
    red, _, blue = upright.getpixel((20, 5))
    assert red > 200 > 60 > blue


def test_what_came_is_given_back(client):
    data = jpeg()
    kept = client.post("/v1/images", files={"file": ("a.jpg", data, "image/jpeg")}).json()
    assert client.get(f"/v1/images/{kept['id']}").content == data
    assert client.get("/v1/images/nothing").status_code == 404


def test_only_the_latest_pictures_are_kept():
    from loupe.serving.faults import Refused
    from loupe.serving.pictures import Pictures
    from loupe.serving.settings import Settings

    pictures = Pictures(Settings(pictures=30_000))
    first = pictures.add(jpeg(100, 100))
    for _ in range(20):
        latest = pictures.add(jpeg(100, 100))
    assert pictures.kept.weight <= 30_000 and pictures.get(latest.id) is latest
    with pytest.raises(Refused, match="upload it again"):
        pictures.get(first.id)


def test_errors_are_small_json(client):
    for reply in (client.get("/nothing"), client.put(CHAT), client.post("/v1/images")):
        assert 400 <= reply.status_code < 500
        assert json.loads(reply.content)["error"]["message"]
