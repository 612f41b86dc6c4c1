"""What the package carries: names and folders of its small parts and its tuned miniature. No torch.

A part stands in specs, recipes and checkpoints by its name, never by the folder it lies in on one machine.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from loupe.errors import CheckpointError, unknown_name

MINI = "mini"  # the tuned model; the others are parts that a model can be built from
SHIPPED = {  # name -> folder below loupe/miniature
    MINI: "mini",
    "loupe/vision": "vision",
    "loupe/tower": "tower",
    "loupe/language": "language",
    "loupe/refiner": "refiner",
}
OWN = "loupe/"  # names that begin so are parts of the package, never hub ids
WEIGHTS, CARD = "model.safetensors", "README.md"
REINSTALL = "install loupe again, this file of the package is damaged"
MOST_BYTES, MOST_PARAMETERS = 25_000_000, 8_000_000  # of all weights together, of one part


def is_shipped(name: object) -> bool:
    """Whether a checkpoint's name means something the package carries (or should: an unknown "loupe/..." too)."""
    return isinstance(name, str) and (name in SHIPPED or name.startswith(OWN))


def home() -> Path:
    """The folder of all parts in this installation."""
    place = files("loupe").joinpath("miniature")
    if not isinstance(place, Path):
        raise CheckpointError("loupe runs from an archive", got=place, expected="a folder of files",
                              do="install its wheel with pip, which unpacks it")
    return place


def folder(name: str) -> Path:
    """Where a shipped part lies; CheckpointError if this installation has no weights of it."""
    if name not in SHIPPED:
        raise unknown_name("part of the package", name, SHIPPED)
    place = home() / SHIPPED[name]
    if not (place / WEIGHTS).is_file():
        there = [known for known, inside in SHIPPED.items() if (home() / inside / WEIGHTS).is_file()]
        raise CheckpointError(f"this installation of loupe carries no weights of {name!r}",
                              got=f"parts {', '.join(there) or 'none'}", expected=WEIGHTS, where=place,
                              do="install the whole wheel again; docs/models.md says how each part is built")
    return place
