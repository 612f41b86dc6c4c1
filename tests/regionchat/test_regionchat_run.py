"""Runs against a server that misbehaves: everything is counted, nothing is paid twice, a stop loses nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

pytest.importorskip("httpx", reason="endpoints need httpx")

from loupe.cli import main
from loupe.endpoint import Budget, EndpointError
from loupe.endpoint import Settings as Endpoint
from loupe.errors import ConfigError, FileError
from loupe.readers.records import Records
from loupe.regionchat import Bounds, Settings, run
from loupe.sample import Regions
from loupe.tasks import task
from loupe.writers.records import write_records
from tests.endpoint.stub_server import served
from tests.handmade import kitchen
from tests.regionchat.talks import listing_of, reply

PICTURES = 6


@pytest.fixture
def reader(tmp_path):
    """Six pictures of one scene; the fourth has no object, the fifth does not decode once it is asked for."""
    records = []
    for k in range(PICTURES):
        made = kitchen(id=str(k), dialogues=(), captions=(f"Kitchen number {k}.",), phrases=())
        records.append(replace(made, objects=(), relations=()) if k == 3 else made)
    write_records(records, tmp_path / "data")
    return Records(tmp_path / "data", "train")


def model(**more):
    return Settings(model="m", bounds=Bounds(1, 4), once=False, **more)


def at(stub, **more):
    return Endpoint(stub.url, "m", **{"pause": 0.01, "timeout": 2.0, "concurrency": 2, **more})


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_dialogues_are_tied_to_their_boxes(reader, tmp_path):
    with served(lambda n, r: reply(r)) as stub:
        made = run(reader, tmp_path / "out", model(), at(stub))
        assert len(stub.requests) == PICTURES - 1
    system, *_, last = stub.requests[0]["messages"]
    assert system["role"] == "system" and "JSON" in system["content"] and "<r1>: cup" in last["content"]
    assert all(isinstance(m["content"], str) and "base64" not in m["content"] for m in stub.requests[0]["messages"])
    counts = made.manifest["counts"]
    assert counts["dialogues written"] == 5 and counts["pictures passed over"] == {"no region": 1}
    assert made.manifest["ledger"]["replies paid"] == 5 and not made.stopped
    written = Records(tmp_path / "out" / "records", "train")
    assert [r.id for r in written] == ["0", "1", "2", "4", "5"]
    sample = task("dialogue")(written[0], np.random.default_rng(0))
    box = written[0].objects[0].box
    assert sample.turns[0].parts == ("What is ", Regions((box,)), "?")
    assert [t.role for t in sample.turns] == ["user", "assistant"] * 2 and written[0].objects == reader[0].objects


def test_what_fails_is_told_why_and_asked_once_more(reader, tmp_path):
    def script(number, request):
        picture = int(listing_of(request).split("number ")[1][0])
        again = len([m for m in request["messages"] if m["role"] == "assistant"]) > 3
        first = {0: reply(request, handle="<r77>"), 1: '{"dialogues": [[{"user": "What', 2: "I would rather not.",
                 4: reply(request, extra=" It lies at [3, 4, 5, 6]."), 5: reply(request)}[picture]
        return reply(request) if again and picture != 2 else first

    with served(script) as stub:
        made = run(reader, tmp_path / "out", model(), at(stub))
        told = {listing_of(r).split("number ")[1][0]: r["messages"][-1]["content"] for r in stub.requests}
    counts = made.manifest["counts"]
    assert counts["failed at first"] == {"unknown region": 1, "cut short": 1, "not JSON": 1, "coordinates": 1}
    assert counts["failed again"] == {"not JSON": 1} and counts["dialogues lost after two tries"] == 1
    assert counts["dialogues written"] == 4 and len(stub.requests) == 9
    assert "unknown region: '<r77>'" in told["0"] and "cup" not in told["0"]  # never what would be right


def test_time_outs_and_refusals_are_survived(reader, tmp_path):
    bad = iter([{"status": 429}, {"text": "late", "wait": 0.9}, {"status": 500}, {"body": b'{"choi'}, {"status": 503}])
    with served(lambda n, r: next(bad, None) or reply(r)) as stub:
        made = run(reader, tmp_path / "out", model(), at(stub, timeout=0.4, concurrency=1))
    assert made.manifest["counts"]["dialogues written"] == 5
    assert made.manifest["ledger"]["troubles"] == {"status 429": 1, "time-out": 1, "status 500": 1, "broken JSON": 1,
                                                   "status 503": 1}


def test_a_rerun_costs_nothing(reader, tmp_path):
    with served(lambda n, r: reply(r)) as stub:
        first = run(reader, tmp_path / "out", model(), at(stub))
        again = run(reader, tmp_path / "out", model(), at(stub))
        (tmp_path / "out" / "outcomes.jsonl").unlink()  # asked anew, answered by the cache
        third = run(reader, tmp_path / "out", model(), at(stub))
        assert len(stub.requests) == 5
        other = run(reader, tmp_path / "other", model(), at(stub), cache=tmp_path / "out" / "cache.sqlite")
        assert len(stub.requests) == 5 and other.manifest["ledger"]["replies from the cache"] == 5
    assert first.manifest["counts"] == again.manifest["counts"] == third.manifest["counts"]
    assert third.manifest["ledger"]["replies paid"] == 5


def test_a_killed_run_goes_on(reader, tmp_path):
    whole = tmp_path / "whole"
    with served(lambda n, r: reply(r)) as stub:
        run(reader, whole, model(), at(stub, concurrency=1))
        out = tmp_path / "out"
        run(reader, out, model(), at(stub, concurrency=1), limit=3)
        with (out / "outcomes.jsonl").open("a") as file:
            file.write('{"index": 3, "reco')  # torn by a kill
        (out / "manifest.json").unlink()
        seen = len(stub.requests)
        run(reader, out, model(), at(stub, concurrency=1))
        assert len(stub.requests) == seen + 2
    assert (out / "records" / "train.jsonl").read_bytes() == (whole / "records" / "train.jsonl").read_bytes()


def test_the_budget_stops_cleanly(reader, tmp_path):
    with served(lambda n, r: {"text": reply(r), "usage": {"prompt_tokens": 900, "completion_tokens": 10}}) as stub:
        out = tmp_path / "out"
        made = run(reader, out, model(answer=20), at(stub, concurrency=1), budget=Budget(1.0, 1.0, money=0.0025))
        assert "budget is spent" in made.stopped and 0 < made.manifest["ledger"]["cost"] <= 0.0025
        done = made.manifest["counts"]["pictures"]
        assert 0 < len(stub.requests) < 5 and made.manifest["pictures not asked about"] == PICTURES - done
        assert len(Records(out / "records", "train")) == made.manifest["counts"]["dialogues written"] > 0
        more = run(reader, out, model(answer=20), at(stub), budget=Budget(1.0, 1.0, money=1.0))
        assert len(stub.requests) == 5 and more.manifest["counts"]["dialogues written"] == 5 and not more.stopped


def test_an_endpoint_that_is_not_there(reader, tmp_path):
    with served(lambda n, r: {"status": 401, "body": b"who are you"}) as stub:
        with pytest.raises(EndpointError, match="LOUPE_API_KEY"):
            run(reader, tmp_path / "out", model(), at(stub, concurrency=1))
        assert len(stub.requests) <= 2
    with served(lambda n, r: reply(r)) as stub:  # the same folder, mended
        assert run(reader, tmp_path / "out", model(), at(stub)).manifest["counts"]["dialogues written"] == 5
    with served(lambda n, r: {"status": 500} if "number 1" in listing_of(r) else reply(r)) as stub:
        made = run(reader, tmp_path / "later", model(), at(stub, tries=2))
        assert "status 500, 2 times" in made.refused and not made.stopped
        assert made.manifest["pictures not asked about"] == 1
        assert made.manifest["ledger"]["troubles"] == {"status 500": 2, "picture left for later": 1}


def test_words_that_stood_elsewhere_are_left_out(reader, tmp_path):
    with served(lambda n, r: reply(r)) as stub:
        made = run(reader, tmp_path / "out", replace(model(), once=True), at(stub))
    assert made.manifest["counts"]["dialogues written"] == 1
    assert made.manifest["counts"]["left out of the records"] == {"dialogue repeated": 4}


def test_several_dialogues_of_a_picture(reader, tmp_path):
    def script(number, request):  # twice the same: one is a repeat, and one more is asked for
        one = json.loads(reply(request))["dialogues"][0]
        other = [{"user": "Who is <r4>?", "assistant": "That is a man."}]
        again = "Write 1 conversation" in request["messages"][-1]["content"]
        return json.dumps({"dialogues": [other] if again else [one, one]})

    with served(script) as stub:
        made = run(reader, tmp_path / "out", model(count=2), at(stub), limit=1)
    assert made.manifest["counts"]["failed at first"] == {"dialogue repeated": 1}
    record = Records(tmp_path / "out" / "records", "train")[0]
    assert [d.id for d in record.dialogues] == ["0-r0", "0-r1"] and record.dialogues[1].texts[0] == "Who is <r4>?"


def test_a_folder_of_another_run(reader, tmp_path):
    out = tmp_path / "out"
    run(reader, out, Settings("grammar"))
    with pytest.raises(ConfigError, match="other settings"):
        run(reader, out, Settings("grammar", count=2))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(FileError):
        run(reader, tmp_path / "full", Settings("grammar"))
    with pytest.raises(ConfigError):
        run(reader, tmp_path / "none", model())


def test_rules_need_no_endpoint(reader, tmp_path, capsys):
    root, out = str(reader.root), tmp_path / "out"
    assert main(["regionchat", "--reader", "records", "--root", root, "--out", str(out), "--writer", "grammar"]) == 0
    assert "5 dialogues of 6 pictures" in capsys.readouterr().out
    assert json.loads((out / "manifest.json").read_text())["counts"]["pictures passed over"] == {
        "too little is annotated": 1}
    before = (out / "records" / "train.jsonl").read_bytes()
    assert main(["regionchat", "--reader", "records", "--root", root, "--out", str(out), "--writer", "grammar"]) == 0
    assert (out / "records" / "train.jsonl").read_bytes() == before


@pytest.mark.parametrize("extra, said", [
    ([], "no endpoint is named"), (["--endpoint", "nowhere", "--model", "m"], "no endpoint"),
    (["--writer", "monkey"], "unknown writer"), (["--writer", "grammar", "--turns", "a-b"], "--turns"),
    (["--writer", "grammar", "--price", "x"], "no prices"), (["--writer", "grammar", "--budget", "2"], "needs prices"),
    (["--writer", "grammar", "--seeds", "none"], "seed examples"),
])
def test_wrong_input_is_one_line(extra, said, reader, tmp_path, capsys):
    code = main(["regionchat", "--reader", "records", "--root", str(reader.root), "--out", str(tmp_path / "o"), *extra])
    error = capsys.readouterr().err
    assert code == 2 and said in error and error.count("\n") == 1


def test_the_page_shows_dialogues_and_reasons(reader, tmp_path):
    with served(lambda n, r: reply(r, extra=" It lies at [3, 4]." if n == 1 else "")) as stub:
        out = run(reader, tmp_path / "out", model(), at(stub, concurrency=1)).path
    said = (out / "dialogues.html").read_text("utf-8")
    assert said.count("<article") == 5 and said.count("data:image/png") == 5 and "coordinates" in said
    assert '<button type="button" class="chip is-asked" data-r="r1"' in said and "&lt;r1&gt;" not in said
    assert "no region" in said and "110 + 10" not in said and "600 + 60 tokens" in said
    before = (out / "dialogues.html").read_bytes()
    with served(lambda n, r: "never asked") as stub:
        run(reader, out, model(), at(stub))
    assert (out / "dialogues.html").read_bytes() == before and not stub.requests


def test_annotations_are_enough(reader, tmp_path, capsys):
    for picture in (reader.root / "images").iterdir():
        picture.unlink()
    asked = ["regionchat", "--reader", "records", "--root", str(reader.root), "--writer", "grammar"]
    assert main([*asked, "--out", str(tmp_path / "a")]) == 2 and "pictures was found" in capsys.readouterr().err
    assert main([*asked, "--out", str(tmp_path / "b"), "--no-pictures"]) == 0
    assert "The picture is not there." in (tmp_path / "b/dialogues.html").read_text("utf-8")
    assert len(Records(tmp_path / "b/records", "train", missing="keep")) == 5


def test_pictures_that_do_not_decode(tmp_path):
    """Their size stands in the file, so they are told of all the same."""
    write_records([kitchen(id="1")], tmp_path / "data")
    picture = next((tmp_path / "data").rglob("*.png"), None) or next((tmp_path / "data" / "images").iterdir())
    assert Pillow.open(picture).size == (100, 100)
    picture.write_bytes(b"broken")
    made = run(Records(tmp_path / "data", "train"), tmp_path / "out", Settings("grammar"))
    assert made.manifest["counts"]["dialogues written"] == 1
