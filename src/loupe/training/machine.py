"""The processes and devices a run works on."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from loupe.errors import ConfigError
from loupe.models.device import device_of

PATIENCE = timedelta(hours=1)  # of the others, while one writes a large checkpoint or sits the exam; usual: 10 min
SHARDED = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM")


def accelerator(device: str | None = None, unused: bool = False) -> Accelerator:
    """device: "cpu", "cuda", or "cuda:1" of a run in one process; None: a GPU where there is one. unused: there are
    updates in which not every trainable parameter takes part. What `accelerate config` says of mixed precision is
    passed over: a stage says its own."""
    name = device_of(device)
    if name.startswith("mps"):
        raise ConfigError("losses are added up in float64, which this device has not", got=f"--device {name}",
                          expected="cpu or cuda")
    index = torch.device(name).index if name.startswith("cuda") else None
    if index is not None and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ConfigError("each of several processes has a GPU of its own", got=f"--device {name}",
                          do="leave it out; CUDA_VISIBLE_DEVICES says which GPUs there are")
    for setting in SHARDED:
        if os.environ.get(setting, "false").lower() in ("true", "1"):
            raise ConfigError("a run is not cut up over its processes", got=f"{setting}=true", expected="whole models",
                              do="launch it with `accelerate launch --multi_gpu` or torchrun; --shard cuts it up")
    if index is not None:
        torch.cuda.set_device(index)
    handlers = [InitProcessGroupKwargs(timeout=PATIENCE)]
    if unused:
        handlers.append(DistributedDataParallelKwargs(find_unused_parameters=True))
    cpu = device == "cpu" or (name == "cpu" and torch.backends.mps.is_available())  # Apple's GPU has no float64
    return Accelerator(cpu=cpu, mixed_precision="no", kwargs_handlers=handlers)
