"""Who may see whom in the MQ-Former, one function per objective (Lyrics §3.2, Fig. 3).

A sequence is v (visual queries), g (grounding queries), s (spatial text), c (caption). In the drawings a row looks at
a column: # may, . may not, \\ itself and what is before it. Padding is seen by nobody; every place sees itself, so that
no softmax is empty.
"""

from __future__ import annotations

import torch
from torch import Tensor

V, G, S, C = range(4)


def parts(v: int, g: int, s: int, c: int, device=None) -> Tensor:
    """[L] int64: V, G, S or C of every place."""
    return torch.tensor([V] * v + [G] * g + [S] * s + [C] * c, dtype=torch.int64, device=device)


def contrast(part: Tensor, real: Tensor) -> Tensor:
    """ITC: queries among themselves, texts among themselves, nothing across.

             v g s c
          v  # # . .
          g  # # . .
          s  . . # #
          c  . . # #
    """
    return allowed(part, real, ("##..", "##..", "..##", "..##"))


def match(part: Tensor, real: Tensor) -> Tensor:
    """ITM: v with c, g with s, each also within itself.

             v g s c
          v  # . . #
          g  . # # .
          s  . # # .
          c  # . . #
    """
    return allowed(part, real, ("#..#", ".##.", ".##.", "#..#"))


def caption(part: Tensor, real: Tensor) -> Tensor:
    """ICG: queries among themselves; the caption sees them and what of itself is before; s is hidden.

             v g s c
          v  # # . .
          g  # # . .
          s  . . . .
          c  # # . \\
    """
    return allowed(part, real, ("##..", "##..", "....", "##.\\"))


def spatial(part: Tensor, real: Tensor) -> Tensor:
    """MSP: v, g and s all mutually; the caption is hidden.

             v g s c
          v  # # # .
          g  # # # .
          s  # # # .
          c  . . . .
    """
    return allowed(part, real, ("###.", "###.", "###.", "...."))


def allowed(part: Tensor, real: Tensor, table: tuple[str, ...]) -> Tensor:
    """part [L]; real [N, L] bool, False at padding -> [N, L, L] bool: the row may see the column."""
    marks = torch.tensor([[".#\\".index(mark) for mark in row] for row in table], device=part.device)
    kind = marks[part[:, None], part]  # [L, L]
    place = torch.arange(len(part), device=part.device)
    seen = (kind == 1) | ((kind == 2) & (place[:, None] >= place))
    return (seen & real[:, None]) | torch.eye(len(part), dtype=torch.bool, device=part.device)
