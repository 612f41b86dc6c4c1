"""Foreign files of weights: read without running anything in them, sorted by name, copied into a model."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from loupe.errors import CheckpointError
from loupe.models.vlm import VLM

SHOWN = 6  # names in an error


@dataclass(frozen=True)
class Imported:
    """What an import did. left_out: names in the file that stand for nothing in the model, and why they may."""

    folder: Path
    copied: int
    numbers: int  # in the copied tensors
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read(path: str | Path, inner: str | None = None) -> tuple[dict[str, Tensor], dict]:
    """(tensors by name, everything else) of a .pth file. `inner`: the key the tensors stand under, if it is there.

    Only tensors, numbers, texts and plain containers are accepted; a file that holds anything else is refused.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError("file of weights does not exist", got=path, expected="a .pth file")
    with path.open("rb") as file:
        begins = file.read(12)
    if begins[:2] != b"PK" and begins[:1] != b"\x80":  # a zip archive; a pickle, as older releases wrote
        raise CheckpointError("this is no file of weights", got=f"a file that begins with {begins!r}", where=path,
                              expected="what torch.save writes")
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise CheckpointError("the file holds more than weights and is not opened", where=path,
                              got=str(error).strip().splitlines()[0][:160],
                              expected="tensors, numbers, texts, lists and dictionaries",
                              do="save its tensors alone, where you trust it") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError("cannot read the file of weights", got=str(error).strip().splitlines()[0][:160],
                              where=path, do="fetch it again") from None
    if not isinstance(whole, Mapping):
        raise CheckpointError("the file is no table of weights", got=type(whole).__name__, where=path)
    table = whole[inner] if inner in whole and isinstance(whole[inner], Mapping) else whole
    tensors = {str(name): value for name, value in table.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError("the file holds no tensors", got=", ".join(map(str, list(whole)[:SHOWN])), where=path)
    return tensors, {k: v for k, v in whole.items() if k != inner and not isinstance(v, Tensor)}


def sort(tensors: Mapping[str, Tensor], name_of: Callable[[str], str | None], unused: Callable[[str], bool],
         where: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """({name in the model: tensor}, names left out). A name that is neither known nor `unused` is an error."""
    out, left, foreign = {}, [], []
    for name, tensor in tensors.items():
        if unused(name):
            left.append(name)
            continue
        mine = name_of(name)
        if mine is None:
            foreign.append(name)
        else:
            out[mine] = tensor
    if foreign:
        raise CheckpointError("the file holds weights this importer does not know", got=listed(foreign), where=where,
                              do="check that the file is of this family and variant")
    return out, tuple(left)


def listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return f"{len(names)}: {', '.join(names[:SHOWN])}" + (", ..." if len(names) > SHOWN else "")


@torch.no_grad()
def fill(model: VLM, tensors: Mapping[str, Tensor], needed: Iterable[str], where: Path) -> int:
    """Put tensors into the model's parameters, in float32; how many numbers. Every one of `needed` must be there."""
    parameters = dict(model.named_parameters())
    missing, foreign = set(needed) - set(tensors), set(tensors) - set(parameters)
    if missing:
        raise CheckpointError("weights are missing from the file", got=listed(missing), where=where)
    if foreign:
        raise CheckpointError("the file's weights do not fit the given parts", got=listed(foreign), where=where,
                              expected=f"names such as {listed(parameters)}",
                              do="give the language model and the tower it was trained with")
    count = 0
    for name, tensor in tensors.items():
        if tensor.shape != parameters[name].shape:
            raise CheckpointError("a weight has another shape than the given parts", where=where,
                                  got=f"{name} {tuple(tensor.shape)}", expected=tuple(parameters[name].shape),
                                  do="give the language model and the tower it was trained with")
        parameters[name].data = tensor.to(torch.float32).clone()
        count += tensor.numel()
    return count
