"""Cells in processes of their own, a few at once, each behind those it needs; one that is killed is started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tqdm import tqdm

from loupe.reproduce.cell import Cell, needs
from loupe.reproduce.experiment import Experiment

STARTS = 3  # times a cell is started before it is given up
PAUSE = 0.5  # seconds between looks at the processes


class Process(Protocol):
    """As subprocess.Popen."""

    def poll(self) -> int | None:
        """The exit status; None while it runs, negative where a signal ended it."""

    def terminate(self) -> None: ...

    def wait(self, timeout: float | None = None) -> int: ...


@dataclass
class Outcome:
    """done: in the order in which they were finished. failed: cell -> why; left: cells whose needs failed."""

    done: list[Cell] = field(default_factory=list)
    failed: dict[Cell, str] = field(default_factory=dict)
    left: list[Cell] = field(default_factory=list)


def run(experiment: Experiment, cells: Sequence[Cell], start: Callable[[Cell], Process],
        finished: Callable[[Cell], bool], workers: int = 2, reason: Callable[[Cell], str] = lambda cell: "",
        pause: Callable[[], None] = lambda: time.sleep(PAUSE)) -> Outcome:
    """Every cell that is not finished yet, `workers` at a time, in the order given as far as their needs allow.

    A cell counts as done when `finished` says so, whatever its process said. reason(cell): its last words.
    On Ctrl-C the running ones are asked to stop and waited for.
    """
    outcome, starts = Outcome(), {}
    due = [cell for cell in cells if not finished(cell)]
    outcome.done += [cell for cell in cells if cell not in due]
    running: dict[Cell, Process] = {}
    bar = tqdm(total=len(cells), initial=len(outcome.done), desc=experiment.name, unit="cell", disable=None)
    with bar:
        try:
            while due or running:
                for cell in _ready(experiment, due, outcome)[:workers - len(running)]:
                    due.remove(cell)
                    starts[cell] = starts.get(cell, 0) + 1
                    running[cell] = start(cell)
                if not running:
                    break
                bar.set_postfix_str(", ".join(cell.name for cell in running))
                for cell, code in [(c, p.poll()) for c, p in running.items()]:
                    if code is None:
                        continue
                    del running[cell]
                    if finished(cell):
                        outcome.done.append(cell)
                        bar.update()
                    elif code < 0 and starts[cell] < STARTS:
                        due.insert(0, cell)
                    else:
                        outcome.failed[cell] = reason(cell) or f"ended with status {code}"
                if running:
                    pause()
        finally:
            stop(list(running.values()))
    outcome.left = due
    return outcome


def _ready(experiment: Experiment, due: Sequence[Cell], outcome: Outcome) -> list[Cell]:
    done = set(outcome.done)
    return [cell for cell in due if all(need in done for need in needs(experiment, cell))]


def stop(processes: Sequence[Process]) -> None:
    """Ask them to save and end, and wait."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        process.wait()
