"""A server of fixed answers in the shapes of loupe's API: what the page shows can be checked to the letter."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Semaphore, Thread

import numpy as np
from PIL import Image, ImageOps

import loupe
from loupe.regions import Mask

UI = Path(loupe.__file__).parent / "serving" / "ui"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
         ".woff2": "font/woff2", ".txt": "text/plain"}
ANSWER = ["There is ", "a large red circle [1]", " left of ", "a small blue square [2]", "."]
FOUND = [{"type": "box", "box": [12, 14, 44, 47], "score": 0.93, "phrase": "a large red circle"},
         {"type": "box", "box": [58, 50, 80, 71], "score": 0.71, "phrase": "a small blue square"}]
POLICY = ("default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
          "object-src 'none'; base-uri 'none'; frame-ancestors 'none'")


def png(size: tuple[int, int] = (96, 96)) -> bytes:
    """A red disc and a blue square on grey, scaled from 96 pixels."""
    y, x = np.mgrid[0:96, 0:96]
    pixels = np.full((96, 96, 3), (214, 210, 200), np.uint8)
    pixels[(x - 28) ** 2 + (y - 30) ** 2 < 256] = (200, 44, 40)
    pixels[50:71, 58:80] = (38, 90, 170)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(out, "PNG")
    return out.getvalue()


class Standin(ThreadingHTTPServer):
    """`with Standin() as server: server.url`; `asked` holds (path, body) of every question; `pace` seconds a piece.

    With a `gate` every piece of a streamed answer waits for one `gate.release()`.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, pace: float = 0.02):
        super().__init__(("127.0.0.1", port), Handler)
        self.pace, self.asked, self.pictures, self.full = pace, [], {}, 0
        self.gate: Semaphore | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"

    def __enter__(self):
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, body: bytes | dict | list, kind: str = "application/json", status: int = 200, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)),
                            "Content-Security-Policy": POLICY, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fault(self, status: int, message: str, **headers):
        self.reply({"error": {"message": message, "type": "", "param": None, "code": None}}, status=status, **headers)

    def do_GET(self):
        path = self.path.split("?")[0]
        file = UI / ("index.html" if path == "/" else Path(path).name)
        if path == "/" or path.startswith("/ui/"):
            self.reply(file.read_bytes(), KINDS[file.suffix])
        elif path == "/health":
            self.reply({"status": "ok", "model": "standin", "waiting": 0, "answering": 0})
        elif path == "/v1/models":
            can = ["chat", "stream", "describe", "locate", "ask", "segment", "pixels"]
            self.reply({"object": "list", "data": [{"id": "standin", "object": "model", "capabilities": can}]})
        elif path == "/samples":
            self.reply([{"name": f"scene-{k}", "url": f"/samples/{k}.png"} for k in range(4)])
        elif path.startswith("/samples/"):
            self.reply(png(), "image/png")
        elif path.startswith("/v1/images/"):
            self.reply(self.server.pictures[path.rsplit("/", 1)[1]][0], "image/png")
        else:
            self.fault(404, "there is nothing here")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/images":
            return self.take(body)
        data = json.loads(body)
        self.server.asked.append((self.path, data))
        if self.server.full:
            self.server.full -= 1
            return self.fault(429, "too many questions are waiting", **{"Retry-After": "1"})
        if self.path == "/v1/chat/completions":
            return self.stream(data)
        return self.about(self.path.rsplit("/", 1)[1], data)

    def take(self, body: bytes):
        file = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        try:
            picture = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
            picture.load()
        except OSError:
            return self.fault(400, "this is no picture that can be read")
        out = io.BytesIO()
        picture.convert("RGB").save(out, "PNG")
        name = hashlib.sha256(file).hexdigest()
        self.server.pictures[name] = out.getvalue(), picture.size
        return self.reply({"id": name, "width": picture.width, "height": picture.height})

    def stream(self, data: dict):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        words = "".join(p.get("text", "") for p in data["messages"][-1]["content"])
        pieces = ["Word "] * 200 if "long" in words else ANSWER
        if "swatch" in words:
            pieces = ["It is #c82c28."]
        try:
            for text in pieces:
                if self.server.gate:
                    self.server.gate.acquire(timeout=60)
                delta: dict = {"content": text}
                if "[" in text:
                    index = int(text.split("[")[1][0]) - 1
                    delta["regions"] = [{**FOUND[index], "index": index}]
                self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                time.sleep(self.server.pace)
            odd = [{"kind": "inverted", "message": "'[9, 9, 1, 1]' is no region"}]
            last = {"problems": odd} if "odd" in words else {}
            self.event({"choices": [{"index": 0, "delta": last, "finish_reason": "stop"}]})
            self.wfile.write(b"data: [DONE]\n\n")
        except BrokenPipeError:
            self.server.asked.append(("broken off", {}))

    def event(self, data: dict):
        chunk = json.dumps({"id": "1", "object": "chat.completion.chunk", **data})
        self.wfile.write(f"data: {chunk}\n\n".encode())
        self.wfile.flush()

    def about(self, verb: str, data: dict):
        time.sleep(self.server.pace)
        if verb == "locate":
            absent = "dragon" in data["phrase"] and data.get("check", False)
            return self.reply({"regions": [] if absent else FOUND[:2], "absent": absent})
        if verb == "segment":
            y, x = np.mgrid[0:96, 0:96]
            mask = Mask.from_array((x - 28) ** 2 + (y - 30) ** 2 < 256)
            return self.reply({"region": {"type": "mask", "mask": mask.rle()}, "phrase": "a circle", "absent": False})
        if verb == "pixels":
            size = data["size"]
            small = png((size, size))
            noisy = np.asarray(Image.open(io.BytesIO(small)).convert("RGB")).astype(int)
            noisy = noisy + np.random.default_rng(0).integers(-30, 30, noisy.shape)
            out = io.BytesIO()
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(out, "PNG")
            seen, picture = ("data:image/png;base64," + base64.b64encode(b).decode() for b in (out.getvalue(), small))
            return self.reply({"size": size, "seen": seen, "picture": picture, "error": 5.9})
        said = {"describe": "the large red circle", "ask": {"name": "circle", "text": "EXIT", "colour": "#c82c28"}.get(
            data.get("about", "name"), "circle")}
        return self.reply({"content": said[verb], "regions": [], "problems": []})
