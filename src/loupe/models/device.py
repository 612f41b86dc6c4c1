"""Where a model computes and in which numbers, by name. A name this machine cannot serve is a ConfigError."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from torch import nn

from loupe.errors import ConfigError, OutOfMemoryError, unknown_name

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
FULL = ("out of memory", "can't allocate memory", "not enough memory")  # as torch says it: of GPUs, of the CPU


def device_of(name: str | torch.device | None = None) -> str:
    """"cpu", "cuda", "cuda:1", ...; None: a GPU if there is one."""
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ConfigError("unknown device", got=repr(name), expected="cpu, cuda, cuda:1, ...", where="device") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError("this machine has no such device", got=name, expected=_there(), where="device",
                          do="leave it out to take what is there; `loupe doctor` says more")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("this machine has no such device", got=name, expected=_there(), where="device")
    return str(name)


def shared(name: str, workers: int) -> tuple[str, float]:
    """(what each of several processes calls its device, how much of a GPU it gets)."""
    if workers <= 1 or not name.startswith("cuda"):
        return name, 0.0
    cards = torch.cuda.device_count()
    return "cuda", 1.0 if cards >= workers else cards / workers


def dtype_of(name: str | torch.dtype) -> torch.dtype:
    if isinstance(name, torch.dtype):
        return name
    if name not in DTYPES:
        raise unknown_name("kind of numbers", name, DTYPES, where="dtype")
    return DTYPES[name]


def in_numbers(module: nn.Module, kind: torch.dtype) -> nn.Module:
    """The same module with its parameters of that kind. Buffers stay: in bfloat16 angles of far places are wrong."""
    for parameter in module.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(kind)
    return module


def rounded(module: nn.Module) -> dict[str, str]:
    """{"dtype": "bfloat16"} of what an identity says; {} of float32. Other numbers give other answers."""
    kind = next(module.parameters()).dtype
    return {} if kind == torch.float32 else {"dtype": str(kind).removeprefix("torch.")}


def within_memory(work: Callable) -> Callable:
    """The same function; that the device is full, which torch says as a RuntimeError, becomes an OutOfMemoryError.

    It is raised when torch's own is done with: that holds the tensors of what failed, and another try needs the room.
    """
    @wraps(work)
    def tried(*args, **options):
        try:
            return work(*args, **options)
        except RuntimeError as error:
            said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            if not isinstance(error, torch.OutOfMemoryError) and not any(words in said for words in FULL):
                raise
        raise OutOfMemoryError("no memory for so much at once", got=said[:200],
                               do="ask fewer questions side by side (--batch, rows=), show smaller pictures, or take "
                                  "dtype bfloat16")

    return tried


def _there() -> str:
    cards = torch.cuda.device_count()
    return ", ".join(("cpu", *(f"cuda:{k}" for k in range(cards))))
