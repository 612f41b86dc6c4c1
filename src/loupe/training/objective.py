"""What a stage minimises. An objective turns groups into Work (in a data worker) and Work into summed losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from loupe.errors import ImageError
from loupe.image import Image
from loupe.models.batch import Batch, pack
from loupe.models.encoding import Encoder
from loupe.models.vlm import VLM
from loupe.sample import Sample
from loupe.tasks import TASKS


@dataclass(frozen=True)
class Work:
    """One forward pass' worth of data. `counts` say how many losses each of the K terms has; they are known before
    the pass, so that every pass can be divided by the count of the whole global batch."""

    batch: object  # with .to(device)
    counts: Tensor  # [K] float64, K = len(objective.terms)
    weight: float  # what the summed loss of a whole update is divided by: answer tokens, or patches
    images: int = 0
    pairs: int = 0
    ids: tuple[str, ...] = ()  # of the samples
    drops: Counter = field(default_factory=Counter)

    def to(self, device) -> Work:
        return replace(self, batch=self.batch.to(device))


class LanguageWork:
    """Groups of samples -> Work: packed; pictures that do not decode and pairs that do not fit are counted."""

    def __init__(self, encoder: Encoder, tasks: Iterable[str] = TASKS):
        self.encoder, self.terms = encoder, tuple(sorted(tasks))

    def __call__(self, groups: list[list[Sample]]) -> Work:
        drops = Counter()
        try:
            batch = pack(groups, self.encoder, too_long="drop")
        except ImageError:
            groups, drops = readable(groups)
            batch = pack(groups, self.encoder, too_long="drop")
        if batch.dropped:
            drops["too long"] += batch.dropped
        samples = [sample for group in groups for sample in group]
        task = torch.tensor([self.terms.index(s.task) for s in samples], dtype=torch.int64)
        term = task[batch.owner] if len(samples) else batch.owner
        counts = torch.bincount(term, minlength=len(self.terms)).double()
        return Work(Tokens(batch, term), counts, float(len(term)), images=len(groups),
                    pairs=len(samples) - batch.dropped, ids=tuple(s.id or s.record for s in samples), drops=drops)


class Language(nn.Module):
    """Next-token prediction on the answers. Terms are tasks."""

    unit = "answer_tokens"

    def __init__(self, model: VLM, terms: tuple[str, ...]):
        super().__init__()
        self.model, self.terms = model, terms

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """(summed loss, [K] summed loss of each term without gradient)."""
        losses = self.model.losses(tokens.batch)  # [A]
        terms = losses.new_zeros(len(self.terms)).index_add_(0, tokens.term, losses.detach())
        total = losses.sum()
        if torch.is_grad_enabled() and not total.requires_grad:  # words alone, and only what sees is trained
            total = total + sum(p.sum() for p in self.model.parameters() if p.requires_grad) * 0.0
        return total, terms


@dataclass(frozen=True)
class Tokens:
    batch: Batch
    term: Tensor  # [A] which term each supervised token counts for

    def to(self, device) -> Tokens:
        return Tokens(self.batch.to(device), self.term.to(device))


def readable(groups: list) -> tuple[list, Counter]:
    """The groups whose pictures decode, and how many pairs were lost with the others."""
    broken: set[Image] = set()
    for image in {image for group in groups for sample in group for image in sample.images}:
        try:
            image.pillow()
        except ImageError:
            broken.add(image)
    kept = [[s for s in group if not broken & set(s.images)] for group in groups]
    lost = sum(len(g) for g in groups) - sum(len(g) for g in kept)
    return [g for g in kept if g], Counter({"picture does not decode": lost})

