"""What answers: loupe's own checkpoints, the miniature it carries, models of others, endpoints, trivial baselines."""

from __future__ import annotations

import os

from loupe.blind import Blind, without
from loupe.errors import ConfigError
from loupe.predictors.baselines import BASELINES, baseline
from loupe.predictors.naming import Named, named
from loupe.shipped import MINI, folder


def load(name: str | os.PathLike, **options):
    """The model that a text names: "mini", a checkpoint or run folder, a transformers folder or hub id, an endpoint as
    http(s)://host/v1#model, or a baseline; see `loupe.predictors.naming.FORMS`.

    `options` are those of `Model.load`, `Foreign.load` or `Endpoint.load`; all know device, dtype, rows, answer and
    constrain. A folder called mini in the working directory is ./mini.
    """
    if not isinstance(name, (str, os.PathLike)) or not os.fspath(name):
        raise ConfigError("no model is named", got=repr(name), expected="\"mini\", a folder, an id of the hub, or "
                          "http://host/v1#model")
    what = named(os.fspath(name))
    options = options | what.settings
    if what.kind == "baseline":
        return baseline(what.place)
    if what.kind == "endpoint":
        from loupe.predictors.endpoint import Endpoint

        return Endpoint.load(what.place, what.model, **options)
    if what.kind == "foreign":
        from loupe.predictors.foreign import Foreign

        return Foreign.load(what.place, **options)
    from loupe.predictors.checkpoint import Model

    return Model.load(folder(MINI) if what.kind == MINI else what.place, **options)


__all__ = ["BASELINES", "Blind", "Named", "baseline", "load", "named", "without"]
