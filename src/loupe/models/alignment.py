"""The MQ-Former's four objectives as pure functions (Lyrics §3.2, Eq. 1 to 4), each summed over pictures.

Dividing by the number of pictures of the whole batch and adding the four (Eq. 5) is the caller's. With G pictures over
all processes and n of them here, rows are the n, columns the G.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

EASY = 1e-4  # BLIP-2's: what every possible negative weighs at least


def contrast(images: Tensor, texts: Tensor, all_images: Tensor, all_texts: Tensor, scale: Tensor, own: Tensor,
             same: Tensor) -> Tensor:
    """Eq. 1: images, texts [n, P] of length one pick each other out of [G, P]. own [n]: which column is the row's.
    same [n, G] bool: pairs whose text is equal; they are no wrong answers and stand in no sum."""
    hidden = same & ~F.one_hot(own, len(all_texts)).bool()
    losses = [F.cross_entropy((scale * mine @ others.T).float().masked_fill(hidden, -torch.inf), own, reduction="sum")
              for mine, others in ((images, all_texts), (texts, all_images))]
    return (losses[0] + losses[1]) / 2


def negatives(similarity: Tensor, same: Tensor, draw: Tensor, hard: bool = True) -> Tensor:
    """[n, G] -> [n]: a wrong partner of each row, -1 where there is none. same [n, G] bool: right ones, own included.

    hard: drawn by the softmax of similarity, as BLIP-2; otherwise evenly. draw [n] in [0, 1) decides.
    """
    weights = similarity.detach().double().softmax(-1) + EASY if hard else torch.ones_like(similarity).double()
    sums = weights.masked_fill(same, 0).cumsum(-1)
    chosen = torch.searchsorted(sums, (draw.double() * sums[:, -1])[:, None], right=True)[:, 0]
    last = sums.shape[1] - 1 - (~same).flip(1).int().argmax(1)  # of the possible ones: rounding goes no further
    return torch.where(same.all(1), -1, torch.minimum(chosen, last))


def match(visual: Tensor, grounding: Tensor, visual_real: Tensor, grounding_real: Tensor) -> Tensor:
    """Eq. 2: logits [K, n, 2] of the right pair (k = 0) and of K - 1 wrong ones; real [K, n] bool: there is such a
    pair. A picture's loss is the mean over its pairs, and over visual and grounding queries."""
    losses = []
    for logits, real in ((visual, visual_real), (grounding, grounding_real)):
        truth = torch.zeros(logits.shape[:2], dtype=torch.int64, device=logits.device)
        truth[0] = 1
        each = F.cross_entropy(logits.float().flatten(0, 1), truth.flatten(), reduction="none").view_as(truth)
        losses.append((each * real).sum(0) / real.sum(0).clamp(min=1))
    return (losses[0] + losses[1]).sum() / 2


def caption(logits: Tensor, ids: Tensor, real: Tensor) -> Tensor:
    """Eq. 3: logits [n, C, vocabulary] at every place of a caption say the next of ids [n, C]; real [n, C] bool. A
    picture's loss is the mean over its words."""
    return words(logits[:, :-1], ids[:, 1:], real[:, 1:])


def spatial(logits: Tensor, ids: Tensor, hidden: Tensor) -> Tensor:
    """Eq. 4: logits [n, S, vocabulary] say the ids that were hidden [n, S] bool. A picture's loss is the mean over its
    hidden tokens; one without any has none."""
    return words(logits, ids, hidden)


def words(logits: Tensor, ids: Tensor, counted: Tensor) -> Tensor:
    each = F.cross_entropy(logits[counted].float(), ids[counted], reduction="none")
    number = counted.sum(1, keepdim=True).expand_as(counted)[counted]
    return (each / number).sum()


def hide_objects(ids: Tensor, owner: Tensor, draw: Tensor, mask: int, rate: float = 0.15,
                 least: int = 0) -> tuple[Tensor, Tensor]:
    """(ids with [MASK] for every tag and number of the chosen objects, which places these are [n, S] bool).

    owner [n, S]: the object a token belongs to, -1 for marks and padding. draw [n, O] in [0, 1): an object is chosen
    where it is below `rate` (§3.2: 15 %); the `least` lowest are chosen in any case.
    """
    objects = torch.arange(draw.shape[1], device=ids.device)
    present = (owner[:, :, None] == objects).any(1)  # [n, O]
    rank = draw.masked_fill(~present, torch.inf).argsort(-1).argsort(-1)
    chosen = present & ((draw < rate) | (rank < least))
    if not draw.shape[1]:
        return ids, torch.zeros_like(ids, dtype=torch.bool)
    hidden = chosen.gather(1, owner.clamp(min=0)) & (owner >= 0)
    return torch.where(hidden, mask, ids), hidden
