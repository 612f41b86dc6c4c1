"""The one training loop. A stage is a number of updates; update k of a seed is the same wherever and whenever it runs.

The loss of an update is the sum over all answer tokens of the global batch divided by their number, whatever the
packing, the accumulation and the number of processes.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from loupe.errors import ConfigError, LoupeError
from loupe.training import journal as metrics
from loupe.training.journal import Journal
from loupe.training.objective import Work
from loupe.training.optim import rate
from loupe.training.recipe import Stage
from loupe.training.sharding import whole
from loupe.training.state import Progress

NAMED = 8  # sample ids an error lists


class TrainingError(LoupeError):
    """Training cannot go on: a loss or gradient is not finite."""


@dataclass
class Job:
    """One stage with everything built."""

    stage: Stage
    seed: int
    steps: int
    groups: object  # Sequence: groups[i] is one picture with its pairs; index order is training order
    work: Callable[[list], Work]
    objective: nn.Module
    optimiser: torch.optim.Optimizer
    accelerator: Accelerator
    precision: str = "float32"  # or "bf16": what stage.precision means here
    workers: int = 1
    log_every: int = 10
    sharded: nn.Module | None = None  # the objective cut up; None: every process has it whole


def precision(wish: str, device: torch.device) -> str:
    """What "auto" means on this machine: bf16 on accelerators, and on processors that multiply it faster."""
    if wish != "auto":
        return wish
    if device.type != "cpu":
        return "bf16"
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(512, 256, dtype=dtype), torch.ones(256, 256, dtype=dtype)
        times = []
        for _ in range(4):
            start = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - start)
        seconds[dtype] = min(times)
    return "bf16" if seconds[torch.bfloat16] < 0.7 * seconds[torch.float32] else "float32"


class Updates(Dataset):
    """Update number -> the Work of this process, one for each accumulated part. Wrong input is returned, not raised,
    so that it crosses the border of a worker as it is."""

    def __init__(self, groups, work, images: int, parts: int, mine: range):
        self.groups, self.work, self.images, self.parts, self.mine = groups, work, images, parts, mine

    def __getitem__(self, step: int) -> list[Work] | LoupeError:
        try:
            first = step * self.images
            indices = np.arange(first, min(first + self.images, len(self.groups)))
            cut = np.array_split(indices, self.parts)
            return [self._part(cut[k]) for k in self.mine if len(cut[k])]
        except LoupeError as error:
            return error

    def _part(self, indices) -> Work:
        draw = getattr(self.groups, "draw", None)  # a mixture says for each group what it passed over
        if draw is None:
            return self.work([self.groups[int(i)] for i in indices])
        drawn = [draw(int(i)) for i in indices]
        work = self.work([samples for samples, _ in drawn])
        for _, drops in drawn:
            work.drops.update(drops)
        return work


def updates(job: Job, first: int) -> DataLoader:
    """The Work of updates first, first + 1, ... prepared ahead in background processes."""
    processes, rank = job.accelerator.num_processes, job.accelerator.process_index
    parts = processes * job.stage.accumulation
    least = min(job.stage.images, len(job.groups))  # a process without a part would leave the others waiting
    if least < parts:
        raise ConfigError("a batch has fewer pictures than parts it is cut into", where=f"stage {job.stage.name}",
                          got=f"{least} pictures" + " (batch / pairs_per_image)" * (least == job.stage.images),
                          expected=f"at least {processes} processes x accumulation {job.stage.accumulation}")
    mine = range(rank * job.stage.accumulation, (rank + 1) * job.stage.accumulation)
    data = Updates(job.groups, job.work, job.stage.images, parts, mine)
    ahead = {"prefetch_factor": 4, "worker_init_fn": _quiet_worker} if job.workers else {}
    return DataLoader(data, batch_size=None, sampler=range(first, job.steps), num_workers=job.workers, **ahead)


def _quiet_worker(_: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the main process decides what Ctrl-C and a scheduler's stop mean
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


def fit(job: Job, progress: Progress, journal: Journal | None, save: Callable[[bool], None]) -> None:
    """Run the stage from progress.step to its end. `save(due)` writes a checkpoint if one is due, or always (True)."""
    accelerator, stage = job.accelerator, job.stage
    module = job.objective if job.sharded is None else job.sharded
    if accelerator.num_processes > 1 and job.sharded is None:
        module = accelerator.prepare_model(module)
    job.objective.train()
    loader = updates(job, progress.step)
    bar = tqdm(total=job.steps, initial=progress.step, desc=stage.name, unit="step", mininterval=1.0,
               disable=None if accelerator.is_main_process else True)
    with Stop() as stop, bar:
        started = time.perf_counter()
        for works in loader:
            if isinstance(works, LoupeError):
                raise works
            facts = _update(job, module, works, progress.step, stop)
            asked = facts.pop("asked") > 0
            now = time.perf_counter()
            _count(progress, facts, now - started)
            started = now
            bar.update()
            if progress.step % job.log_every == 0 or progress.step == job.steps:
                lr = rate(stage.optim, progress.step - 1, job.steps)
                line = metrics.line(progress, job.steps, lr, job.objective.unit)
                bar.set_postfix(loss=f"{line['loss']:.3f}", images_per_s=f"{line['images_per_s']:.0f}", refresh=False)
                if journal is not None:
                    journal.write(line)
            progress.finished = progress.step == job.steps
            save(asked or progress.finished)
            if asked and not progress.finished:
                raise KeyboardInterrupt
            started = time.perf_counter() if progress.finished else started


def _update(job: Job, module: nn.Module, works: list[Work], step: int, stop: Stop) -> dict:
    """One optimiser step over the global batch; its summed numbers, and how many processes were asked to stop: all of
    them end behind the same update, or some would wait for the others for ever."""
    accelerator, stage = job.accelerator, job.stage
    device = accelerator.device
    weight = accelerator.reduce(torch.tensor(sum(w.weight for w in works), dtype=torch.float64, device=device), "sum")
    lr = rate(stage.optim, step, job.steps)
    for group in job.optimiser.param_groups:
        group["lr"] = lr
    job.optimiser.zero_grad(set_to_none=True)
    total = torch.zeros((), dtype=torch.float64, device=device)
    terms = torch.zeros(len(job.objective.terms), dtype=torch.float64, device=device)
    for k, work in enumerate(works):
        torch.manual_seed(_seed(job.seed, stage.name, step, accelerator.process_index, k))
        last = k == len(works) - 1
        with accelerator.no_sync(module) if not last else nullcontext():
            with torch.autocast(device.type, torch.bfloat16, enabled=job.precision == "bf16"):
                loss, parts = module(work.to(device).batch)
            (loss * (accelerator.num_processes / max(weight.item(), 1.0))).backward()
        total += loss.detach()
        terms += parts
    norm = _norm(job, accelerator)
    _check(float(total), norm, works, stage, step)
    job.optimiser.step()
    return _gathered(accelerator, works, weight, total, terms, job.objective.terms, norm, stop.asked)


def _norm(job: Job, accelerator: Accelerator) -> float:
    """Norm of the gradient before clipping."""
    parameters = [p for group in job.optimiser.param_groups for p in group["params"]]
    limit = job.stage.optim.clip if job.stage.optim.clip is not None else math.inf
    return float(whole(accelerator.clip_grad_norm_(parameters, limit)))


def _check(total: float, norm: float, works: list[Work], stage: Stage, step: int) -> None:
    if math.isfinite(total) and math.isfinite(norm):
        return
    ids = [i for work in works for i in work.ids]
    listed = ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
    raise TrainingError("training stopped: the " + ("gradient" if math.isfinite(total) else "loss") + " is not finite",
                        got=f"loss {total}, gradient norm {norm}",
                        where=f"stage {stage.name} step {step}, samples {listed}",
                        do="the last checkpoint is kept; lower optim.lr or use precision=float32 with a new --out")


def _gathered(accelerator, works, weight, total, terms, names, norm, asked: bool) -> dict:
    """Sums over all processes."""
    counts = sum((w.counts for w in works), torch.zeros(len(names), dtype=torch.float64))
    drops = sum((w.drops for w in works), Counter())
    local = torch.tensor([sum(w.images for w in works), sum(w.pairs for w in works), asked, drops.total()]).double()
    packed = torch.cat([total[None], terms, counts.to(terms.device), local.to(terms.device)])
    *packed, images, pairs, asked, dropped = accelerator.reduce(packed, "sum").cpu().tolist()
    if dropped and accelerator.num_processes > 1:
        drops = sum(gather_object([drops]), Counter())
    k = len(names)
    return {"loss": packed[0], "terms": dict(zip(names, packed[1:1 + k])), "counts": dict(zip(names, packed[1 + k:])),
            "images": images, "pairs": pairs, "asked": asked, "weight": float(weight), "tokens": float(weight),
            "norm": norm, "drops": drops}


def _count(progress: Progress, facts: dict, seconds: float) -> None:
    progress.step += 1
    progress.updates += 1
    progress.seconds += seconds
    progress.images += round(facts["images"])
    progress.pairs += round(facts["pairs"])
    progress.tokens += round(facts["tokens"])
    for reason, count in facts.pop("drops").items():
        progress.drops[reason] = progress.drops.get(reason, 0) + count
    metrics.add(progress, seconds=seconds, updates=1, **facts)


@contextmanager
def seeded(seed: int, stage: str):
    """Random numbers that depend on the recipe's seed and the stage alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed(seed, stage, 0, 0, 0))
        yield


def _seed(seed: int, stage: str, step: int, process: int, part: int) -> int:
    words = [seed, *stage.encode(), step, process, part]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


class Stop:
    """Ctrl-C and SIGTERM ask the loop to end behind the current update; a second Ctrl-C ends at once."""

    def __init__(self):
        self.asked = False
        self.old: dict = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.old[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_):
        for number, handler in self.old.items():
            signal.signal(number, handler)
