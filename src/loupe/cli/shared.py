"""`loupe evaluate --workers N`, `--part K/N`: pictures shared out to processes of this machine, or to machines."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing import connection
from pathlib import Path

from tqdm import tqdm

from loupe.errors import ConfigError, LoupeError
from loupe.evals.parts import part_files

EVERY = 1.0  # seconds between looks at what the workers have written


def check_shared(args: argparse.Namespace) -> None:
    """ConfigError where --workers and --part cannot be, before any data is read."""
    if args.workers < 1:
        raise ConfigError("nobody would work", got=f"--workers {args.workers}", expected="1 or more")
    if args.part is None and args.workers == 1:
        return
    for name, wanted in (("--curve", args.curve), ("--jitter", args.jitter is not None),
                         ("--part beside --workers", args.part is not None and args.workers > 1)):
        if wanted:
            raise ConfigError("this is not shared out", got=name, do="leave out --workers and --part")


def answer_parts(args: argparse.Namespace, opened: Sequence, roots, out: Path) -> None:
    """All parts by processes of their own, into files that the next evaluation with this `out` takes up."""
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    workers = [context.Process(target=_work, args=(errors, args, opened, roots, out, part, device), daemon=True)
               for part, device in enumerate(devices(args.device, args.workers), 1)]
    try:
        for worker in workers:
            worker.start()
        _watch(workers, opened, out, args)
        if not errors.empty():
            raise errors.get()
        died = [worker.exitcode for worker in workers if worker.exitcode]
        if died:
            raise LoupeError("a worker died", got=f"exit status {died[0]}", expected="0",
                             do="run the same command again, it goes on; fewer --workers need less memory")
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()


def answer_part_of(args: argparse.Namespace, opened: Sequence, roots, out: Path) -> list[Path]:
    """The answers of --part to every benchmark -> the files that hold them."""
    from loupe.cli.evaluate import asked_blind, blind_file, model_of
    from loupe.evals import answer_part
    from loupe.predictors import Blind

    predictor, paths = model_of(args), []
    for questions in opened:
        paths.append(answer_part(predictor, questions, roots, out, *args.part, limit=args.limit))
        if asked_blind(questions, args):
            answer_part(Blind(predictor), questions, roots, blind_file(questions, out), *args.part, limit=args.limit)
    return paths


def devices(name: str | None, workers: int) -> list[str | None]:
    """A device for each worker: the machine's GPUs in turn, where none or "cuda" is named."""
    import torch

    cards = torch.cuda.device_count()
    if name not in (None, "cuda") or not cards:
        return [name] * workers
    return [f"cuda:{k % cards}" for k in range(workers)]


def _work(errors, args: argparse.Namespace, opened: Sequence, roots, out: Path, part: int, device: str | None) -> None:
    import torch

    from loupe.world.layout import die_with_parent

    die_with_parent()
    if device in (None, "cpu"):
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // args.workers))
    args.part, args.device = (part, args.workers), device
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # one bar, the parent's
            answer_part_of(args, opened, roots, out)
    except LoupeError as error:
        errors.put(error)
        sys.exit(2)


def _watch(workers: Sequence, opened: Sequence, out: Path, args: argparse.Namespace) -> None:
    """A bar over the answers in the workers' files, until all have ended or one has failed."""
    from loupe.cli.evaluate import asked_blind, blind_file

    files, total = [], 0
    for questions in opened:
        kinds = [out / f"{questions.benchmark.name}.jsonl"]
        kinds += [blind_file(questions, out)] if asked_blind(questions, args) else []
        files += kinds
        total += len(kinds) * len(questions.some(args.limit))
    with tqdm(total=total, desc=f"{args.workers} workers", unit="q", disable=None) as bar:
        while any(w.is_alive() for w in workers) and not any(w.exitcode for w in workers):
            connection.wait([w.sentinel for w in workers if w.is_alive()], EVERY)
            bar.update(min(total, sum(map(_answers, files))) - bar.n)


def _answers(path: Path) -> int:
    """How many answers the benchmark's file and those of its parts hold; a header stands before them."""
    whole = [path] if path.is_file() else []
    return sum(max(0, file.read_bytes().count(b"\n") - 1) for file in (*whole, *part_files(path)))
