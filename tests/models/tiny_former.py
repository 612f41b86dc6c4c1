"""A tiny MQ-Former and made-up pictures for it."""

from __future__ import annotations

import torch

from loupe.models.mqformer import Found, MQFormer
from loupe.models.mqtext import Marks, Texts
from loupe.models.spec import MQFormerSpec

MARKS = Marks(pad=0, cls=1, sep=2, mask=3, dec=40, bos=41, mlm=42)
TINY = MQFormerSpec(width=16, depth=2, heads=2, inner=32, visual_queries=3, grounding_queries=2, detector_width=10,
                    outline_width=5, vocabulary=43, positions=12, projection=8, dropout=0.0)
TOWER = 6


def former(spec: MQFormerSpec = TINY, seed: int = 0, loud: float = 0.2) -> MQFormer:
    torch.manual_seed(seed)
    model = MQFormer(spec, TOWER)
    with torch.no_grad():  # louder than at the start, so that what is seen is felt
        for p in model.parameters():
            if p.dim() > 1:
                p.normal_(0, loud)
    return model.eval()


def pictures(count: int, seed: int = 0, spec: MQFormerSpec = TINY) -> tuple[torch.Tensor, Found]:
    """(tower tokens, found rows); in the last picture nothing was found."""
    draw = torch.Generator().manual_seed(seed)
    rows, kept = torch.rand(count, 4, generator=draw) < 0.6, torch.rand(count, 2, generator=draw) < 0.6
    rows[:, 0] = True
    rows[-1], kept[-1] = False, False
    return torch.randn(count, 5, TOWER, generator=draw), Found(
        torch.randn(count, 4, spec.detector_width, generator=draw), rows,
        torch.randn(count, 2, spec.outline_width, generator=draw), kept)


def texts(count: int, seed: int = 0) -> Texts:
    """Spatial texts of up to two objects of three tokens between marks 39, captions of three to five words."""
    draw = torch.Generator().manual_seed(seed)
    spatial, owner, captions = torch.zeros(count, 9).long(), torch.full((count, 9), -1), torch.zeros(count, 7).long()
    for k in range(count):
        things, words = k % 3, 3 + k % 3
        spatial[k, 0], captions[k, 0], captions[k, words + 1] = MARKS.bos, MARKS.cls, MARKS.sep
        captions[k, 1:words + 1] = torch.randint(4, 39, (words,), generator=draw)
        for thing in range(things):
            spatial[k, 1 + 4 * thing] = 39
            spatial[k, 2 + 4 * thing:5 + 4 * thing] = torch.randint(4, 39, (3,), generator=draw)
            owner[k, 2 + 4 * thing:5 + 4 * thing] = thing
    powers = 43 ** torch.arange(9)
    return Texts(spatial, spatial > 0, owner, captions, captions > 0, (spatial * powers).sum(1),
                 (captions * powers[:7]).sum(1))
