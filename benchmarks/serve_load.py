"""Many users of one server on loopback, each answer checked to belong to its picture.

    python benchmarks/serve_load.py --users 64 --seconds 30

First one user asks for a while, then all at once. Every user draws pictures and questions in an order of its own; an
answer counts if its words and regions are what a look at that picture alone says. Without --url a server of the shipped
miniature is started in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

QUESTIONS = ("Describe the picture in a sentence and box each thing you name.", "Where is the circle?",
             "How many circles are there?", "Which things are there, how do they stand, and in which boxes?")
PICTURES = 12


@dataclass
class Tally:
    """What came back."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    again: int = 0  # 429: asked again after Retry-After
    lost: int = 0
    wall: float = 0.0

    @property
    def pace(self) -> float:
        return len(self.seconds) / self.wall if self.wall else 0.0

    def percentile(self, share: float) -> float:
        known = sorted(self.seconds)
        return known[min(len(known) - 1, int(share * len(known)))] if known else float("nan")

    def line(self) -> dict:
        return {"answers": len(self.seconds), "per_second": round(self.pace, 2),
                **{f"p{p}": round(self.percentile(p / 100), 3) for p in (50, 95, 99)},
                "wrong": self.wrong, "lost": self.lost, "asked_again": self.again}


def expected(model, images, questions=QUESTIONS) -> dict[tuple[int, str], str]:
    """(picture, question) -> content and regions that a look alone gives."""
    from loupe.serving.unfolding import told

    out = {}
    for k, image in enumerate(images):
        for question, answer in zip(questions, model.look(image).answers(questions, max_tokens=256)):
            out[k, question] = whole(*told(answer.parts))
    return out


def whole(content: str, regions: list[dict]) -> str:
    """Content and regions as one text."""
    return json.dumps([content, [region[region["type"]] for region in regions]])


async def load(url: str, images, truth: dict, users: int, seconds: float, seed: int = 0) -> Tally:
    """`users` ask for so long; those who are asking then still get their answers."""
    import httpx

    limits = httpx.Limits(max_connections=users + 4, max_keepalive_connections=users + 4)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        names = []
        for image in images:
            reply = await client.post("/v1/images", files={"file": ("a", image.bytes(), "application/octet-stream")})
            names.append("loupe:" + reply.raise_for_status().json()["id"])
        tally, began = Tally(), time.monotonic()

        async def user(number: int) -> None:
            rng = random.Random(f"{seed} {number}")
            while time.monotonic() - began < seconds:
                await one(client, names, truth, rng, tally)

        await asyncio.gather(*(user(k) for k in range(users)))
        tally.wall = time.monotonic() - began
    return tally


async def one(client, names, truth, rng, tally: Tally) -> None:
    import httpx

    (picture, question), stream = rng.choice(sorted(truth)), rng.random() < 0.5
    parts = [{"type": "image_url", "image_url": {"url": names[picture]}}, {"type": "text", "text": question}]
    body = {"messages": [{"role": "user", "content": parts}], "stream": stream}
    start = time.monotonic()
    try:
        reply = await client.post("/v1/chat/completions", json=body)
        while reply.status_code == 429:
            tally.again += 1
            await asyncio.sleep(int(reply.headers["Retry-After"]))
            start = time.monotonic()
            reply = await client.post("/v1/chat/completions", json=body)
        content = said(reply.raise_for_status().text, stream)
    except httpx.HTTPError:
        tally.lost += 1
        return
    tally.seconds.append(time.monotonic() - start)
    tally.wrong += content != truth[picture, question]


def said(text: str, stream: bool) -> str:
    if not stream:
        message = json.loads(text)["choices"][0]["message"]
        return whole(message["content"], message["regions"])
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return whole("".join(d.get("content") or "" for d in deltas), [r for d in deltas for r in d.get("regions") or ()])


@contextlib.contextmanager
def started(model: str, rows: int):
    """The address of a server in a process of its own."""
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "loupe", "serve", model, "--port", str(port), "--rows", str(rows)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(url + "/health").status_code == 200:
                    break
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    import loupe
    from loupe.world import records

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--url", help="of a server that runs already, with the same model")
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    images = [record.image for record in records(PICTURES, 3, "val", size=96, world="mini")]
    truth = expected(loupe.load(args.model), images)
    print(f"{len(truth)} questions on {len(images)} pictures, {len(set(truth.values()))} different answers", flush=True)
    with started(args.model, args.rows) if args.url is None else contextlib.nullcontext(args.url) as url:
        alone = asyncio.run(load(url, images, truth, 1, args.seconds / 2))
        print("one user", json.dumps(alone.line()), flush=True)
        many = asyncio.run(load(url, images, truth, args.users, args.seconds))
        print(f"{args.users} users", json.dumps(many.line()), flush=True)
    print(f"throughput ratio {many.pace / alone.pace:.2f}")


if __name__ == "__main__":
    main()
