"""A sloppy hand (ChatSpot, Fig. 5): the regions of questions are moved, and what that costs is drawn.

Each edge of a box moves by U(-s, s) times the box's width or height, and is clipped to the picture; a point moves by as
much of the box it stands for. One draw serves all s, so that the points of a curve differ by s alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from loupe.errors import ConfigError
from loupe.evals.spec import Benchmark
from loupe.regions import Box, Point, Region, clip, noise
from loupe.sample import Regions, Sample

SCALES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)  # 0.1, 0.2 and 0.3: §5.1
SEEDS = 5


def jittered(sample: Sample, amount: float, seed: int) -> Sample:
    """The regions of the last question moved; ids and truths stay."""
    if not amount:
        return sample
    rng = np.random.default_rng([zlib.crc32(sample.id.encode()), seed])
    *before, last = sample.turns
    width, height = sample.images[0].size
    around = sample.extra.get("box")
    parts = tuple(replace(p, regions=tuple(moved(r, rng, amount, width, height, around) for r in p.regions))
                  if isinstance(p, Regions) else p for p in last.parts)
    return replace(sample, turns=(*before, replace(last, parts=parts)))


def moved(region: Region, rng: np.random.Generator, amount: float, width: float, height: float,
          around: Box | None = None) -> Region:
    """One box or point. `around`: the box that a point stands for."""
    if isinstance(region, Box):
        return clip(noise(region, rng, amount), width, height)
    if isinstance(region, Point) and isinstance(around, Box):
        dx, dy = rng.uniform(-amount, amount, 2) * (around.width, around.height)
        x, y = min(max(region.x + dx, 0.0), width - 0.5), min(max(region.y + dy, 0.0), height - 0.5)
        return replace(region, x=float(x), y=float(y))
    raise ConfigError("this region cannot be moved", got=type(region).__name__,
                      expected="a box, or a point with its box",
                      do="choose a benchmark that asks about boxes or points")


def noisy(what: Benchmark, amount: float, seed: int) -> Benchmark:
    """The same benchmark asked by a sloppy hand."""
    name = f"{what.name}~{amount:g}-{seed}" if amount else what.name
    return replace(what, name=name, jitter=amount, jitter_seed=seed)


@dataclass(frozen=True)
class Spot:
    """One point of a curve: a figure at one amount, over seeds."""

    amount: float
    values: tuple[float, ...]
    count: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds (n - 1); 0 of one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0


def curves(results: Sequence, figures: Sequence[str] = ()) -> dict[str, list[Spot]]:
    """"benchmark: figure" -> its points in order, from results of `noisy` benchmarks (the name says amount and seed).
    figures: the first one of each metric where none is named."""
    found: dict[str, dict[float, list]] = {}
    for result in results:
        base, _, noise_said = result.benchmark.partition("~")
        amount = float(noise_said.rpartition("-")[0]) if noise_said else 0.0
        names = [f for f in result.scores.figures if f.name in figures] or [result.scores.main]
        for figure in names:
            found.setdefault(f"{base}: {figure.name}", {}).setdefault(amount, []).append((figure.value, result.count))
    return {name: [Spot(amount, tuple(v for v, _ in at[amount]), at[amount][0][1]) for amount in sorted(at)]
            for name, at in found.items()}


def lines(found: dict[str, list[Spot]]) -> list[tuple[str, ...]]:
    """Rows of a table: amount, mean over seeds with its spread, and what is left of the figure without noise."""
    rows = [("region and figure", "noise", "mean", "spread over seeds", "seeds", "kept", "N")]
    for name, spots in found.items():
        whole = spots[0].mean if spots and spots[0].amount == 0 else float("nan")
        for s in spots:
            kept = f"{s.mean / whole:.1%}" if whole and whole == whole else "-"
            rows.append((name, f"{s.amount:g}", f"{100 * s.mean:.1f}", f"{100 * s.spread:.1f}", str(len(s.values)),
                         kept, f"{s.count:,}"))
    return rows
