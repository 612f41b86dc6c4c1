"""What a said picture holds of the true one: by spatial frequency, by distance to edges, by colour.

Everything is measured on pictures squeezed to n x n, and the same of pictures with less and less in them
(evals/ladder.py), so that a figure can be read: a model that sees what is left after a 16 x 16 blur, and no more, has
the blur's figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from loupe.evals.ladder import ladder
from loupe.evals.metrics.figures import Figure, resampled
from loupe.evals.metrics.reconstruction import READINGS, errors
from loupe.image import Image, downsampled

BANDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # cycles a picture, along its side
NOTHING = 1e-6  # of the pictures' energy: a band with less is not spoken of
EDGE = 0.9  # quantile of the slopes of a picture's luminance from which a pixel is an edge,
LEAST = 8.0  # and the least slope of one, in 255ths a pixel
DISTANCES = ((0, 0, "on an edge"), (1, 1, "1 pixel off"), (2, 3, "2 to 3"), (4, 7, "4 to 7"), (8, 10**6, "8 or more"))
HUES = (("red", 20), ("orange", 45), ("yellow", 70), ("green", 165), ("blue", 255), ("purple", 300), ("pink", 345),
        ("red", 361))  # up to so many degrees
COLOURS = ("black", "grey", "white", "red", "orange", "yellow", "green", "blue", "purple", "pink")


@dataclass(frozen=True)
class Measured:
    """errors: reconstruction error in its three readings. captured: of the picture's energy in a band of frequencies,
    1 - that of the error: 1 is all, 0 what a flat picture holds, below 0 worse than that. distances, colours: mean
    error of the channels of pixels of that kind."""

    name: str
    errors: tuple[Figure, ...]
    captured: tuple[Figure, ...]
    distances: tuple[Figure, ...]
    colours: tuple[Figure, ...]
    unread: int = 0

    def plain(self) -> dict:
        """JSON-able."""
        return {"name": self.name, "unread": self.unread} | {
            kind: {f.name: {"value": f.value, "low": f.low, "high": f.high, "count": f.count}
                   for f in getattr(self, kind)} for kind in ("errors", "captured", "distances", "colours")}


def measured(name: str, said: Sequence[np.ndarray], truth: Sequence[np.ndarray], unread: int = 0) -> Measured:
    """Pictures [n, n, 3] in 0..255; intervals are those of pictures drawn again with replacement."""
    by_picture = [errors(a, b) for a, b in zip(said, truth, strict=True)]
    off = [np.abs(np.asarray(a, float) - b).mean(-1) / 255 for a, b in zip(said, truth)]  # [n, n] each
    powers = [power(a, b) for a, b in zip(said, truth)]
    far = [[(d >= low) & (d <= high) for low, high, _ in DISTANCES] for d in map(edge_distance, truth)]
    kinds = [classes(b) for b in truth]
    held = np.array(powers)[..., 1].sum(0)  # [bands]
    return Measured(
        name,
        tuple(_mean(reading, [(row[k], 1.0) for row in by_picture]) for k, reading in enumerate(READINGS)),
        tuple(resampled(band, [row[k] for row in powers], lambda e, t: 1 - e / t if t else 0.0)
              for k, band in enumerate(band_names(len(truth[0]))) if held[k] > NOTHING * held.sum()),
        tuple(_mean(label, [(o[m[k]].sum(), m[k].sum()) for o, m in zip(off, far)])
              for k, (*_, label) in enumerate(DISTANCES) if any(m[k].any() for m in far)),
        tuple(_mean(colour, [(o[c == k].sum(), (c == k).sum()) for o, c in zip(off, kinds)])
              for k, colour in enumerate(COLOURS) if any((c == k).any() for c in kinds)),
        unread)


def rungs(images: Sequence[Image], n: int, filter: str = "bicubic") -> dict[str, list[np.ndarray]]:
    """Name -> the pictures with less and less in them."""
    out: dict[str, list[np.ndarray]] = {}
    for image in images:
        for name, small in ladder(image, n, filter).items():
            out.setdefault(name, []).append(np.asarray(small, float))
    return out


def truths(images: Sequence[Image], n: int, filter: str = "bicubic") -> list[np.ndarray]:
    return [downsampled(image, n, filter).astype(float) for image in images]


def bands(n: int) -> list[tuple[float, float]]:
    """Bands a picture of n pixels a side can hold: of half a cycle and more, up to n / 2 along a side."""
    return [(low, high) for low, high in zip(BANDS, BANDS[1:]) if low < n / 2]


def band_names(n: int) -> list[str]:
    return [f"{low:g} to {high:g}" for low, high in bands(n)]


def power(said: np.ndarray, truth: np.ndarray) -> list[tuple[float, float]]:
    """[(energy of the error, of the picture)] in each band, by a cosine transform: borders do not wrap around."""
    n = len(truth)
    waves = cosines(n)
    radius = np.hypot(*np.mgrid[:n, :n]) / 2  # cycles a picture
    error, whole = (np.square(np.einsum("ux,xyc,vy->uvc", waves, v, waves, optimize=True)).sum(-1)
                    for v in (np.asarray(said, float) - truth, np.asarray(truth, float)))
    out = []
    for low, high in bands(n):
        last = high >= n / 2  # the corners of the transform lie beyond
        inside = (radius >= low) & (radius < high) if not last else radius >= low
        out.append((float(error[inside].sum()), float(whole[inside].sum())))
    return out


def cosines(n: int) -> np.ndarray:
    """[n, n] the orthonormal DCT-II: row u has u / 2 cycles over the picture."""
    at = (np.arange(n) + 0.5) / n
    rows = np.sqrt(2 / n) * np.cos(np.pi * np.arange(n)[:, None] * at)
    rows[0] /= np.sqrt(2)
    return rows


def edge_distance(truth: np.ndarray) -> np.ndarray:
    """[n, n] pixels (the larger of both axes) from each pixel to the nearest edge; far off where there is none."""
    light = luminances(truth)
    slope = np.hypot(*np.gradient(light))
    edge = slope >= max(np.quantile(slope, EDGE), LEAST)
    distance, reach, steps = np.full(edge.shape, 10**6), edge, 0
    while reach.any():
        distance[reach & (distance > steps)] = steps
        if reach.all():
            break
        padded = np.pad(reach, 1)
        n = len(edge)
        reach = np.any([padded[i:i + n, j:j + n] for i in range(3) for j in range(3)], axis=0)
        steps += 1
    return distance


def luminances(pixels: np.ndarray) -> np.ndarray:
    """[n, n, 3] -> [n, n] in 0..255."""
    return np.asarray(pixels, float) @ np.array([0.2126, 0.7152, 0.0722])


def classes(truth: np.ndarray) -> np.ndarray:
    """[n, n] the number of each pixel's colour in COLOURS."""
    rgb = np.asarray(truth, float) / 255
    high, low = rgb.max(-1), rgb.min(-1)
    spread = high - low
    r, g, b = np.moveaxis(rgb, -1, 0)
    safe = np.where(spread > 0, spread, 1)
    hue = np.where(high == r, (g - b) / safe % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4)) * 60
    out = np.zeros(high.shape, int)
    for name, start in zip([name for name, _ in HUES], [0, *(end for _, end in HUES[:-1])]):
        out[hue >= start] = COLOURS.index(name)
    grey = spread < 0.15 * np.maximum(high, 0.2)
    out[grey] = COLOURS.index("grey")
    out[grey & (high > 0.8)] = COLOURS.index("white")
    out[high < 0.2] = COLOURS.index("black")
    return out


def said_colours(said: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> Mapping[str, tuple[tuple, tuple]]:
    """Colour -> (mean of the true pixels of that kind, mean of what was said there)."""
    a, b = (np.concatenate([np.asarray(v, float).reshape(-1, 3) for v in many]) for many in (said, truth))
    kind = np.concatenate([classes(v).reshape(-1) for v in truth])
    return {name: (tuple(b[kind == k].mean(0)), tuple(a[kind == k].mean(0)))
            for k, name in enumerate(COLOURS) if (kind == k).any()}


def _mean(name: str, rows: Sequence[tuple[float, float]]) -> Figure:
    """Mean over pixels. Pictures drawn without any such pixel say nothing and count as all of them."""
    total, count = np.sum(np.asarray(rows, float), 0)
    whole = total / count if count else 0.0
    return resampled(name, rows, lambda t, n: t / n if n else whole)
