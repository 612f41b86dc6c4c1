"""An address nobody can listen at is said before a model is loaded."""

import socket

import pytest

from loupe import cli, serving
from loupe.errors import ConfigError


def test_a_port_that_is_taken(monkeypatch, capsys):
    monkeypatch.setattr("loupe.predictors.load", lambda *args, **options: pytest.fail("a model was loaded"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert cli.main(["serve", "mini", "--port", str(port)]) == 2
    assert f"127.0.0.1, port {port}: Address already in use" in capsys.readouterr().err
    serving.free("127.0.0.1", port)  # given back


@pytest.mark.parametrize("host, port, says", [("127.0.0.1", 70000, "no such port: got 70000"),
                                              ("127.0.0.1", -1, "no such port"),
                                              ("no such host", 0, "cannot listen at this address")])
def test_an_address_that_is_none(host, port, says):
    with pytest.raises(ConfigError, match=says):
        serving.free(host, port)
