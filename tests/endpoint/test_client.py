"""One request after another: limits, refusals, money, and what is never asked twice."""

import asyncio
import json
import time

import pytest

pytest.importorskip("httpx", reason="endpoints need httpx")

from loupe.endpoint import Budget, Cache, Client, EndpointError, Ledger, Settings, Spent
from loupe.endpoint.client import retry_after
from loupe.errors import ConfigError, FileError
from tests.endpoint.stub_server import served


def request(text="hello", **more):
    return {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 20, **more}


def asked(stub, requests, cache=None, ledger=None, together=False, **settings):
    """Replies, or the errors in their place."""
    settings = Settings(stub.url, "m", **{"pause": 0.01, "timeout": 5.0, **settings})

    async def work():
        async with Client(settings, cache, ledger) as client:
            if together:
                return await asyncio.gather(*map(client.ask, requests), return_exceptions=True)
            out = []
            for each in requests:
                try:
                    out.append(await client.ask(each))
                except (EndpointError, Spent) as error:
                    out.append(error)
            return out

    return asyncio.run(work())


def test_a_plain_reply_is_paid_and_kept(tmp_path):
    cache, ledger = Cache(tmp_path / "c.sqlite"), Ledger(tmp_path / "l.jsonl", Budget(1.0, 10.0))
    with served(lambda n, r: "hi") as stub:
        first, again = asked(stub, [request(), request()], cache, ledger)
        assert (first.text, first.cached, again.text, again.cached) == ("hi", False, "hi", True)
        assert len(stub.requests) == 1 and ledger.cached == 1
    assert ledger.cost == pytest.approx((100 * 1 + 10 * 10) / 1e6)
    known = Ledger(tmp_path / "l.jsonl", Budget(1.0, 10.0))  # another process
    assert (known.prompt, known.answer, known.paid) == (100, 10, 1)
    assert Cache(tmp_path / "c.sqlite").get("nothing") is None


@pytest.mark.parametrize("bad, kind", [
    ({"status": 500}, "status 500"), ({"status": 429}, "status 429"), ({"status": 503}, "status 503"),
    ({"body": b'{"choices": [{"mess'}, "broken JSON"), ({"body": b'{"choices": []}'}, "no choice in the reply"),
    ({"body": b"[]"}, "no choice in the reply"), ({"text": "late", "wait": 0.6}, "time-out"),
    ({"body": b'{"choices": [{"message": {"content": null}}]}'}, "no choice in the reply"),
])
def test_it_tries_again(bad, kind):
    ledger = Ledger()
    with served(lambda n, r: bad if n < 3 else "good") as stub:
        (reply,) = asked(stub, [request()], ledger=ledger, timeout=0.3 if "wait" in bad else 30.0)
    unread = 2 * (kind in ("broken JSON", "no choice in the reply"))  # written and paid for, if never counted
    assert reply.text == "good" and dict(ledger.troubles) == {kind: 2}
    assert (ledger.paid, ledger.guessed) == (1 + unread, unread)


def test_it_gives_up_and_says_why():
    with served(lambda n, r: {"status": 500}) as stub:
        (error,) = asked(stub, [request()], tries=3)
        assert len(stub.requests) == 3
    assert isinstance(error, EndpointError) and not error.final and "status 500, 3 times" in str(error)


def test_nobody_is_there():
    with served(lambda n, r: "x") as stub:
        pass
    errors = asked(stub, [request(str(k)) for k in range(20)], tries=1)
    assert [e.final for e in errors] == [False] * 19 + [True]


@pytest.mark.parametrize("status, final", [(401, True), (403, True), (404, True), (400, False), (422, False)])
def test_refusals_for_good_are_not_repeated(status, final):
    with served(lambda n, r: {"status": status, "body": b"no"}) as stub:
        (error,) = asked(stub, [request()], ledger=(ledger := Ledger()))
        assert len(stub.requests) == 1
    assert error.final is final and f"status {status}" in str(error) and ledger.troubles == {f"status {status}": 1}


def test_the_key_is_sent_and_shown_nowhere(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sesame")
    with served(lambda n, r: {"status": 401, "body": b"no"}) as stub:
        (error,) = asked(stub, [request()], key="MY_KEY")
        assert stub.keys == ["Bearer sesame"]
    assert "sesame" not in str(error) and "MY_KEY" in str(error)


def test_no_more_at_once_than_told():
    with served(lambda n, r: {"text": "x", "wait": 0.05}) as stub:
        asked(stub, [request(str(k)) for k in range(9)], together=True, concurrency=3)
        assert stub.most == 3 and len(stub.requests) == 9


def test_no_faster_than_told():
    with served(lambda n, r: "x") as stub:
        asked(stub, [request(str(k)) for k in range(4)], together=True, per_minute=600)
        gaps = [b - a for a, b in zip(sorted(stub.times), sorted(stub.times)[1:])]
    assert sum(gaps) >= 0.27 and min(gaps) > 0.03  # 0.1 s apart


def test_retry_after_holds_everybody():
    with served(lambda n, r: {"status": 429, "headers": {"retry-after": "0.4"}} if n == 1 else "x") as stub:
        begun = time.monotonic()
        asked(stub, [request("a"), request("b")], together=True, concurrency=1)
        assert time.monotonic() - begun >= 0.4 and len(stub.requests) == 3
    assert retry_after("7", 60) == 7 and retry_after("900", 60) == 60 and retry_after("", 60) is None
    assert retry_after("soon", 60) is None and retry_after("nan", 60) is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 60) == 0.0


def test_the_same_request_at_once_is_paid_once():
    with served(lambda n, r: {"text": "x", "wait": 0.05}) as stub:
        replies = asked(stub, [request()] * 5, together=True)
        assert len(stub.requests) == 1 and {r.text for r in replies} == {"x"}


def test_many_at_once_after_a_failure_still_end():
    with served(lambda n, r: {"status": 400, "body": b"no"}) as stub:
        errors = asked(stub, [request()] * 4, together=True)
    assert all(isinstance(e, EndpointError) for e in errors)


def test_the_budget_is_never_passed(tmp_path):
    """A request may need 1 + 20 tokens and needs 110: of 230 tokens two are paid, the third would be too much."""
    ledger = Ledger(tmp_path / "l.jsonl", Budget(tokens=230))
    with served(lambda n, r: "x") as stub:
        out = asked(stub, [request(str(k)) for k in range(5)], ledger=ledger)
    assert [isinstance(r, Spent) for r in out] == [False, False, True, True, True] and ledger.paid == 2
    learnt = Ledger(budget=Budget(tokens=320))  # twice 110 and 21, but a prompt has 100 tokens here, not 1
    with served(lambda n, r: "x") as stub:
        asked(stub, [request(str(k)) for k in range(5)], ledger=learnt)
    assert (learnt.paid, learnt.factor) == (2, 100.0)
    again = Ledger(tmp_path / "l.jsonl", Budget(tokens=340))  # another process knows it from the file
    with served(lambda n, r: "x") as stub:
        assert asked(stub, [request("z")], ledger=again)[0].text == "x" and again.paid == 3
        assert isinstance(asked(stub, [request("y")], ledger=again)[0], Spent) and len(stub.requests) == 1
    money = Ledger(budget=Budget(1e6, 1e6, money=15.0))
    with served(lambda n, r: "x") as stub:  # 2 + 20 tokens at one each are more than 15
        assert isinstance(asked(stub, [request()], ledger=money)[0], Spent) and not stub.requests
    together = Ledger(budget=Budget(tokens=50))  # two may begin, whatever comes back
    with served(lambda n, r: {"text": "x", "wait": 0.05}) as stub:
        asked(stub, [request(str(k)) for k in range(6)], ledger=together, together=True, concurrency=6)
        assert len(stub.requests) == 2


def test_tokens_are_guessed_where_the_server_does_not_count():
    ledger = Ledger()
    with served(lambda n, r: {"text": "four four", "usage": None}) as stub:
        (reply,) = asked(stub, [request("x" * 40)], ledger=ledger)
    assert (reply.prompt_tokens, reply.answer_tokens, reply.counted, ledger.guessed) == (11, 3, False, 1)


def test_torn_and_broken_ledgers(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"key": "a", "prompt": 5, "answer": 6, "counted": true}\n{"key": "b", "pro')
    assert (Ledger(path).prompt, path.read_text().count("\n")) == (5, 1)
    path.write_text("nonsense\n")
    with pytest.raises(FileError, match="l.jsonl:1"):
        Ledger(path)
    (tmp_path / "c.sqlite").write_text("this is no data base, it is much too much text for that" * 20)
    with pytest.raises(FileError, match="cache"):
        Cache(tmp_path / "c.sqlite").get("x")


@pytest.mark.parametrize("change", [{"url": "nowhere"}, {"url": "ftp://x/v1"}, {"model": ""}, {"concurrency": 0},
                                    {"tries": 0}, {"timeout": 0}])
def test_settings_that_cannot_be(change):
    with pytest.raises(ConfigError):
        Settings(**{"url": "http://h/v1", "model": "m", **change})


def test_budgets_that_cannot_be():
    for wrong in ({"money": 1.0}, {"tokens": -1}, {"prompt_price": float("nan")}):
        with pytest.raises(ConfigError):
            Budget(**wrong)


NEW = {"max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                     "'max_completion_tokens' instead.",
       "temperature": "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) "
                      "value is supported.",
       "seed": "seed: extra inputs are not permitted"}


def picky(*names):
    """A model that refuses these settings, one at a time."""
    def script(number, request):
        for name in names:
            if name in request:
                return {"status": 400, "body": json.dumps({"error": {"message": NEW[name], "param": name}}).encode()}
        return "hi"
    return script


def test_settings_a_newer_model_refuses_are_sent_otherwise(capsys):
    """Each is refused once, told once, and asked for no more; the request keeps its name in the cache."""
    asks = [request(str(k), temperature=0.0, seed=5) for k in range(3)]
    cache, ledger = Cache(), Ledger()
    with served(picky("max_tokens", "temperature", "seed")) as stub:
        replies = asked(stub, [*asks, asks[0]], cache, ledger, tries=1)
        assert [r.text for r in replies] == ["hi"] * 4 and replies[3].cached
        assert len(stub.requests) == 3 + 3 and not ledger.troubles
        assert stub.requests[-1] == {"model": "m", "messages": asks[2]["messages"], "max_completion_tokens": 20}
    told = capsys.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in told] == ["m refuses max_tokens", "m refuses temperature", "m refuses seed"]
    assert "differ from time to time" in told[1]


def test_many_at_once_find_out_together(capsys):
    with served(picky("max_tokens", "temperature")) as stub:
        replies = asked(stub, [request(str(k), temperature=0.0) for k in range(8)], together=True, concurrency=8)
        assert [r.text for r in replies] == ["hi"] * 8 and len(stub.requests) <= 3 * 8
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("said", [
    "temperature must be between 0 and 2", "max_tokens is too large: 20. This model supports at most 4 tokens",
    "'max_tokens' or 'max_completion_tokens' is too large: 20. The context length is 8 tokens, the request has 6",
    "unknown parameter: seeds", "'response_format' is not supported", "max_completion_tokens is not supported"])
def test_a_wrong_value_is_still_told(said, capsys):
    """max_completion_tokens that is refused, too, ends it: nothing is sent for ever."""
    with served(lambda n, r: {"status": 400, "body": said.encode()}) as stub:
        (error,) = asked(stub, [request(temperature=3.0, seed=1)])
        assert len(stub.requests) == 1 + said.startswith("max_completion")
    assert isinstance(error, EndpointError) and said[1:40] in str(error)
    assert ("refuses" in capsys.readouterr().err) == said.startswith("max_completion")


def test_a_model_that_thought_to_its_limit_is_not_asked_again():
    body = b'{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}'
    with served(lambda n, r: {"body": body}) as stub:
        (reply,) = asked(stub, [request()])
        assert (reply.text, reply.finish, len(stub.requests)) == ("", "length", 1)
