"""What the package carries: names and folders of its small parts and its tuned miniature. No torch.

A part stands in specs, recipes and checkpoints by its name, never by the folder it lies in on one machine.
"""

from __future__ import annotations

import json
from importlib.resources import files
from math import prod
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


def header(path: Path) -> dict[str, dict]:
    """Name -> {"dtype", "shape"} of every tensor in a safetensors file; CheckpointError for a file cut short."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            tensors = json.loads(file.read(length))
        except ValueError:
            tensors = {}
    tensors.pop("__metadata__", None)
    end = 8 + length + max((each["data_offsets"][1] for each in tensors.values()), default=-1)
    if end != path.stat().st_size:
        raise CheckpointError("weights are damaged", got=f"{path.stat().st_size} bytes", where=path,
                              expected=f"{end} bytes" if tensors else "a list of tensors", do="fetch this file again")
    return tensors


def parameters(path: Path) -> int:
    """Numbers in a safetensors file."""
    return sum(prod(each["shape"]) for each in header(path).values())


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
