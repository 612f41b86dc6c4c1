"""The OpenAPI document: complete, and nothing it allows brings the server down."""

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from hypothesis.strategies import booleans  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance  # noqa: E402


@pytest.fixture(scope="module")
def document(server):
    return schemathesis.openapi.from_url(server.url + "/openapi.json")


OPERATIONS = [("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("POST", "/v1/images"),
              ("GET", "/v1/images/{id}"),
              ("POST", "/v1/regions/describe"), ("POST", "/v1/regions/locate"), ("POST", "/v1/regions/segment"),
              ("POST", "/v1/regions/pixels"), ("POST", "/v1/regions/ask"), ("GET", "/health"), ("GET", "/metrics"),
              ("GET", "/samples"), ("GET", "/samples/{name}")]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("method,path", OPERATIONS)
def test_no_request_of_the_document_is_a_server_error(document, uploaded, method, path, mode):
    operation = document[path][method]

    @settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), real=booleans())
    def asked(case, real):
        if real and isinstance(case.body, dict) and isinstance(case.body.get("image"), str):
            case.body["image"] = uploaded[0]  # beyond "there is no such picture"
            case.body |= {name: 4 for name in ("grid", "size") if name in case.body}
        case.call_and_validate(checks=[not_a_server_error, status_code_conformance, response_schema_conformance],
                               timeout=30)

    try:
        asked()
    except Unsatisfiable:
        pytest.skip("nothing about it can be wrong")


def test_the_document_is_complete(client):
    document = client.get("/openapi.json").json()
    assert {(m.upper(), path) for path, methods in document["paths"].items() for m in methods} == set(OPERATIONS)
    for path, methods in document["paths"].items():
        for name, method in methods.items():
            assert method["summary"], path
            assert "422" not in method["responses"], f"{name} {path}"
    asked = document["components"]["schemas"]["ChatRequest"]["properties"]
    assert {"messages", "stream", "model", "max_tokens"} <= set(asked)
    assert "Chunk" in document["components"]["schemas"]


def test_figures(client, uploaded):
    client.post("/v1/regions/locate", json={"image": uploaded[0], "phrase": "the circle"})
    text = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['loupe_requests_total{route="/v1/regions/locate",status="200"}']) >= 1
    assert float(lines['loupe_questions_total{desk="questions",end="answered"}']) >= 1
    assert float(lines["loupe_tokens_total"]) > 0 and float(lines['loupe_kept_bytes{what="looks"}']) > 0
    assert float(lines['loupe_waiting{desk="questions"}']) == 0
