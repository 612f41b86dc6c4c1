"""How probable a given answer is, and answers drawn by chance."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from loupe.models.decoding import Prefix, Rows
from loupe.models.encoding import IGNORE, Encoded
from loupe.models.vlm import VLM


@torch.inference_mode()
def weigh(model: VLM, prefix: Prefix, owners: Sequence[int], encoded: Sequence[Encoded]) -> list[float]:
    """Log-probability (natural, summed over tokens, the stop among them) of the last answer of each sample, whose
    pictures are looks `owners[i]` of the prefix."""
    batch = Rows(model, prefix, owners, [e.ids for e in encoded], 0)
    hidden = batch.read()  # [N, wide, D]
    at = [_last_answer(e.labels) for e in encoded]
    rows = torch.tensor([k for k, places in enumerate(at) for _ in places], device=model.device)
    places = torch.tensor([p for each in at for p in each], device=model.device)
    targets = torch.tensor([e.ids[p] for e, each in zip(encoded, at) for p in each], device=model.device)
    logs = model.logits(hidden[rows, places - 1]).float().log_softmax(-1)
    taken = logs.gather(1, targets[:, None])[:, 0].double()
    return torch.zeros(len(encoded), dtype=torch.float64, device=model.device).index_add(0, rows, taken).tolist()


def _last_answer(labels: Sequence[int]) -> list[int]:
    """Places of the tokens of the last answer."""
    end = max(k for k, label in enumerate(labels) if label != IGNORE) + 1
    start = end
    while start and labels[start - 1] != IGNORE:
        start -= 1
    return list(range(start, end))


class Dice:
    """Stands where a Guide may: takes each token with its probability at a temperature.

    The same sample and seed draw the same tokens, whatever is answered beside them.
    """

    whole = 0

    def __init__(self, temperature: float, seed: int, name: str):
        self.temperature, self.rng = temperature, np.random.default_rng([seed, zlib.crc32(name.encode())])

    def choose(self, logs: Tensor, stop: tuple[int, ...]) -> int:
        """logs [V]: log-probabilities -> the token taken."""
        chances = (logs.double() / self.temperature).softmax(-1).cumsum(-1).cpu().numpy()
        return min(int(np.searchsorted(chances, self.rng.random() * chances[-1], side="right")), len(chances) - 1)
