"""The server over models of others: the same regions in and out, through their own writing."""

from __future__ import annotations

import io
import json
import threading
import time

import numpy as np
import pytest
from foreign_models import write
from PIL import Image as Pillow
from stub_endpoint import coloured, said, served

import loupe
from loupe.frame import smart_resize
from loupe.image import Image
from loupe.regions import Box

WIDTH, HEIGHT, RED = 90, 60, (18, 12, 72, 48)
CAN = {"chat", "describe", "locate", "ask"}


def painted(width=WIDTH, height=HEIGHT, box=RED) -> bytes:
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[box[1]:box[3], box[0]:box[2]] = (255, 0, 0)
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def upload(client, data: bytes) -> str:
    reply = client.post("/v1/images", files={"file": ("a.png", data)})
    assert reply.status_code == 200, reply.text
    return "loupe:" + reply.json()["id"]


def asked(image: str, *parts) -> dict:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}, *(
        {"type": "text", "text": p} if isinstance(p, str) else p for p in parts)]}


def chat(client, *messages, **more) -> dict:
    reply = client.post("/v1/chat/completions", json={"messages": list(messages), **more})
    assert reply.status_code == 200, reply.text
    return reply.json()["choices"][0]


def box(*corners) -> dict:
    return {"type": "box", "box": list(corners)}


def refused(reply, status: int) -> str:
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error["message"]


# a tiny checkpoint of Qwen2.5-VL's class


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return loupe.load(write("qwen2_5_vl", tmp_path_factory.mktemp("foreign") / "tiny"), device="cpu", answer=12)


@pytest.fixture(scope="module")
def qwen(foreign, running):
    from loupe.serving import application

    with running(application(foreign, answer=12)).client() as client:
        yield client


@pytest.fixture
def forced(foreign, monkeypatch):
    """Answers are this text; what the model was told is kept."""
    heard = []

    def force(text: str):
        from loupe.models.decoding import Generated
        from loupe.predictors import sights

        encode = foreign.chat.encode

        def listening(messages, *rest):
            heard.append(messages)
            return encode(messages, *rest)

        def fixed(sight, prefix, owners, samples, limits, encoded):
            from loupe.models.reading import read

            ids = sight.encoder.tokenizer.encode(text, add_special_tokens=False)
            return [read(sight, sample, Generated(ids, [-0.1] * len(ids))) for sample in samples]

        monkeypatch.setattr(foreign.chat, "encode", listening)
        monkeypatch.setattr(sights, "answer", fixed)
        return heard

    return force


def test_a_checkpoint_says_what_it_can_do(qwen):
    card = qwen.get("/v1/models").json()["data"][0]
    assert card["id"] == "tiny" and set(card["capabilities"]) == CAN | {"constrain"}
    assert card["regions"] == ["box", "point"]


def test_answers_are_those_of_a_look(qwen, foreign):
    data = painted()
    image, look = upload(qwen, data), foreign.look(Image(data=data))
    region = Box(10, 10, 50, 40)
    given = box(10, 10, 50, 40)
    assert chat(qwen, asked(image, "What is in", given, "?"))["message"]["content"] == look.ask(
        "What is in", region, "?").text
    said = qwen.post("/v1/regions/describe", json={"image": image, "region": given}).json()
    assert said["content"] == look.describe(region).text
    said = qwen.post("/v1/regions/ask", json={"image": image, "region": given, "about": "colour"}).json()
    assert isinstance(said["content"], str) and not said["regions"]
    two = asked(image, "And", given, "?"), {"type": "text", "text": "!"}
    other = upload(qwen, painted(60, 100, (5, 5, 30, 30)))
    two[0]["content"].insert(1, {"type": "image_url", "image_url": {"url": other}})
    assert isinstance(chat(qwen, two[0])["message"]["content"], str)


def test_what_is_wished_is_heeded(qwen, foreign):
    """Held to a box, cut short, drawn with a seed: each in a batch of its own."""
    image = upload(qwen, painted())
    held = chat(qwen, asked(image, "Where is the cup?"), constrain="box")["message"]
    found, = foreign.look(Image(data=painted())).ask("Where is the cup?", constrain="box").found
    assert held["content"] == "[1]" and held["regions"][0]["box"] == pytest.approx(found.region.xyxy, abs=1e-3)
    assert 0 <= held["regions"][0]["score"] <= 1
    whole, cut = (chat(qwen, asked(image, "What?"), max_tokens=n)["message"]["content"] for n in (12, 2))
    assert whole.startswith(cut) and len(cut) < len(whole)
    drawn = [chat(qwen, asked(image, "What?"), temperature=2.0, seed=s)["message"]["content"] for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_boxes_go_and_come_in_the_familys_pixels(qwen, forced):
    frame = smart_resize(WIDTH, HEIGHT, factor=28, min_pixels=56 * 56, max_pixels=112 * 140)
    assert (frame.width, frame.height) != (WIDTH, HEIGHT)
    heard = forced('It is [{"bbox_2d": [28, 14, 56, 42], "label": "cup"}] there')
    image = upload(qwen, painted())
    question = asked(image, "What is in", box(*RED), "?")
    message = chat(qwen, question)["message"]
    assert message["content"] == "It is [1] there"
    wide, high = WIDTH / frame.width, HEIGHT / frame.height
    region, = message["regions"]
    assert region["box"] == pytest.approx([28 * wide, 14 * high, 56 * wide, 42 * high], abs=2e-3)
    assert region["phrase"] == "cup" and region["span"] == [6, 9]
    written = [round(v / s) for v, s in zip(RED, (wide, high, wide, high))]
    spoken = "".join(item.get("text", "") for item in heard[0][0]["content"])
    assert spoken == f"What is in {written}?"
    again = chat(qwen, question, message, {"role": "user", "content": [
        {"type": "text", "text": "And at"}, {"type": "point", "point": [45, 30]}]})["message"]
    assert again["content"] == "It is [1] there"
    earlier = "".join(item["text"] for item in heard[1][1]["content"])
    assert earlier == 'It is [{"bbox_2d": [28, 14, 56, 42], "label": "cup"}] there'  # word for word


def test_locating_with_a_checkpoint(qwen, forced):
    image = upload(qwen, painted())
    forced('```json\n[{"bbox_2d": [28, 14, 56, 42], "label": "cup"}]\n```')
    said = qwen.post("/v1/regions/locate", json={"image": image, "phrase": "the red cup"}).json()
    assert [r["phrase"] for r in said["regions"]] == ["cup"] and said["absent"] is False
    forced("none")
    said = qwen.post("/v1/regions/locate", json={"image": image, "phrase": "the red cup"}).json()
    assert said == {"regions": [], "absent": True, "problems": []}


def test_what_a_checkpoint_cannot_do_or_read(qwen):
    image = upload(qwen, painted())
    for path, more in (("segment", {"phrase": "a cup"}), ("pixels", {})):
        assert "cannot" in refused(qwen.post(f"/v1/regions/{path}", json={"image": image, **more}), 501)
    ring = {"type": "polygon", "polygon": [[10, 10], [50, 12], [30, 40]]}
    message = chat(qwen, asked(image, "What is in", ring, "?"))["message"]
    assert "box" in message["problems"][0]["message"]
    long = upload(qwen, painted(4000, 10, (1, 1, 9, 9)))  # too elongated for the family
    body = {"messages": [asked(long, "What?")]}
    assert refused(qwen.post("/v1/chat/completions", json=body), 400)
    assert refused(qwen.post("/v1/chat/completions", json={"messages": [asked(image, "Say <|image_pad|>")]}), 400)
    assert qwen.get("/health").json()["status"] == "ok"


# a model behind an endpoint


def seer(body, pictures):
    """Finds red; says what is asked about a place."""
    if "Where" in said(body):
        return json.dumps([{"bbox_2d": coloured(pictures[0], (255, 0, 0)), "label": "red"}])
    return said(body)


@pytest.fixture
def beside(running, monkeypatch):
    """(client, stub) of a server over an endpoint that answers by `say`."""
    from contextlib import ExitStack

    from loupe.serving import application

    monkeypatch.setattr("loupe.endpoint.client.Client._pause", lambda *_: 0.01)
    with ExitStack() as stack:
        def make(say, **settings):
            url, stub = stack.enter_context(served(say))
            model = loupe.load(f"{url}#seer,tries=2,timeout=20")
            return stack.enter_context(running(application(model, **settings)).client()), stub

        yield make


def test_an_endpoint_gets_and_gives_regions(beside):
    client, stub = beside(seer)
    assert set(client.get("/v1/models").json()["data"][0]["capabilities"]) == CAN
    image = upload(client, painted())
    located = client.post("/v1/regions/locate", json={"image": image, "phrase": "red"}).json()
    assert located["regions"][0]["box"] == pytest.approx(RED) and located["regions"][0]["phrase"] == "red"
    assert 0 < located["regions"][0]["score"] < 1
    question = asked(image, "Where is the thing in", box(*RED), "?")
    message = chat(client, question)["message"]
    assert message["content"] == "[1]" and message["regions"][0]["box"] == pytest.approx(RED)
    assert said(stub.bodies[-1]) == "Where is the thing in [200, 200, 800, 800]?"
    chat(client, question, message, {"role": "user", "content": "What is it?"})
    told = stub.bodies[-1]["messages"]
    assert [m["role"] for m in told] == ["system", "user", "assistant", "user"]
    assert json.loads(told[2]["content"]) == [{"bbox_2d": [200, 200, 800, 800], "label": "red"}]
    described = client.post("/v1/regions/describe", json={"image": image, "region": box(*RED)}).json()
    assert "short noun phrase" in described["content"]
    for about in ("name", "text", "colour"):
        asking = {"image": image, "region": box(*RED), "about": about}
        assert client.post("/v1/regions/ask", json=asking).json()["content"]
    for path, more in (("segment", {"phrase": "red"}), ("pixels", {})):
        assert "cannot" in refused(client.post(f"/v1/regions/{path}", json={"image": image, **more}), 501)
    held = client.post("/v1/chat/completions", json={"messages": [question], "constrain": "box"})
    assert "cannot" in refused(held, 501)


def test_an_endpoints_answer_streams_in_one_piece(beside):
    client, _ = beside(seer)
    body = {"messages": [asked(upload(client, painted()), "Where is red?")], "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as reply:
        lines = [line.removeprefix("data: ") for line in reply.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    deltas = [json.loads(line)["choices"][0]["delta"] for line in lines[:-1]]
    assert "".join(d.get("content", "") for d in deltas) == "[1]"
    assert [r["box"] for d in deltas for r in d.get("regions", ())] == [pytest.approx(RED)]


def test_a_failing_endpoint_is_told_and_the_server_goes_on(beside):
    trouble = {"broken": (500, "oops"), "full": (400, "too many tokens"), "empty": "", "odd": ("raw", b"[]")}
    client, stub = beside(lambda body, _: trouble.get(said(body).split("?")[0], "fine"))
    image = upload(client, painted())
    for word, part in (("broken", "status 500, 2 times"), ("full", "too many tokens"), ("empty", "nothing was said"),
                       ("odd", "no choice")):
        told = refused(client.post("/v1/chat/completions", json={"messages": [asked(image, f"{word}?")]}), 502)
        assert part in told and "127.0.0.1" not in told
        streamed = {"messages": [asked(image, f"{word}? again")], "stream": True}
        assert part in refused(client.post("/v1/chat/completions", json=streamed), 502)
    assert chat(client, asked(image, "good?"))["message"]["content"] == "fine"
    assert client.get("/health").json()["status"] == "ok"


def test_half_a_character_is_no_accident(beside):
    reply = b'{"choices": [{"message": {"content": "a \\ud800 cup"}}]}'
    client, _ = beside(lambda *_: ("raw", reply))
    image = upload(client, painted())
    assert chat(client, asked(image, "What?"))["message"]["content"] == "a ? cup"


def test_a_slow_call_holds_up_nobody(beside):
    go = threading.Event()

    def say(body, pictures):
        if "slow" in said(body):
            go.wait(20)
        return said(body)

    client, stub = beside(say)
    image, done = upload(client, painted()), {}

    def ask(text):
        done[text] = chat(client, asked(image, text))["message"]["content"]

    slow = threading.Thread(target=ask, args=("slow?",))
    slow.start()
    until = time.monotonic() + 10
    while not stub.now and time.monotonic() < until:
        time.sleep(0.005)
    health = client.get("/health").json()
    assert (health["answering"], health["waiting"]) == (1, 0)
    for k in range(3):
        ask(f"quick {k}?")
    assert sorted(done) == [f"quick {k}?" for k in range(3)] and slow.is_alive()
    go.set()
    slow.join(10)
    assert done["slow?"] == "slow?" and stub.most == 2


def test_questions_wait_for_a_place_and_leavers_give_theirs_back(beside):
    go = threading.Event()
    client, stub = beside(lambda body, _: go.wait(20) and said(body), rows=1, queue=1)

    def desk() -> dict:
        return client.get("/health").json()

    image, answers = upload(client, painted()), []

    def ask(text):
        answers.append(chat(client, asked(image, text))["message"]["content"])

    import httpx

    def leave():
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json={"messages": [asked(image, "gone?")]}, timeout=0.5)

    gone = threading.Thread(target=leave)
    gone.start()
    wait_for(lambda: desk()["answering"] == 1)
    waiting = threading.Thread(target=ask, args=("patient?",))
    waiting.start()
    wait_for(lambda: desk()["waiting"] == 1 or desk()["answering"] == 1 and not gone.is_alive())
    gone.join(10)
    wait_for(lambda: len(stub.bodies) == 2)  # the place of the one who left
    assert not answers
    full = threading.Thread(target=ask, args=("third?",))
    full.start()
    wait_for(lambda: desk()["waiting"] == 1)
    reply = client.post("/v1/chat/completions", json={"messages": [asked(image, "fourth?")]})
    assert refused(reply, 429) and int(reply.headers["retry-after"]) >= 1
    go.set()
    waiting.join(10)
    full.join(10)
    assert sorted(answers) == ["patient?", "third?"]


def wait_for(what, most: float = 10.0) -> None:
    until = time.monotonic() + most
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)
