"""Pieces of work shared by several processes through Ray Data (the extra `scale`); without Ray, one after another."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator, Sequence

from loupe.errors import LoupeError

Work = Callable[[int], object]


def has_ray() -> bool:
    return importlib.util.find_spec("ray") is not None


def each(job: Callable[[], Work], items: Sequence[int], workers: int = 1,
         gpus: float = 0.0) -> Iterator[tuple[int, object]]:
    """(item, what the work returned) as they are done, in any order; what is returned must be a number or text.

    job: makes the work, once in every process; it and what it holds can be pickled. A process that dies is replaced and
    its item begun again, so the work must go on with what it finds. A LoupeError of the work is raised here. gpus: of
    each process, a share of one too.
    """
    if workers <= 1 or len(items) <= 1 or not has_ray():
        work = job()
        for item in items:
            yield item, work(item)
        return
    yield from _spread(job, items, min(workers, len(items)), gpus)


def _spread(job: Callable[[], Work], items: Sequence[int], workers: int, gpus: float) -> Iterator[tuple[int, object]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ours = not ray.is_initialized()
    if ours:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([{"item": int(item)} for item in items], override_num_blocks=len(items))
        pool = ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1)
        done = rows.map(Worker, fn_constructor_args=(job,), compute=pool, num_cpus=1, num_gpus=gpus or None)
        for row in done.iter_rows():
            if row["failed"]:
                raise LoupeError(row["failed"])
            yield row["item"], row["done"]
    finally:
        if ours:
            ray.shutdown()


class Worker:
    """One process of the pool."""

    def __init__(self, job: Callable[[], Work]):
        self.work = job()

    def __call__(self, row: dict) -> dict:
        try:
            return {"item": row["item"], "done": self.work(int(row["item"])), "failed": ""}
        except LoupeError as error:
            return {"item": row["item"], "done": 0, "failed": str(error)}
