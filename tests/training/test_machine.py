"""What only several processes, a scheduler or another start of the same run would show."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from loupe.data.mixture import Mixture
from loupe.errors import ConfigError
from loupe.models.tokenizer import train_tokenizer
from loupe.models.tuner import Frozen, LoRA
from loupe.training import loop, machine
from loupe.training.loop import Job, fit, updates
from loupe.training.materials import keep
from loupe.training.objective import Work
from loupe.training.recipe import Optim, Stage
from loupe.training.run import train
from loupe.training.state import Progress


@dataclass(frozen=True)
class Numbers:
    values: torch.Tensor

    def to(self, device) -> Numbers:
        return Numbers(self.values.to(device))


class Sum(nn.Module):
    terms, unit = ("sum",), "numbers"

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, numbers: Numbers):
        loss = (self.factor * numbers.values).sum()
        return loss, loss.detach()[None]


def work(groups: list) -> Work:
    return Work(Numbers(torch.tensor(groups, dtype=torch.float32)), torch.tensor([len(groups)]).double(),
                float(len(groups)), images=len(groups), drops=Counter({"odd": sum(g % 2 for g in groups)}))


def job(groups=tuple(range(12)), steps: int = 3, workers: int = 0, accelerator=None, **stage) -> Job:
    objective = Sum()
    made = Stage("s", Mixture(), Optim(0.1), **{"epochs": None, "steps": steps, "batch": 4, **stage})
    return Job(made, 0, steps, groups, work, objective, torch.optim.AdamW(objective.parameters()),
               accelerator or Accelerator(cpu=True), workers=workers, log_every=1)


@dataclass
class Two:
    """An Accelerator of two processes, the other of which does as this one, and is asked to stop behind update 2."""

    inner: Accelerator = field(default_factory=lambda: Accelerator(cpu=True))
    num_processes, process_index, is_main_process = 2, 0, True
    updates: int = 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def prepare_model(self, module):
        return module

    def reduce(self, t, how):
        self.updates += t.dim() > 0
        asked = torch.zeros_like(t)
        if t.dim() and self.updates == 2:
            asked[-2] = 1
        return 2 * t + asked


def test_all_processes_end_where_one_is_asked_to(monkeypatch):
    """And what the others left out is counted."""
    monkeypatch.setattr(loop, "gather_object", lambda mine: [*mine, Counter({"torn": 2})])
    progress, saved = Progress(stage="s"), []
    with pytest.raises(KeyboardInterrupt):
        fit(job(accelerator=Two()), progress, None, lambda due: saved.append(due))
    assert progress.step == 2 and saved == [False, True]
    assert progress.drops == {"odd": 2, "torn": 4}


def test_fewer_pictures_than_parts_are_refused():
    """The process without a part would never take part in the sum of gradients."""
    with pytest.raises(ConfigError, match="got 3 pictures, expected at least 1 processes x accumulation 4"):
        updates(job(groups=range(3), steps=1, batch=8, accumulation=4), 0)


def test_a_stop_of_the_whole_job_leaves_the_workers_to_the_main_process():
    """Schedulers signal every process of a job; a worker that died would lose what was learnt since the last save."""
    loader = iter(updates(job(groups=range(400), steps=100, workers=1), 0))
    first = next(loader)
    for worker in loader._workers:
        os.kill(worker.pid, signal.SIGTERM)
    rest = [works[0].batch.values.tolist() for works in loader]
    assert first[0].batch.values.tolist() == [0, 1, 2, 3] and len(rest) == 99 and rest[-1] == [396, 397, 398, 399]


def test_what_accelerate_was_configured_to_does_not_change_a_run(monkeypatch):
    AcceleratorState._reset_state(True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert machine.accelerator("cpu").mixed_precision == "no"
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match="not cut up.*ACCELERATE_USE_FSDP"):
        machine.accelerator("cpu")


def test_one_of_several_gpus(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    machine.accelerator("cuda:3")
    assert chosen == [3]
    with pytest.raises(ConfigError, match="no such device"):
        machine.accelerator("cuda:8")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="a GPU of its own.*cuda:3"):
        machine.accelerator("cuda:3")


def test_on_a_mac_the_processor_trains(monkeypatch):
    """Sums of losses are float64, which Apple's GPU does not have."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert machine.accelerator().device.type == "cpu"
    with pytest.raises(ConfigError, match="float64"):
        machine.accelerator("mps")


def test_two_processes_keep_one_tokenizer(tmp_path):
    """Both learn it when neither has found it; both go on with the one that was kept."""
    first, second = (train_tokenizer([words] * 4, 300, ["<s>"]) for words in ("red cup on a plate", "blue box by me"))
    assert keep(first, tmp_path / "words").get_vocab() == first.get_vocab()
    assert keep(second, tmp_path / "words").get_vocab() == first.get_vocab()
    assert [p.name for p in tmp_path.iterdir()] == ["words"]


def test_lora_begins_alike_in_every_start(small, data, tmp_path):
    tuned = replace(small.stages[0], tune=replace(small.stages[0].tune, vision=Frozen(), language=LoRA(2)), steps=2)
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        run = train(replace(small, stages=(tuned,)), tmp_path / str(seed), data, device="cpu", workers=0, log_every=1)
        runs.append([line["loss"] for line in run.metrics])
    assert runs[0] == runs[1]
