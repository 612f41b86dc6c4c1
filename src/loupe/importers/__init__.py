"""Released weights of others -> loupe checkpoints. Weights only: nothing in a foreign file is ever run."""

from __future__ import annotations

from loupe.named import named

IMPORTERS = {
    "minigpt-v2": "loupe.importers.minigpt:MiniGPT",
    "pink": "loupe.importers.pink:Pink",
    "llava": "loupe.importers.llava:Llava",
}


def importer(name: str) -> type:
    """The value that imports that family: `importer("minigpt-v2")(vision=..., language=...).write(file, out)`."""
    return named("family of weights", name, IMPORTERS)
