"""Chat completions: the official client unchanged, and the answers that looks give."""

import base64

import pytest

from loupe.regions import Box, Point
from loupe.sample import Regions, Sample, Turn

openai = pytest.importorskip("openai", reason="needs the openai client")
CAPTION = "Describe the picture in a sentence and box each thing you name."


def data_url(image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(image.bytes()).decode()


def asking(url, *parts):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, *(
        {"type": "text", "text": p} if isinstance(p, str) else p for p in parts)]}]


@pytest.fixture(scope="module")
def official(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


def told(answer) -> str:
    """What the content must be, by hand."""
    out, k = "", 0
    for part in answer.parts:
        if isinstance(part, str):
            out += part
        else:
            k += 1
            out += f"{' ' if out and not out[-1].isspace() else ''}[{k}]"
    return out


def test_the_official_client_gets_what_a_look_says(official, mini, drawn):
    assert [m.id for m in official.models.list()] == ["mini"]
    image = drawn[0].image
    said = official.chat.completions.create(model="mini", messages=asking(data_url(image), CAPTION))
    expected = mini.look(image).ask(CAPTION)
    message = said.choices[0].message
    assert message.content == told(expected) and expected.found
    assert said.choices[0].finish_reason == "stop"
    assert [r["box"] for r in message.regions] == [pytest.approx(f.region.xyxy, abs=1e-3) for f in expected.found]
    assert [r["score"] for r in message.regions] == pytest.approx([f.score for f in expected.found], abs=1e-3)
    for k, region in enumerate(message.regions):
        start, end = region["span"]
        assert message.content[start:end] == f"[{k + 1}]"
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens
    assert said.usage.prompt_tokens > 64


def test_the_official_client_streams_the_same(official, drawn):
    messages = asking(data_url(drawn[1].image), CAPTION)
    whole = official.chat.completions.create(model="mini", messages=messages)
    content, regions, reasons, usage = "", [], [], None
    pieces = 0
    for chunk in official.chat.completions.create(model="mini", messages=messages, stream=True,
                                                  stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            content += choice.delta.content or ""
            pieces += bool(choice.delta.content)
            regions += getattr(choice.delta, "regions", None) or []
            reasons.append(choice.finish_reason)
    assert content == whole.choices[0].message.content and pieces > 3
    assert [r["index"] for r in regions] == list(range(len(regions)))
    assert [r["box"] for r in regions] == [r["box"] for r in whole.choices[0].message.regions]
    assert [r["score"] for r in regions] == pytest.approx([r["score"] for r in whole.choices[0].message.regions])
    assert reasons[-1] == "stop" and not any(reasons[:-1])
    assert usage.completion_tokens == whole.usage.completion_tokens


@pytest.mark.parametrize("region,given", [
    (Box(30, 20, 70, 60), {"type": "box", "box": [30, 20, 70, 60]}),
    (Point(40, 44), {"type": "point", "point": [40, 44]}),
])
def test_regions_in_reading_order(client, uploaded, mini, drawn, region, given):
    messages = asking(uploaded[2], "What colour is the thing at", given, "?")
    said = client.post("/v1/chat/completions", json={"messages": messages}).json()
    assert said["choices"][0]["message"]["content"] == mini.look(drawn[2].image).ask(
        "What colour is the thing at", region, "?").text


def test_earlier_answers_keep_their_regions(client, uploaded, mini, drawn):
    first = asking(uploaded[0], CAPTION)
    said = client.post("/v1/chat/completions", json={"messages": first}).json()["choices"][0]["message"]
    messages = [*first, said, {"role": "user", "content": "What is the leftmost thing?"}]
    again = client.post("/v1/chat/completions", json={"messages": messages}).json()["choices"][0]["message"]
    talk = mini.look(drawn[0].image).talk()
    talk.say(CAPTION)
    assert again["content"] == told(talk.say("What is the leftmost thing?"))


def test_several_pictures(client, uploaded, mini, drawn):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in uploaded[:2]]
    region = {"type": "box", "box": [10, 10, 50, 50], "image": 1}
    messages = [{"role": "user", "content": [*parts, {"type": "text", "text": "What is at"}, region,
                                             {"type": "text", "text": "?"}]}]
    said = client.post("/v1/chat/completions", json={"messages": messages}).json()
    images = tuple(record.image for record in drawn[:2])
    sample = Sample(images, (Turn("user", ("What is at ", Regions((Box(10, 10, 50, 50, 1),)), "?")),))
    assert said["choices"][0]["message"]["content"] == told(mini.look(list(images)).answers([sample])[0])


def test_answers_can_be_held_and_cut(client, uploaded):
    messages = asking(uploaded[0], "Where is the circle?")
    held = client.post("/v1/chat/completions", json={"messages": messages, "constrain": "point"}).json()["choices"][0]
    assert [r["type"] for r in held["message"]["regions"]] == ["point"] and held["message"]["content"] == "[1]"
    cut = client.post("/v1/chat/completions", json={"messages": asking(uploaded[0], CAPTION), "max_tokens": 3}).json()
    assert cut["choices"][0]["finish_reason"] == "length" and cut["usage"]["completion_tokens"] == 3


def test_drawn_answers_repeat_with_their_seed(client, uploaded):
    def ask(**more):
        body = {"messages": asking(uploaded[0], CAPTION), **more}
        return client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]

    drawn = [ask(temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 2


def test_a_system_message_is_not_passed_over_in_silence(client, uploaded):
    messages = [{"role": "system", "content": "Be brief."}, *asking(uploaded[0], "What is there?")]
    message = client.post("/v1/chat/completions", json={"messages": messages}).json()["choices"][0]["message"]
    assert [p["kind"] for p in message["problems"]] == ["changed"]


@pytest.mark.parametrize("body,status,word", [
    ({"messages": []}, 400, "messages"),
    ({"messages": [{"role": "assistant", "content": "hello"}]}, 400, "alternate"),
    ({"messages": [{"role": "user", "content": ""}]}, 400, "no question"),
    ({"messages": [{"role": "user", "content": "hi"}], "model": "gpt"}, 404, "no such model"),
    ({"messages": [{"role": "user", "content": "hi"}], "n": 2}, 400, "n"),
    ({"messages": [{"role": "user", "content": [{"type": "box", "box": [1, 2, 3, 4]}]}]}, 400, "picture"),
    ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, 400, "content"),
])
def test_mistakes_are_told(client, body, status, word):
    reply = client.post("/v1/chat/completions", json=body)
    assert reply.status_code == status
    error = reply.json()["error"]
    assert word in error["message"] and set(error) == {"message", "type", "param", "code"}


def test_the_official_client_sees_its_errors(official, drawn):
    with pytest.raises(openai.NotFoundError, match="no such model"):
        official.chat.completions.create(model="other", messages=asking(data_url(drawn[0].image), "What?"))
    with pytest.raises(openai.BadRequestError, match="no question"):
        official.chat.completions.create(model="mini", messages=[{"role": "user", "content": " "}], stream=True)
