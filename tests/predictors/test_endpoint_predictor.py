"""A model behind an endpoint: what it is sent, what is read from it, and what happens when it misbehaves."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow
from stub_endpoint import coloured, said, served

import loupe
from loupe.cli import main
from loupe.endpoint import EndpointError, Settings
from loupe.errors import ConfigError, LoupeError
from loupe.image import Image
from loupe.predictors.line import Line
from loupe.regions import Box, Point
from loupe.sample import Sample, user

RED = Box(16, 8, 64, 32)


def painted(width=80, height=40, box=RED) -> Image:
    pixels = np.full((height, width, 3), 255, np.uint8)
    x1, y1, x2, y2 = map(int, box.xyxy)
    pixels[y1:y2, x1:x2] = (255, 0, 0)
    return Image.of(Pillow.fromarray(pixels))


def where(text: str, image: Image | None = None, id: str = "") -> Sample:
    return Sample((image or painted(),), (user(text),), "grounding", id)


def seer(body, pictures):
    """Finds red; says what is asked about a place."""
    if "Where" not in said(body):
        return said(body)
    return json.dumps([{"bbox_2d": coloured(pictures[0], (255, 0, 0)), "label": "red"}])


def load(url, **options):
    return loupe.load(f"{url}#seer", tries=3, **options)


@pytest.fixture
def quick(monkeypatch):
    """No pause between two tries."""
    monkeypatch.setattr("loupe.endpoint.client.Client._pause", lambda *_: 0.01)


def test_a_box_comes_back_in_pixels_of_the_picture():
    with served(seer) as (url, stub):
        model = load(url)
        answer, = model.answer([where("Where is red?")])
    assert answer.regions[0].xyxy == pytest.approx(RED.xyxy)
    assert answer.found[0].phrase == "red"
    # 12 digits at -0.5 of all characters of the list
    text = answer.raw
    assert answer.found[0].score == pytest.approx(np.exp(-0.5 * sum(c.isdigit() for c in text) / len(text)), rel=0.2)
    body, = stub.bodies
    assert body["model"] == "seer" and body["temperature"] == 0 and body["messages"][0]["role"] == "system"
    assert "from 0 to 1000" in body["messages"][0]["content"]
    assert said(body).startswith("Where is red? Answer with one box")


@pytest.mark.parametrize("codec, written", [
    ("qwen3-vl", "[200, 200, 800, 800]"), ("pink", "[0.200,0.200,0.800,0.800]"),
    ("llava", "[0.20, 0.35, 0.80, 0.65]"),  # on the square of 80 the picture lies 20 lower
    ("qwen2.5-vl", "[17, 11, 67, 45]")])  # 80 x 40 becomes 84 x 56
def test_regions_are_written_and_read_by_the_chosen_codec(codec, written):
    seen = {}

    def say(body, pictures):
        seen["size"], seen["said"] = pictures[0].size, said(body)
        return written

    with served(say) as (url, _):
        model = loupe.load(f"{url}#seer,codec={codec}")
        look = model.look(painted())
        answer = look.ask("What is in", RED, "?")
        assert look.describe(Point(40, 20)).raw == written
    assert seen["said"].split(" Answer")[0].startswith("Describe ")
    step = {"qwen3-vl": 0.05, "pink": 0.05, "llava": 0.5, "qwen2.5-vl": 0.6}[codec]
    assert answer.regions[0].xyxy == pytest.approx(RED.xyxy, abs=step)
    assert model.identity["codec"] == codec
    assert seen["size"] == {"llava": (80, 80), "qwen2.5-vl": (84, 56)}.get(codec, (80, 40))


def test_answers_keep_the_order_and_some_are_asked_at_once():
    import time

    def say(body, pictures):
        number = int(said(body).split()[1])
        time.sleep(0.02 * (5 - number % 5))
        return f"answer {number}"

    samples = [Sample((painted(),), (user(f"Question {k} ?"),)) for k in range(23)]
    with served(say) as (url, stub):
        answers = [a.text for a in load(url, rows=4).answer(iter(samples))]
    assert answers == [f"answer {k}" for k in range(23)]
    assert 2 <= stub.most <= 4


def test_what_comes_and_goes_is_asked_again(quick):
    trouble = iter([(429, "slow down"), (500, "oops"), (503, "busy")])
    with served(lambda *_: next(trouble, "a cup")) as (url, stub):
        answers = list(load(url, rows=1).answer([where("What?"), where("Who?")]))
    assert [a.text for a in answers] == ["", "a cup"] and len(stub.bodies) == 4
    assert answers[0].problems[0].kind == "endpoint"
    assert "status 503, 3 times" in answers[0].problems[0].text


@pytest.mark.parametrize("bad, kind", [
    ((500, "broken"), "endpoint"), (("raw", b'{"choices": [{"mess'), "endpoint"), (("raw", b"[]"), "endpoint"),
    (("raw", b'{"choices": [{"message": {"content": null}}]}'), "endpoint"), (("sleep", 3.0), "endpoint"),
    ("", "empty"), (("raw", b"\xff\xfe\x00"), "endpoint"), ((400, "no pictures here"), "endpoint"),
    ('[{"bbox_2d": [1200, 3, 4', "truncated"), ('{"bbox_2d": [900, 0, 100, 50], "label": "x"}', "inverted"),
    ("[2000, 1, 5000, 7]", "out_of_range")])
def test_misbehaviour_is_a_problem_of_that_question(quick, bad, kind):
    def say(body, pictures):
        return bad if "bad" in said(body) else "a cup"

    with served(say) as (url, _):
        model = loupe.load(f"{url}#seer,tries=2,timeout=0.6")
        samples = [where(text, id=text) for text in ("good one", "bad one", "another good one")]
        answers = list(model.answer(samples))
    assert [a.text for a in answers][::2] == ["a cup", "a cup"]
    assert not answers[1].regions and answers[1].problems[0].kind == kind


def test_nonsense_is_words():
    with served(lambda *_: "[[[ {{\"bbox 1,2 <box> ]]") as (url, _):
        answer, = load(url).answer([where("Where?")])
    assert answer.raw and not answer.regions


def test_a_torn_picture_and_a_region_outside_are_not_asked():
    torn = Image(data=painted().bytes()[:60])
    outside = Sample((painted(),), (user("What is in", Box(200, 200, 210, 210)),))
    with served(seer) as (url, stub):
        answers = list(load(url).answer([where("Where?", torn), outside, where("Where is red?")]))
    assert [a.problems[0].kind if a.problems else "" for a in answers] == ["picture", "question", ""]
    assert len(stub.bodies) == 1


def test_an_endpoint_that_refuses_everything_is_not_asked_on(quick):
    with served(lambda *_: (403, "not for you")) as (url, stub):
        answers = list(load(url, rows=2).answer([where(f"{k}") for k in range(50)]))
    assert len(answers) == 50 and all(a.problems[0].kind == "endpoint" for a in answers)
    assert len(stub.bodies) < 10


def test_one_that_knows_no_log_probabilities(quick):
    def say(body, pictures):
        return (400, "unknown parameter: logprobs") if "logprobs" in body else "a cup"

    with served(say) as (url, stub):
        model = load(url, rows=1)
        answers = list(model.answer([where(str(k)) for k in range(3)]))
    assert [a.text for a in answers] == ["a cup"] * 3 and answers[0].score is None
    assert sum("logprobs" in body for body in stub.bodies) < 3


def test_pictures_go_upright_and_whole():
    import io

    buffer = io.BytesIO()
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Pillow.new("RGB", (60, 20), (255, 0, 0)).save(buffer, "JPEG", exif=exif)
    sizes = []
    with served(lambda body, pictures: sizes.extend(p.size for p in pictures) or "x") as (url, stub):
        model = load(url)
        wide = Image.of(Pillow.new("RGB", (4000, 100)))
        both = Sample((Image(data=buffer.getvalue()), wide), (user("Both?"),))
        list(model.answer([both, where("?", Image(data=painted().bytes()))]))
    assert sizes == [(20, 60), (2048, 51), (80, 40)] or sorted(sizes) == sorted([(20, 60), (2048, 51), (80, 40)])


def test_a_talk_sends_what_was_said():
    with served(lambda body, _: f"turn {len(body['messages'])}") as (url, stub):
        look = load(url).look(painted())
        talk = look.talk()
        assert talk.say("One?").text == "turn 2" and talk.say("What is at", Point(40, 20), "?").text == "turn 4"
        with pytest.raises(LoupeError, match="cannot be asked for masks"):
            look.segment("cup")
        with pytest.raises(LoupeError, match="cannot be held"):
            look.ask("?", constrain="box")
    assert [m["role"] for m in stub.bodies[-1]["messages"]] == ["system", "user", "assistant", "user"]
    assert said(stub.bodies[-1]) == "What is at [500, 500]?"
    assert len(talk.turns) == 4


def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MY_KEY", "hush")
    with served(lambda *_: "x") as (url, stub):
        model = loupe.load(f"{url}#seer,key=MY_KEY")
        list(model.answer([where("?")]))
        assert stub.keys == ["Bearer hush"]
        assert "hush" not in json.dumps(model.identity)
        with pytest.raises(ConfigError, match="OTHER_KEY"):
            loupe.load(f"{url}#seer,key=OTHER_KEY")


def test_names_that_lead_nowhere():
    with served(lambda *_: "x") as (url, stub):
        assert loupe.load(url).name == "seer"  # the only one
        with pytest.raises(ConfigError, match="did you mean 'seer'"):
            loupe.load(f"{url}#sear")
        stub.models = ["one", "two"]
        with pytest.raises(ConfigError, match="no model of this endpoint is named"):
            loupe.load(url)
    for text, words in ((f"{url}#seer", "does not answer"), (f"{url}#seer,codex=pink", "did you mean 'codec'"),
                        ("http://me:secret@host/v1#m,check=off", "must not hold keys"),
                        (f"{url}#seer,codec=pank", "did you mean 'pink'"), (f"{url}#m,tries=x", "is no number")):
        with pytest.raises(LoupeError, match=words) as caught:
            loupe.load(text)
        assert "secret" not in str(caught.value)


def test_drawn_answers_have_seeds_of_their_own():
    with served(lambda *_: "x") as (url, stub):
        model = load(url, rows=1)
        samples = [where("?", id=name) for name in "ab"]
        list(model.sampled(samples, 0.7, 3))
        list(model.sampled(samples[1:], 0.7, 3))
    seeds = [body["seed"] for body in stub.bodies]
    assert seeds[0] != seeds[1] and seeds[-1] == seeds[1] and stub.bodies[0]["temperature"] == 0.7


def test_no_torch_is_needed():
    code = ("import sys, loupe; m = loupe.load('http://127.0.0.1:9/v1#m,check=off'); m.look; "
            "assert not {'torch', 'transformers'} & set(sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_chat_from_the_command_line(tmp_path, capsys):
    painted().pillow().save(tmp_path / "a.png")
    with served(seer) as (url, _):
        assert main(["chat", f"{url}#seer", str(tmp_path / "a.png"), "--say", "Where is red?"]) == 0
        assert "@box(16,8,64,32)" in capsys.readouterr().out
        assert main(["segment", f"{url}#seer", str(tmp_path / "a.png"), "red"]) == 2
        assert "answers in words only" in capsys.readouterr().err


def test_many_questions_refused_together_for_their_scores():
    """As many refusals in a row as mean that the endpoint takes nothing: each is asked again without scores."""
    class Refuses:
        async def ask(self, body):
            if "logprobs" in body:
                raise EndpointError("the endpoint refuses the request", got="status 400: 'logprobs is not supported'",
                                    final=True)
            return "said"

    line = Line(Settings("http://localhost/v1", "m"))
    line._client = Refuses()
    assert asyncio.run(line._ask({}, True)) == "said" and not line._scored


def test_a_newer_model_is_asked_in_its_own_words(capsys):
    """Neither max_tokens nor temperature nor scores: three refusals, then answers."""
    def say(body, pictures):
        if "max_tokens" in body:
            return 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        if "temperature" in body:
            return 400, "'temperature' does not support 0.0 with this model. Only the default (1) value is supported."
        return (400, "'logprobs' is not supported with this model") if "logprobs" in body else seer(body, pictures)

    with served(say) as (url, stub):
        answers = list(load(url, rows=1, answer=70).answer([where("Where is red?")] * 3))
    assert all(answer.regions[0].xyxy == pytest.approx(RED.xyxy) for answer in answers)
    assert stub.bodies[-1]["max_completion_tokens"] == 70 and not {"max_tokens", "temperature"} & stub.bodies[-1].keys()
    assert capsys.readouterr().err.count("refuses") == 2


DROPPED = re.compile(r"<\|\w+\|>")


def vllm(body, pictures):
    """Writes a box as Qwen2-VL does; special tokens are dropped unless the request says to keep them."""
    written = "<|object_ref_start|>red<|object_ref_end|><|box_start|>(200,200),(800,800)<|box_end|>"
    return DROPPED.sub("", written) if body.get("skip_special_tokens", True) else written


@pytest.mark.parametrize("codec, asked", [("qwen2-vl", {"skip_special_tokens": False}), ("qwen3-vl", {})])
def test_a_server_keeps_the_special_tokens_a_codec_needs(codec, asked):
    with served(vllm) as (url, stub):
        answer, = load(url, codec=codec).answer([where("Where is red?")])
    body, = stub.bodies
    assert {k: v for k, v in body.items() if "special" in k} == asked
    if asked:  # named, not words before a box
        assert [(f.phrase, f.region.xyxy) for f in answer.found] == [("red", pytest.approx(RED.xyxy))]
        assert answer.text == "" and not answer.problems


@pytest.mark.parametrize("refusal", [
    "[{'type': 'extra_forbidden', 'loc': ('body', 'skip_special_tokens'), 'msg': 'Extra inputs are not permitted'}]",
    "Unrecognized request argument supplied: skip_special_tokens"])
def test_a_server_that_knows_no_such_field_is_asked_without_it(refusal, capsys):
    def say(body, pictures):
        return (400, refusal) if "skip_special_tokens" in body else vllm(body, pictures)

    with served(say) as (url, stub):
        answers = list(load(url, codec="qwen2-vl", rows=1).answer([where(f"Where is red, {k}?") for k in range(3)]))
    assert [answer.raw for answer in answers] == ["red(200,200),(800,800)"] * 3 and len(stub.bodies) == 4
    told, = capsys.readouterr().err.splitlines()
    assert told.startswith("seer refuses skip_special_tokens; left out:")
