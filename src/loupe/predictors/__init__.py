"""What answers: loupe's own checkpoints, the miniature it carries, and trivial baselines to stand beside them."""

from __future__ import annotations

import os
from pathlib import Path

from loupe.errors import ConfigError, unknown_name
from loupe.predictors.baselines import BASELINES, baseline
from loupe.predictors.blind import Blind
from loupe.shipped import MINI, folder, is_shipped


def load(name: str | os.PathLike, **options):
    """A Model from a checkpoint or run folder, the shipped "mini", or a baseline by its name.

    `options` are those of `Model.load`. A folder called mini in the working directory is ./mini.
    """
    text = os.fspath(name)
    if text in BASELINES:
        return baseline(text)
    if text == MINI:
        from loupe.predictors.checkpoint import Model

        return Model.load(folder(MINI), **options)
    if is_shipped(text):
        raise ConfigError("a part alone is no model", got=repr(text), expected=f"{MINI!r}, or a folder",
                          do="name it in a spec: VisionSpec(...) or LanguageSpec(...)")
    if Path(text).expanduser().exists() or any(c in text for c in "/\\."):
        from loupe.predictors.checkpoint import Model

        return Model.load(text, **options)
    raise unknown_name("model (no such folder either)", text, (MINI, *BASELINES))


__all__ = ["BASELINES", "Blind", "baseline", "load"]
