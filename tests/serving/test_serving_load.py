"""Many users at once: nobody loses an answer or gets somebody else's."""

import asyncio
import contextlib
import importlib.util
import sys
import threading
import time
from pathlib import Path

import httpx

from loupe.serving.slots import Slots

CAPTION = "Describe the picture in a sentence and box each thing you name."
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "serve_load.py"


def benchmark():
    spec = importlib.util.spec_from_file_location("serve_load", BENCHMARK)
    module = sys.modules["serve_load"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_answer_is_lost_or_mixed_up(mini, drawn, server):
    bench = benchmark()
    images = [record.image for record in drawn]
    truth = bench.expected(mini, images)
    assert len(set(truth.values())) > len(truth) / 2  # a wrong picture would show
    tally = asyncio.run(bench.load(server.url, images, truth, users=64, seconds=1.0))
    assert len(tally.seconds) >= 64 and tally.wrong == tally.lost == 0
    assert server.host.desk.answering == 0 and not server.host.desk.waiting
    wrong = {key: value + "!" for key, value in truth.items()}  # the check itself can fail
    assert asyncio.run(bench.load(server.url, images, wrong, users=2, seconds=0.1)).wrong


def test_a_caller_who_leaves_frees_the_place(server, client, uploaded, monkeypatch):
    step = Slots.step

    def slow(self, ids):
        time.sleep(0.02)
        return step(self, ids)

    monkeypatch.setattr(Slots, "step", slow)
    desk, written = server.host.desk, []
    before, finish = desk.cancelled, desk.close
    monkeypatch.setattr(desk, "close", lambda t, e=None: (written.append(len(t.written.ids)), finish(t, e)))
    parts = [{"type": "image_url", "image_url": {"url": uploaded[0]}}, {"type": "text", "text": CAPTION}]
    for stream in (False, True):
        body = {"messages": [{"role": "user", "content": parts}], "stream": stream}
        with contextlib.suppress(httpx.TimeoutException), client.stream(
                "POST", "/v1/chat/completions", json=body, timeout=0.25 if not stream else 5) as reply:
            next(reply.iter_lines())  # of a stream; the other has nothing yet
    until = time.monotonic() + 30
    while time.monotonic() < until and (server.host.desk.answering or server.host.desk.waiting):
        time.sleep(0.01)
    assert not desk.answering and desk.cancelled == before + 2
    assert len(written) == 2 and max(written) < 40  # of about fifty tokens
    assert client.get("/health").json()["answering"] == 0


def test_a_full_server_says_when_to_come_again(mini, running, drawn):
    from loupe.serving import application

    full = running(application(mini, rows=1, queue=1))
    with full.client() as caller:
        kept = caller.post("/v1/images", files={"file": ("a", drawn[0].image.bytes(), "application/octet-stream")})
        parts = [{"type": "image_url", "image_url": {"url": "loupe:" + kept.json()["id"]}},
                 {"type": "text", "text": "Describe the picture in a sentence and box each thing you name."}]
        replies = []

        def ask():
            with full.client() as mine:
                replies.append(mine.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": parts}],
                                                                       "temperature": 1.5}))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    codes = sorted(reply.status_code for reply in replies)
    assert set(codes) == {200, 429} and len(codes) == 12
    for reply in replies:
        if reply.status_code == 429:
            assert int(reply.headers["Retry-After"]) >= 1
            assert reply.json()["error"]["type"] == "rate_limit_error"
