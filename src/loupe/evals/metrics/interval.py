"""How sure a share of hits is."""

from __future__ import annotations

import math

Z95 = 1.959963984540054  # two-sided 95 % of a normal distribution


def wilson(hits: float, count: int) -> tuple[float, float]:
    """Wilson's score interval of hits / count; (0, 1) of nothing.

    >>> tuple(round(v, 4) for v in wilson(0, 10))
    (0.0, 0.2775)
    """
    if count <= 0:
        return 0.0, 1.0
    share, spread = hits / count, Z95 * Z95 / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == count else middle + half)
