"""Pictures of the judging world for the tests of tasks."""

import pytest

from loupe import world


@pytest.fixture(scope="session")
def pictures():
    return list(world.records(40, seed=11, split="val", world="mini"))
