"""`loupe refine` shared by processes through Ray: what two of them find, one of them killed, is what one finds."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from loupe import world
from loupe.image import Image
from loupe.refining.cached import Cached
from loupe.refining.loading import load
from loupe.refining.run import Settings, run

pytest.importorskip("ray", reason="needs the extra `scale`: make test-long brings it")
pytestmark = pytest.mark.long
COUNT = 20


@pytest.fixture
def one_thread():
    """As Ray's workers have it: sums in another order differ in their last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_killed_worker_changes_nothing(tmp_path, one_thread):
    images = []
    for k, record in enumerate(world.records(COUNT, seed=11, world="mini")):
        path = tmp_path / "pictures" / f"{k:02d}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(record.image.bytes())
        images.append(Image(path=path))
    marker, parent = tmp_path / "killed", os.getpid()

    def make():  # inside the test: workers get it by value
        from loupe.refining.loading import load

        pipeline = load()
        detect = pipeline.detector.detect

        def dying(images, *rest):
            if os.getpid() != parent and not marker.exists():
                marker.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return detect(images, *rest)

        pipeline.detector.detect = dying
        return pipeline

    pipeline, settings = load(), Settings(batch=1)  # pieces of 8 pictures
    shared = run(images, tmp_path / "two", pipeline, settings, workers=2, make=make)
    alone = run(images, tmp_path / "one", pipeline, settings)
    assert marker.exists() and int(marker.read_text()) != parent, "a worker was killed"
    assert shared["counts"] == alone["counts"]
    for name in ("annotations/instances.json", "spatial.txt", "records/train.jsonl"):
        assert text(tmp_path / "two" / name) == text(tmp_path / "one" / name), name
    found = [Cached(pipeline, tmp_path / place / "cache").refine(images) for place in ("two", "one")]
    for a, b in zip(*found, strict=True):
        assert a.tags == b.tags and a.things == b.things
        assert np.array_equal(a.queries, b.queries) and np.array_equal(a.outlines, b.outlines)


def text(path: Path) -> str:
    """The file; folders' names in it are not compared."""
    return path.read_text("utf-8").replace("/two/", "/one/")
