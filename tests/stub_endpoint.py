"""An OpenAI-compatible endpoint on loopback that behaves as it is told."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image as Pillow


class Stub:
    """say(body, pictures as Pillow images) -> text, or (status, text), or ("raw", bytes), or ("sleep", seconds).

    bodies: every request; most: how many were under way at once; keys: the Authorization headers.
    """

    def __init__(self, say):
        self.say, self.bodies, self.keys, self.models = say, [], [], ["seer"]
        self.now = self.most = 0
        self.lock = threading.Lock()

    def answer(self, body: dict):
        with self.lock:
            self.bodies.append(body)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return self.say(body, pictures(body))
        finally:
            with self.lock:
                self.now -= 1


def pictures(body: dict) -> list:
    parts = [p for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]]
    urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    return [Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB") for url in urls]


def said(body: dict) -> str:
    """The words of the last question."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


@contextmanager
def served(say):
    """(address, Stub)."""
    stub = Stub(say)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send(200, json.dumps({"data": [{"id": name} for name in stub.models]}).encode())

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            stub.keys.append(self.headers.get("authorization"))
            told = stub.answer(body)
            if isinstance(told, tuple) and told[0] == "sleep":
                time.sleep(told[1])
                told = "too late"
            if isinstance(told, tuple) and told[0] == "raw":
                return self.send(200, told[1])
            if isinstance(told, tuple):
                return self.send(told[0], json.dumps({"error": {"message": told[1]}}).encode(), {"Retry-After": "0"})
            choice = {"message": {"role": "assistant", "content": told}, "finish_reason": "stop"}
            if body.get("logprobs") and told:
                choice["logprobs"] = {"content": [{"token": c, "logprob": -0.5 if c.isdigit() else 0.0} for c in told]}
            self.send(200, json.dumps({"choices": [choice]}).encode())

        def send(self, status: int, data: bytes, headers=()):
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def coloured(picture, colour) -> list[int] | None:
    """Thousandths of the box of the pixels of a colour; None where there are none."""
    pixels = np.asarray(picture).astype(int)
    ys, xs = np.nonzero((abs(pixels - colour) < 40).all(-1))
    if not len(xs):
        return None
    height, width = pixels.shape[:2]
    return [round(1000 * v / side) for v, side in ((xs.min(), width), (ys.min(), height), (xs.max() + 1, width),
                                                   (ys.max() + 1, height))]
