"""One model for many callers: an API in OpenAI's shape, region endpoints, and a page."""

from __future__ import annotations

from loupe.errors import ConfigError

NEEDED = ("fastapi", "uvicorn", "multipart", "prometheus_client")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ready() -> None:
    """A ConfigError that names what is not installed."""
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError("serving needs more packages", got=f"no {', '.join(missing)}",
                          do="pip install 'loupe[serve]'")


def free(host: str, port: int) -> None:
    """A ConfigError where nobody can listen at this address."""
    import socket

    if not 0 <= port < 65536:
        raise ConfigError("there is no such port", got=port, expected="1 to 65535", where="port")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise ConfigError("cannot listen at this address", got=f"{host}, port {port}: {error.strerror}",
                              do="choose another --port or --host, or stop what listens there") from None


def application(model, **settings):
    """The ASGI application around a predictor; settings: of `loupe.serving.settings.Settings`."""
    ready()
    from loupe.serving.app import create
    from loupe.serving.host import Host
    from loupe.serving.settings import Settings

    return create(Host(model, Settings(**settings)))


def serve(model, host: str = "127.0.0.1", port: int = 8000, **settings) -> None:
    """Answers until it is stopped. Only this machine is answered unless `host` says otherwise."""
    ready()
    free(host, port)
    import uvicorn

    if host in LOOPBACK:
        settings["hosts"] = (*LOOPBACK, *settings.get("hosts", ()))
    uvicorn.run(application(model, **settings), host=host, port=port, log_level="warning", server_header=False,
                timeout_keep_alive=20, limit_concurrency=1024)


__all__ = ["application", "free", "ready", "serve"]
