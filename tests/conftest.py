"""Fixtures every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("loupe", deadline=None)  # a busy machine is no failure
settings.load_profile("loupe")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real records and photos beside the checkout; tests that need them skip where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no folder of real records beside this checkout")
    return folder


@pytest.fixture(scope="session")
def standin_parts(tmp_path_factory) -> Path:
    """A folder like loupe/miniature with tiny parts; leave it as it is."""
    import standins

    return standins.write(tmp_path_factory.mktemp("miniature"))


@pytest.fixture
def carried(standin_parts, monkeypatch) -> Path:
    """The package carries the stand-ins."""
    monkeypatch.setattr("loupe.shipped.home", lambda: standin_parts)
    return standin_parts
