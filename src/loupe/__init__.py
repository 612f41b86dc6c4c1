"""loupe: vision-language models that see fine detail. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module

_NAMES = {
    "Answer": "loupe.sample:Answer",
    "Box": "loupe.regions:Box",
    "Colour": "loupe.regions:Colour",
    "Found": "loupe.sample:Found",
    "Image": "loupe.image:Image",
    "LoupeError": "loupe.errors:LoupeError",
    "Mask": "loupe.regions:Mask",
    "Point": "loupe.regions:Point",
    "Polygon": "loupe.regions:Polygon",
    "Record": "loupe.record:Record",
    "Regions": "loupe.sample:Regions",
    "Sample": "loupe.sample:Sample",
    "draw": "loupe.drawing:draw",
    "iou": "loupe.regions:iou",
    "load": "loupe.predictors:load",
    "recipe": "loupe.recipes:recipe",
    "train": "loupe.training.run:train",
}
_MODULES = ("bootstrapping", "codec", "data", "dialogue", "evals", "predictors", "readers", "recipes", "serving",
            "tasks", "training", "world", "writers")


def evaluate(model, benchmark, root=None, out=None, **options):
    """Scores of a model (a Predictor, or what `load` takes) on a benchmark; see `loupe.evals.evaluate`."""
    from loupe import evals, predictors

    predictor = model if hasattr(model, "answer") else predictors.load(model)
    return evals.evaluate(predictor, benchmark, root, out, **options)


def bootstrap(model, reader, out, *, iou=0.5, second=None, **options):
    """Referring expressions for a reader's boxes, written below `out` by a model that checks itself.

    model, second: a Predictor, or what `load` takes. options: of `loupe.bootstrapping.Settings`.
    """
    from loupe import bootstrapping, predictors

    predictor, other = (m if m is None or hasattr(m, "answer") else predictors.load(m) for m in (model, second))
    settings, rule = bootstrapping.Settings(**options), bootstrapping.Rule(iou)
    return bootstrapping.run(predictor, reader, out, settings, rule, second=other)


def serve(model="mini", host="127.0.0.1", port=8000, **settings):
    """The page and the API around a model (a Predictor, or what `load` takes), until it is stopped.

    settings: of `loupe.serving.settings.Settings`.
    """
    from loupe import predictors, serving

    predictor = model if hasattr(model, "answer") else predictors.load(model)
    serving.serve(predictor, host, port, **settings)


__all__ = ["bootstrap", "evaluate", "serve", *_NAMES]


def __getattr__(name: str):
    if name in _NAMES:
        module, _, attribute = _NAMES[name].partition(":")
        value = getattr(import_module(module), attribute)
    elif name in _MODULES:
        value = import_module(f"loupe.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("loupe")
    else:
        raise AttributeError(f"module 'loupe' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})
