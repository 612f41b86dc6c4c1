"""The refiner batched against one picture at a time, and an epoch of cached features against live ones.

    python benchmarks/refiner_ratio.py [--refiner mini] [--pictures 32] [--batch 8] [--epochs 3]

All three ways see the same pictures, in turns, so that a busy machine is busy for all. Seconds are of the processor;
the best of the turns counts. The difference is of the cached rows (float16) against the live ones, relative to the
largest of them; and of what an untrained MQ-Former's queries make of both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace

import numpy as np
import torch

from loupe import world
from loupe.image import Image
from loupe.models.mqformer import MQFormer, found
from loupe.models.refined import Refined
from loupe.recipes.lyrics import SMALL_FORMER
from loupe.refining.cached import Cached
from loupe.refining.loading import load
from loupe.refining.pipeline import Pipeline


def batched(pipeline: Pipeline, pictures: list[Image], batch: int) -> list[Refined]:
    return [each for k in range(0, len(pictures), batch) for each in pipeline.refine(pictures[k:k + batch])]


def difference(live: list[Refined], kept: list[Refined]) -> float:
    pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(live, kept) for name in ("queries", "outlines")]
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-9)) for a, b in pairs if a.size)


def queries_apart(live: list[Refined], kept: list[Refined], threshold: float) -> float:
    """Largest difference of the query outputs, relative to the largest output."""
    spec = replace(SMALL_FORMER, detector_width=live[0].queries.shape[1], outline_width=live[0].outlines.shape[1])
    torch.manual_seed(0)
    former, tower = MQFormer(spec, 128).eval(), torch.randn(len(live), 64, 128)
    with torch.no_grad():
        a, b = (former.queries(former.memory(tower, found(each, threshold, spec))) for each in (live, kept))
    return float((a - b).abs().max() / a.abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refiner", default="mini")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    pipeline = load(args.refiner)
    pictures = [Image.of(record.image.array()) for record in world.records(args.pictures, seed=5, world="mini")]
    batched(pipeline, pictures[:args.batch], args.batch)  # warm
    with tempfile.TemporaryDirectory() as folder:
        cached = Cached(pipeline, folder, batch=args.batch)
        started = time.process_time()
        cached.fill(pictures, (0,))
        filling = time.process_time() - started
        ways = {"one at a time": lambda: batched(pipeline, pictures, 1),
                "batched": lambda: batched(pipeline, pictures, args.batch),
                "cached": lambda: cached.refine(pictures)}
        best, made = dict.fromkeys(ways, float("inf")), {}
        for _ in range(args.epochs):
            for name, way in ways.items():
                started = time.process_time()
                made[name] = way()
                best[name] = min(best[name], time.process_time() - started)
    for name, seconds in {"filling the cache": filling, **best}.items():
        print(f"{name:<18}{1000 * seconds / len(pictures):9.2f} ms a picture")
    print(f"batches of {args.batch} are {best['one at a time'] / best['batched']:.2f} times as fast as one at a time")
    print(f"an epoch of cached features is {best['batched'] / best['cached']:.2f} times as fast as a live one")
    print(f"cached rows differ from live ones by {difference(made['batched'], made['cached']):.1e}, "
          f"batched from single ones by {difference(made['one at a time'], made['batched']):.1e}")
    apart = queries_apart(made["batched"], made["cached"], pipeline.detector.threshold)
    print(f"query outputs of an untrained MQ-Former differ by {apart:.1e}")


if __name__ == "__main__":
    main()
