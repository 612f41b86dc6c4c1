"""Pictures shared by processes: what two of them find, one of them killed, is what one finds."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from boot_stubs import PICTURES, SMALL, Lying, contents, folder, opened
from seeing_endpoint import seer
from stub_endpoint import served

from loupe import bootstrapping
from loupe.bootstrapping import Settings
from loupe.bootstrapping.run import Parts
from loupe.cli import main
from loupe.data import scale
from loupe.errors import ConfigError


@pytest.fixture
def data(tmp_path):
    return folder(tmp_path / "data", PICTURES)


def parts(data, log) -> Parts:
    """For a worker: a predictor that waits at its first picture until another process is at work too, and dies once, at
    the fourth picture. It opens its own reader."""
    class Dying(Lying):
        def reply(self, sample):
            with open(log, "a") as file:
                file.write(f"{os.getpid()} {sample.record}\n")
            patience = time.monotonic() + 60
            while len(processes(log)) < 2 and time.monotonic() < patience:
                time.sleep(0.02)
            if sample.record == "4" and not (log.parent / "died").exists():
                (log.parent / "died").write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return super().reply(sample)

    return Parts(Dying(), opened(data))


def processes(log) -> list[str]:
    """Who asked anything, in the order of coming."""
    return list(dict.fromkeys(line.split()[0] for line in log.read_text().splitlines()))


@pytest.fixture(scope="module")
def ray():
    """Two processors, whose workers know these tests."""
    ray = pytest.importorskip("ray", reason="needs the extra `scale`: make test-long brings it")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path])}})
    yield ray
    ray.shutdown()


@pytest.mark.long
def test_two_workers_one_killed_give_what_one_gives(data, tmp_path, ray):
    settings = Settings(least_share=0.01, together=1, shard=2, flip=True)
    bootstrapping.run(Lying(), opened(data), tmp_path / "one", settings)
    log = tmp_path / "log"
    bootstrapping.run(Lying(), opened(data), tmp_path / "two", settings, workers=2, make=partial(parts, data, log))
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    died, came = (tmp_path / "died").read_text(), processes(log)
    assert died in came[:2], "two processes were at work before one of them was killed"
    assert len(came) == 3, "a third took the place of the one that was killed"
    asked = {line.split()[1] for line in log.read_text().splitlines() if not line.startswith(f"{died} ")}
    assert "4" in asked and len(asked) > 1  # the killed one's picture, too


@pytest.mark.long
def test_the_command_with_two_workers(tmp_path, ray, monkeypatch):
    """A model behind an endpoint, 257 pictures: two shards, of which each worker takes one."""
    data = folder(tmp_path / "data", [[(20, 20, 50, 40)]] * 257)
    spread, shared = scale._spread, []

    def watched(job, items, workers, gpus):
        shared.append((tuple(items), workers, gpus))
        return spread(job, items, workers, gpus)

    monkeypatch.setattr(scale, "_spread", watched)
    with served(seer) as (url, _):
        for name, count in (("one", "1"), ("two", "2")):
            assert main(["bootstrap", "--model", f"{url}#seer", "--root", str(data), "--out", str(tmp_path / name),
                         "--workers", count, "--device", "cpu"]) == 0
    assert shared == [((0, 1), 2, 0.0)]
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert bootstrapping.read(tmp_path / "two").manifest["selection"]["kept"] == 257


def test_workers_get_their_share_of_the_gpus(data, tmp_path, monkeypatch):
    """As `loupe refine` does it: each loads the model on its own share, this process on the CPU."""
    loaded, told = [], []

    def load(name, **options):
        loaded.append(options["device"])
        return Lying()

    def run(*args, **options):
        told.append((options["workers"], options["gpus"], options["make"]().predictor.name))
        raise ConfigError("enough")

    monkeypatch.setattr("loupe.predictors.load", load)
    monkeypatch.setattr("loupe.bootstrapping.run", run)
    monkeypatch.setattr(scale, "has_ray", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    argv = ["bootstrap", "--model", "any", "--root", str(data), "--out", str(tmp_path / "out")]
    assert main([*argv, "--workers", "4"]) == main([*argv, "--device", "cuda:1"]) == 2
    assert told == [(4, 0.5, "seer"), (1, 0.0, "seer")]
    assert loaded == ["cpu", "cuda", "cuda:1", "cuda:1"]


def test_pieces_go_to_processes_with_their_gpus(data, tmp_path, monkeypatch):
    """What Ray is told of GPUs; parts that lie on the CPU do no work where workers would have GPUs."""
    told, made = [], []

    def spread(job, items, workers, gpus):
        told.append((workers, gpus))
        work = job()
        return ((item, work(item)) for item in items)

    def make() -> Parts:
        made.append(Lying())
        return Parts(made[-1], opened(data))

    monkeypatch.setattr(scale, "has_ray", lambda: True)
    monkeypatch.setattr(scale, "_spread", spread)
    given = Lying()
    bootstrapping.run(given, opened(data), tmp_path / "out", SMALL, workers=2, make=make, gpus=0.5)
    assert told == [(2, 0.5)] and len(made) == 1 and made[0].asked and not given.asked
    bootstrapping.run(given, opened(data), tmp_path / "few", replace(SMALL, shard=256), workers=2, make=make, gpus=0.5)
    assert len(told) == 1 and made[1].asked and not given.asked  # one shard: no other process
