"""Curves over noise by hand; a judge that is asked once per answer and may misbehave."""

from types import SimpleNamespace

import pytest

from loupe.cli.jitter import amounts_of, together
from loupe.errors import ConfigError
from loupe.evals.jitter import curves, lines
from loupe.evals.metrics.figures import Figure, Scores
from loupe.evals.predictions import Prediction
from loupe.sample import Answer


def result(name, value, count=10):
    scores = Scores("classes", count, (Figure("accuracy", value, count=count), Figure("AP", value / 2, count=count)))
    return SimpleNamespace(benchmark=name, count=count, scores=scores)


def test_curves_by_hand():
    found = curves([result("a", 0.8), result("a~0.1-0", 0.7), result("a~0.1-1", 0.5), result("a~0.3-0", 0.4)],
                   ("accuracy", "AP"))
    assert list(found) == ["a: accuracy", "a: AP"]
    spots = found["a: accuracy"]
    assert [(s.amount, s.mean) for s in spots] == [(0.0, 0.8), (0.1, pytest.approx(0.6)), (0.3, 0.4)]
    assert spots[1].spread == pytest.approx(0.2 / 2**0.5) and spots[2].spread == 0
    assert lines(found)[2] == ("a: accuracy", "0.1", "60.0", "14.1", "2", "75.0%", "10")


def test_boxes_and_points_stand_in_one_chart():
    found = curves([result("a", 0.8), result("a~0.1-0", 0.6), result("a-points", 0.5), result("a-points~0.1-0", 0.4)],
                   ("accuracy", "AP"))
    assert together(found) == {"accuracy": {"a": [(0, 0.8), (0.1, 0.6)], "a-points": [(0, 0.5), (0.1, 0.4)]},
                               "AP": {"a": [(0, 0.4), (0.1, 0.3)], "a-points": [(0, 0.25), (0.1, 0.2)]}}


def test_amounts():
    assert amounts_of("0.3,0.1") == (0.0, 0.1, 0.3)
    for wrong in ("x", "2", "-0.1", ""):
        with pytest.raises(ConfigError):
            amounts_of(wrong)


def answers():
    return [Prediction(f"q{k}", ("Why?",), "rain", Answer((text,) if text else ()), (), {})
            for k, text in enumerate(("rain", "sun", "snow", ""))]


def test_verdicts_are_paid_once(tmp_path):
    pytest.importorskip("httpx", reason="endpoints need httpx")
    from loupe.endpoint import EndpointError, Settings
    from loupe.evals.judge import judge
    from tests.endpoint.stub_server import served

    def script(number, request):
        text = request["messages"][1]["content"]
        if "snow" in text:
            return "I would rather not say."
        if number == 1:
            return {"status": 500}
        again = len(request["messages"]) > 2
        return "1.0" if "Answer: rain" in text else "0.2" if again else "between 0.1 and 0.3"

    with served(script) as stub:
        settings = Settings(stub.url, "m", pause=0.01, concurrency=1)
        first = judge(answers(), settings, tmp_path / "v.sqlite", tmp_path / "l.jsonl")
        assert first.grades == {"q0": 1.0, "q1": 0.2, "q3": 0.0} and first.missing == {"no grade in the reply": 1}
        seen = len(stub.requests)
        again = judge(answers(), settings, tmp_path / "v.sqlite", tmp_path / "l.jsonl")
        assert len(stub.requests) == seen and again.grades == first.grades
        assert again.about["judge"] == "m" and again.about["replies paid"] == first.about["replies paid"] == 5
    assert "picture" not in str(stub.requests[0]["messages"][1]) and "image_url" not in str(stub.requests)
    with served(lambda n, r: "no idea") as mute, pytest.raises(EndpointError, match="no verdict.*2 x no grade"):
        judge(answers()[:2], Settings(mute.url, "n", pause=0.01), tmp_path / "w.sqlite")
