"""A server on loopback with the shipped miniature."""

import threading
import time

import pytest

pytest.importorskip("fastapi", reason="needs loupe[serve]")
pytest.importorskip("uvicorn", reason="needs loupe[serve]")


class Running:
    """An application behind uvicorn, in a thread."""

    def __init__(self, app):
        import uvicorn

        self.app, self.host = app, app.state.host
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + 20
        while not self.server.started and time.monotonic() < until:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def client(self, **options):
        import httpx

        return httpx.Client(base_url=self.url, timeout=60, **options)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(20)


@pytest.fixture(scope="session")
def mini():
    import loupe

    return loupe.load("mini")


@pytest.fixture(scope="session")
def drawn():
    from loupe.world import records

    return list(records(4, 11, "val", size=96, world="mini"))


@pytest.fixture(scope="session")
def running():
    """Makes servers of applications; all are stopped at the end."""
    made = []

    def make(app) -> Running:
        made.append(Running(app))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture(scope="session")
def server(mini, running):
    from loupe.serving import application

    return running(application(mini))


@pytest.fixture(scope="session")
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def uploaded(client, drawn):
    """"loupe:<id>" of each drawn picture."""
    out = []
    for record in drawn:
        reply = client.post("/v1/images", files={"file": ("a.png", record.image.bytes())})
        assert reply.status_code == 200, reply.text
        out.append("loupe:" + reply.json()["id"])
    return out


@pytest.fixture(scope="module")
def browser():
    """A browser without a window; skips where there is none."""
    from tests.serving.visitor import launched

    playwright, browser = launched()
    yield browser
    browser.close()
    playwright.stop()  # its event loop would stand in the way of other modules' loops


@pytest.fixture
def standin():
    """A server of fixed answers with the page."""
    from tests.serving.standin import Standin

    with Standin() as server:
        yield server
