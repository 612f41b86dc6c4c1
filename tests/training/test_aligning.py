"""The first stage of Lyrics: a batch is learnt by heart, one process and two say the same."""

from __future__ import annotations

import os
from dataclasses import fields, replace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from loupe.models import alignment, attending
from loupe.training.aligning import TERMS, Aligned, Alignment
from tests.models.tiny_former import MARKS, former, pictures, texts


def batch(count: int = 6) -> Aligned:
    draw = torch.Generator().manual_seed(1)
    said = texts(count)
    caption, key, real = said.caption.clone(), said.caption_key.clone(), said.caption_real.clone()
    caption[3], key[3], real[3] = caption[0], key[0], real[0]  # a false negative
    tower, found = pictures(count)
    return Aligned(tower, found, replace(said, caption=caption, caption_key=key, caption_real=real),
                   torch.rand(count, 4, generator=draw), torch.rand(count, 2, generator=draw))


def part(whole: Aligned, rows: slice) -> Aligned:
    """Those pictures; texts cut to their own longest, as a process would have them."""
    def cut(value):
        return type(value)(*(getattr(value, f.name)[rows] for f in fields(value)))

    said = cut(whole.texts)
    s, c = int(said.spatial_real.sum(1).max()), int(said.caption_real.sum(1).max())
    said = replace(said, spatial=said.spatial[:, :s], spatial_real=said.spatial_real[:, :s], owner=said.owner[:, :s],
                   caption=said.caption[:, :c], caption_real=said.caption_real[:, :c])
    return Aligned(whole.tower[rows], cut(whole.found), said, whole.draw[rows], whole.hide[rows])


def measured(work: Aligned) -> tuple[torch.Tensor, torch.Tensor]:
    """([4] losses, gradient of all parameters) here."""
    objective = Alignment(former(), MARKS, least=1)
    loss, terms = objective(work)
    loss.backward()
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in objective.parameters()]
    return terms, torch.cat([g.flatten() for g in grads])


def one_of_two(rank: int, file: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    terms, gradient = measured(part(batch(), (slice(0, 4), slice(4, 6))[rank]))
    dist.all_reduce(terms)
    dist.all_reduce(gradient)
    if rank == 0:
        torch.save((terms, gradient), out)
    dist.destroy_process_group()


def test_two_processes_say_what_one_says(tmp_path):
    """Parts of four and two pictures, texts of other lengths: sums of losses and of gradients."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    mp.spawn(one_of_two, (str(tmp_path / "meet"), str(tmp_path / "out.pt")), nprocs=2)
    terms, gradient = torch.load(tmp_path / "out.pt")
    want_terms, want = measured(batch())
    assert torch.allclose(terms, want_terms, atol=1e-4)
    assert torch.allclose(gradient, want, atol=1e-4 * float(want.abs().max()))


@pytest.mark.parametrize("term", range(4), ids=TERMS)
def test_a_batch_is_learnt_by_heart(term):
    torch.manual_seed(0)
    objective, work = Alignment(former(loud=0.1), MARKS, least=1, hard=False), batch()
    optim = torch.optim.Adam(objective.parameters(), 1e-2)
    losses = []
    for _ in range(80):
        memory = objective.former.memory(work.tower, work.found)
        if term < 2:
            loss, sides = objective._contrast(work, memory)
            loss = loss if term == 0 else objective._match(work, sides)
        else:
            loss = (objective._caption if term == 2 else objective._spatial)(work, memory)
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.35 * losses[0], losses[::20]


def test_equal_captions_are_no_negatives(monkeypatch):
    """Of pictures 0 and 3, which share theirs: neither in contrast's sums nor drawn as a wrong one."""
    seen = []
    negatives = alignment.negatives
    monkeypatch.setattr(alignment, "negatives", lambda *a: seen.append((a[1], negatives(*a))) or seen[-1][1])
    Alignment(former(), MARKS)(batch())
    for k in (0, 2):
        same, drawn = seen[k]
        assert same[0, 3] and same[3, 0] and same.sum() == 8
        assert drawn[0] not in (0, 3) and drawn[3] not in (0, 3) and (drawn >= 0).all()
    assert seen[1][0][0, 3]  # the first and the fourth picture: nothing was found, so nothing is written


def test_each_objective_begins_with_its_own_marks(monkeypatch):
    """§3.2: [BOS] and [CLS] for contrast and matching, [DEC] for captions, [MLM] for hidden objects. What contrast
    compares are the places of [BOS] and [CLS]."""
    begun, run, work = {}, Alignment.run, batch()

    def watched(self, rule, memory, *texts):
        x = run(self, rule, memory, *texts)
        begun[rule.__name__] = [t and set(t[0][:, 0].tolist()) for t in texts]
        if rule is attending.contrast:
            begun["places"] = x[:, 5], x[:, 5 + texts[0][0].shape[1]]
        return x

    monkeypatch.setattr(Alignment, "run", watched)
    objective, given = Alignment(former(), MARKS, least=1), {}
    for name in ("spatial", "caption"):
        objective.former.contrast[name].register_forward_hook(lambda m, x, out, name=name: given.update({name: x[0]}))
    objective(work)
    assert torch.equal(given["spatial"], begun["places"][0]) and torch.equal(given["caption"], begun.pop("places")[1])
    assert begun == {"contrast": [{MARKS.bos}, {MARKS.cls}], "match": [{MARKS.bos}, {MARKS.cls}],
                     "caption": [None, {MARKS.dec}], "spatial": [{MARKS.mlm}, None]}


@torch.no_grad()
def test_pairs_are_matched_as_they_would_be_one_by_one(monkeypatch):
    """(picture, caption) by the visual queries, (what was found, spatial text) by the grounding ones; -1: none."""
    chosen = [[1, 2, 0], [2, 0, 1], [2, 0, -1], [1, 2, 0]]  # wrong captions, spatial texts, pictures for either
    drawn = iter(chosen)
    monkeypatch.setattr(alignment, "negatives", lambda *_: torch.tensor(next(drawn)))
    objective, work = Alignment(former(), MARKS), part(batch(), slice(0, 3))
    _, sides = objective._contrast(work, objective.former.memory(work.tower, work.found))
    got = objective._match(work, sides)

    def loss(head: int, picture: int, text: int, truth: int) -> torch.Tensor:
        one = part(work, slice(picture, picture + 1))
        said = [t[text:text + 1] for t in (work.texts.spatial, work.texts.spatial_real, work.texts.caption,
                                           work.texts.caption_real)]
        x = objective.run(attending.match, objective.former.memory(one.tower, one.found), said[:2], said[2:])
        logits = objective.former.match[("visual", "grounding")[head]](objective.former.pooled(x)[head])
        return torch.nn.functional.cross_entropy(logits, torch.tensor([truth]))

    want = torch.zeros(())
    for k in range(3):
        for head in (0, 1):
            text, picture = chosen[head][k], chosen[2 + head][k]
            pairs = [loss(head, k, k, 1), loss(head, k, text, 0)]
            pairs += [loss(head, picture, k, 0)] if picture >= 0 else []
            want += sum(pairs) / len(pairs) / 2
    assert torch.allclose(got, want, atol=1e-5)


def test_one_picture_has_no_negatives():
    loss, terms = Alignment(former(), MARKS, least=1)(part(batch(), slice(1, 2)))
    assert torch.isfinite(loss) and terms[0] == 0 and (terms[1:] > 0).all()
    loss, terms = Alignment(former(), MARKS, least=1)(part(batch(), slice(0, 1)))  # nothing found in it
    loss.backward()
    assert torch.isfinite(loss) and terms[3] == 0
