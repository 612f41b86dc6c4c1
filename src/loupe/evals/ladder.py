"""What a reconstruction must beat: the same picture with less and less in it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image as Pillow

from loupe.image import FILTERS, Image, downsampled

BLURS = (16, 32)  # pixels a side that are left


@lru_cache(maxsize=8)
def ladder(image: Image, size: int = 64, filter: str = "bicubic") -> dict[str, np.ndarray]:
    """Name -> float [size, size, 3], all to be held against the picture squeezed to size x size.

    flat: its mean colour. N x N blur: of every (size / N)^2 pixels the mean, enlarged again smoothly. nearest: the
    picture squeezed by taking single pixels, that is another filter's opinion of the same picture.
    """
    small = downsampled(image, size, filter)
    out = {"flat": np.broadcast_to(small.mean((0, 1)), small.shape)}
    for left in BLURS:
        if left < size:
            few = Pillow.fromarray(small).resize((left, left), FILTERS["box"])
            out[f"{left} x {left} blur"] = np.asarray(few.resize((size, size), FILTERS["bicubic"]), float)
    if filter != "nearest":
        out["nearest"] = downsampled(image, size, "nearest").astype(float)
    return out
