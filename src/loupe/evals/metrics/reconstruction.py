"""Reconstruction error (PAE-LaMM, Eq. 1-2) in its three readings.

Eq. 1 takes |said - true| of a pixel's three channels without saying how they become one number, so all three are given:
the mean of the channels, their Euclidean length, their sum. Eq. 2 is the mean over pixels and a share of 255.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loupe.evals.metrics.figures import Figure, resampled

READINGS = ("channel mean", "L2", "sum")


def errors(said: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """[..., 3] in 0..255 -> the error of one picture in each of READINGS; shares, so 0.0665 is the paper's 6.65."""
    off = np.abs(np.asarray(said, float) - np.asarray(truth, float)) / 255
    return float(off.mean()), float(np.sqrt((off**2).sum(-1)).mean()), float(off.sum(-1).mean())


def figures(pictures: Sequence[tuple[float, float, float]],
            ladders: Sequence[Mapping[str, Sequence[float]]]) -> tuple[Figure, ...]:
    """Every reading, the mean over pictures, with the same of each rung of the ladder beside it."""
    common = [name for name in (ladders[0] if ladders else ()) if all(name in each for each in ladders)]
    out = []
    for k, reading in enumerate(READINGS):
        columns = {f"error, {reading}": [each[k] for each in pictures]}
        columns |= {f"- {name}, {reading}": [each[name][k] for each in ladders] for name in common}
        out += [resampled(name, [(v, 1.0) for v in values], lambda total, n: total / n if n else 0.0)
                for name, values in columns.items()]
    return tuple(out)
