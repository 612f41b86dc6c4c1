"""Supervised answer tokens a second: many pairs packed behind one image against one pair a sequence.

The same model in one run, float32, seconds of processor time (so that a busy machine changes little).

    python benchmarks/packing_ratio.py [--pairs 10] [--seconds 20]

Three ways to train on the same number of pairs an update:
  packed    `pairs` questions behind one look at a picture (loupe's way)
  shared    the same questions one to a sequence; the tower still sees each picture once
  separate  one question to a picture and a sequence, as most training code does
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from loupe import world
from loupe.data.draw import open_mixture
from loupe.models import batch
from loupe.models.assembly import build
from loupe.recipes import recipe
from loupe.training.materials import Materials, tokenizer_for


def updates(model, batches, seconds: float) -> tuple[float, int]:
    """(answer tokens a second, updates) of forward, backward and step, batches made beforehand."""
    adam = torch.optim.AdamW(model.parameters(), 1e-5)
    tokens = done = 0
    start = None
    while start is None or time.process_time() - start < seconds:
        each = batches[done % len(batches)]
        total, count = model(each)
        (total / count).backward()
        adam.step()
        adam.zero_grad()
        done += 1
        if start is None and done == 2:  # two to warm up
            start, tokens = time.process_time(), 0
        elif start is not None:
            tokens += count
    return tokens / (time.process_time() - start), done


def drawn(mixture, data: Path, size: int, batches: int = 4) -> list:
    """Batches of `size` groups each."""
    groups = open_mixture(mixture, data, 0, groups=batches * size)
    return [[groups[b * size + i] for i in range(size)] for b in range(batches)]


def measure(data: Path, folder: Path, pairs: int, images: int, seconds: float) -> None:
    mini = recipe("mini-start")
    stage = mini.stages[-1]
    model = build(mini.model, "cpu", 0, tokenizer_for(mini, Materials(data, None, 0), folder)).train()
    many = drawn(replace(stage.mixture, pairs_per_image=pairs, curriculum=None), data, images)
    single = drawn(replace(stage.mixture, pairs_per_image=1, curriculum=None), data, images * pairs)
    ways = {"packed": [batch.pack(g, model.encoder) for g in many],
            "shared": [batch.separate(g, model.encoder) for g in many],
            "separate": [batch.pack(g, model.encoder) for g in single]}
    rates = {}
    for name, batches in ways.items():
        rates[name], done = updates(model, batches, seconds)
        rows, length = batches[0].ids.shape
        print(f"{name:<9}{rates[name]:>9,.0f} answer tokens/s   {done} updates of {batches[0].pairs} pairs, "
              f"first batch {rows} x {length} tokens, {len(batches[0].pixels)} pictures")
    own = sum(len(e.ids) for g in many[0] for e in model.encoder.encode(g)) / batches[0].pairs
    prefix = len(model.encoder.encode(many[0][0])[0].prefix)
    print(f"packed / separate {rates['packed'] / rates['separate']:.2f}, packed / shared "
          f"{rates['packed'] / rates['shared']:.2f}; by tokens {pairs * (prefix + own) / (prefix + pairs * own):.2f} "
          f"(prefix {prefix} tokens, a pair {own:.0f} on average, {pairs} pairs)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--images", type=int, default=8, help="pictures an update, packed")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        world.write(data, 300, 0)
        measure(data, Path(folder) / "run", args.pairs, args.images, args.seconds)


if __name__ == "__main__":
    main()
