"""How well does a model see pixels? The same questions to any predictor, and what its answers hold of the picture."""

from __future__ import annotations

from loupe.probe.asking import Glimpse, glimpse
from loupe.probe.figures import Measured, measured, rungs

__all__ = ["Glimpse", "Measured", "glimpse", "measured", "rungs"]
