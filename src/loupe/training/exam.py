"""Held-out questions at the end of a run: whole answers that are right, by task, beside the most frequent answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import torch
from tqdm import tqdm

from loupe.models.batch import pack
from loupe.models.vlm import VLM
from loupe.sample import Sample

ROWS = 16  # groups per forward pass


@torch.no_grad()
def sit(model: VLM, groups: Sequence[list[Sample]], learnt: Sequence[list[Sample]]) -> dict[str, dict]:
    """{task, or task.kind: {"answers", "exact", "majority"}}, shares of 1.

    exact: every token is the most probable one, so greedy decoding writes this very answer (behind the true answers of
    earlier turns). majority: the most frequent answer to the task in `learnt` would have been right.
    """
    said: dict[str, Counter] = defaultdict(Counter)
    for task, answer, _ in _answers(model, learnt, "reading answers", think=False):
        said[task][answer] += 1
    usual = {task: min(counts, key=lambda a: (-counts[a], a)) for task, counts in said.items()}
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    training = model.training
    model.eval()
    for task, answer, right in _answers(model, groups, "exam", think=True):
        for k, one in enumerate((1, right, answer == usual.get(task))):
            sums[task][k] += one
    model.train(training)
    return {task: {"answers": n, "exact": round(exact / n, 4), "majority": round(same / n, 4)}
            for task, (n, exact, same) in sorted(sums.items())}


def _answers(model: VLM, groups, title: str, think: bool) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """(task, token ids, whether the model would write them) of every answer."""
    for first in tqdm(range(0, len(groups), ROWS), desc=title, unit="batch", delay=2, disable=None, leave=False):
        chosen = [groups[i] for i in range(first, min(first + ROWS, len(groups)))]
        samples = [sample for group in chosen for sample in group]
        batch = pack(chosen, model.encoder, too_long="drop").to(model.device)
        right = torch.ones(len(batch.targets), dtype=torch.bool)
        if think and len(batch.targets):
            x = model.embed(batch.ids, model.see(batch.pixels, batch.found), batch.slots, batch.seen)
            hidden = model.hidden(x, batch.mask, batch.positions)
            best = model.logits(hidden.reshape(-1, hidden.shape[-1])[batch.at]).argmax(-1)
            right = (best == batch.targets).cpu()
        yield from _cut(samples, batch.at.cpu(), batch.targets.tolist(), batch.owner.tolist(), right)


def _cut(samples, at, targets, owner, right) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Supervised tokens, cut into answers: one ends where the next token is not supervised."""
    ends = [k + 1 for k in range(len(targets))
            if k + 1 == len(targets) or at[k + 1] != at[k] + 1 or owner[k + 1] != owner[k]]
    told: Counter[int] = Counter()
    for start, end in zip([0, *ends], ends):
        sample = samples[owner[start]]
        names = sample.extra.get("asked") or (_name(sample),)
        task = names[min(told[owner[start]], len(names) - 1)]
        told[owner[start]] += 1
        yield task, tuple(targets[start:end]), bool(right[start:end].all())


def _name(sample: Sample) -> str:
    kind = sample.extra.get("kind")
    return f"{sample.task}.{kind}" if kind else sample.task
