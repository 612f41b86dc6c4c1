"""Who may see whom, place by place: what is hidden changes nothing, what is not does."""

from __future__ import annotations

import pytest
import torch

from loupe.models import attending
from tests.models.tiny_former import former, pictures, texts

LENGTHS = (3, 2, 9, 7)  # v, g, s, c of the tiny model and texts
RULES = {  # who reaches whom through any number of blocks, by what the paper says of each objective
    "contrast": {("v", "v"), ("v", "g"), ("g", "v"), ("g", "g"), ("s", "s"), ("s", "c"), ("c", "s"), ("c", "c")},
    "match": {("v", "v"), ("v", "c"), ("c", "v"), ("c", "c"), ("g", "g"), ("g", "s"), ("s", "g"), ("s", "s")},
    "caption": {("v", "v"), ("v", "g"), ("g", "v"), ("g", "g"), ("c", "v"), ("c", "g"), ("c", "earlier")},
    "spatial": {(a, b) for a in "vgs" for b in "vgs"},
}


def names() -> list[str]:
    return [name for name, n in zip("vgsc", LENGTHS) for _ in range(n)]


@pytest.mark.parametrize("rule", RULES)
def test_place_by_place(rule):
    real = torch.ones(2, sum(LENGTHS), dtype=torch.bool)
    real[1, -2:] = False
    got = getattr(attending, rule)(attending.parts(*LENGTHS), real)
    who = names()
    for n in range(2):
        for row, a in enumerate(who):
            for column, b in enumerate(who):
                may = (a, b) in RULES[rule] or (a == b and (a, "earlier") in RULES[rule] and column <= row)
                assert got[n, row, column] == (row == column or (may and bool(real[n, column]))), (n, row, column)


@pytest.mark.parametrize("rule", RULES)
@torch.no_grad()
def test_changing_what_is_hidden_changes_nothing(rule):
    """Through both blocks: each place in turn gets another word or query; outputs change where it may be seen."""
    model, said = former(), texts(6)
    tower, found = pictures(1)
    memory = model.memory(tower, found)
    mask = getattr(attending, rule)(attending.parts(*LENGTHS), torch.ones(1, sum(LENGTHS), dtype=torch.bool))
    reach = mask[0]
    reach = (reach.float() @ reach.float()) > 0  # two blocks
    x = model.embed(1, said.spatial[5:], said.caption[5:])

    def out(x):
        for block in model.blocks:
            x = block(x, mask[:, None], (3, 2), memory)
        return x[0]

    want = out(x)
    for place in range(sum(LENGTHS)):
        other = x.clone()
        other[0, place] += torch.randn(x.shape[-1], generator=torch.Generator().manual_seed(place))
        changed = (out(other) - want).abs().amax(-1)
        assert (changed[~reach[:, place]] == 0).all(), (rule, place)
        assert (changed[reach[:, place]] > 1e-7).all(), (rule, place)


@torch.no_grad()
def test_left_out_is_hidden():
    """A text that is hidden from all and one that is not given are the same."""
    model, said = former(), texts(3)
    memory = model.memory(*pictures(3))
    queries = torch.ones(3, 5, dtype=torch.bool)
    both = model(memory, said.spatial, said.caption, attending.caption(
        attending.parts(*LENGTHS), torch.cat([queries, said.spatial_real, said.caption_real], 1)))
    alone = model(memory, None, said.caption, attending.caption(
        attending.parts(3, 2, 0, 7), torch.cat([queries, said.caption_real], 1)))
    for place in (slice(0, 5), slice(-7, None)):
        assert torch.allclose(both[:, place], alone[:, :5] if place.start == 0 else alone[:, 5:], atol=1e-5)
