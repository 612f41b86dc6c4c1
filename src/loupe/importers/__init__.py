"""Released weights of others -> loupe checkpoints. Weights only: nothing in a foreign file is ever run."""

from __future__ import annotations

from importlib import import_module

from loupe.errors import unknown_name

IMPORTERS = {
    "minigpt-v2": "loupe.importers.minigpt:MiniGPT",
    "pink": "loupe.importers.pink:Pink",
    "llava": "loupe.importers.llava:Llava",
}


def importer(name: str) -> type:
    """The value that imports that family: `importer("minigpt-v2")(vision=..., language=...).write(file, out)`."""
    if name not in IMPORTERS:
        raise unknown_name("family of weights", name, IMPORTERS)
    module, kind = IMPORTERS[name].split(":")
    return getattr(import_module(module), kind)
