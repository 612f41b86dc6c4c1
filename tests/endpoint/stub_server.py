"""A local OpenAI-compatible server that misbehaves as told."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub:
    """`script(number, request)` gives a text, or a dict: status, body (bytes), wait (s), headers, text, usage."""

    def __init__(self, script):
        self.script, self.requests, self.times, self.keys = script, [], [], []
        self.most, self.now, self.lock = 0, 0, threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                stub.serve(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def serve(self, handler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        with self.lock:
            self.requests.append(request)
            self.times.append(time.monotonic())
            self.keys.append(handler.headers.get("authorization"))
            self.now += 1
            self.most = max(self.most, self.now)
            number = len(self.requests)
        try:
            said = self.script(number, request)
            said = {"text": said} if isinstance(said, str) else said
            time.sleep(said.get("wait", 0.0))
            body = said.get("body")
            if body is None:
                usage = said.get("usage", {"prompt_tokens": 100, "completion_tokens": 10})
                choice = {"message": {"role": "assistant", "content": said.get("text", "")},
                          "finish_reason": said.get("finish", "stop")}
                body = json.dumps({"choices": [choice], **({"usage": usage} if usage else {})}).encode()
            handler.send_response(said.get("status", 200))
            for name, value in said.get("headers", {}).items():
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with self.lock:
                self.now -= 1


@contextmanager
def served(script):
    stub = Stub(script)
    thread = threading.Thread(target=stub.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()
