"""What answers: loupe's own checkpoints, and trivial baselines to stand beside them."""

from __future__ import annotations

import os
from pathlib import Path

from loupe.errors import unknown_name
from loupe.predictors.baselines import BASELINES, baseline


def load(name: str | os.PathLike, **options):
    """A Model from a checkpoint or run folder, or a baseline by its name. `options` are those of `Model.load`."""
    text = os.fspath(name)
    if text in BASELINES:
        return baseline(text)
    if Path(text).expanduser().exists() or any(c in text for c in "/\\."):
        from loupe.predictors.checkpoint import Model

        return Model.load(text, **options)
    raise unknown_name("model (no such folder either)", text, BASELINES)


__all__ = ["BASELINES", "baseline", "load"]
