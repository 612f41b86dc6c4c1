"""The loss of an update does not depend on how it is cut up, and a small model learns a batch by heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from loupe.codec import codec
from loupe.dialogue import dialogue
from loupe.image import Image
from loupe.models.assembly import build
from loupe.models.batch import pack
from loupe.models.tokenizer import train_tokenizer
from loupe.models.tuner import Frozen, Full, Tune, apply
from loupe.regions import Box, iou
from loupe.sample import Sample, assistant, user
from loupe.training.loop import Job, TrainingError, fit
from loupe.training.objective import Language, LanguageWork
from loupe.training.optim import optimiser, rate
from loupe.training.recipe import Optim, Stage
from loupe.training.state import Progress

NAMES = ("cup", "ape", "red hat", "the door")


def groups(count: int, pairs: int) -> list[list[Sample]]:
    """Pictures of noise, each with questions of different length about boxes of their own."""
    rng = np.random.default_rng(1)
    out = []
    for k in range(count):
        image = Image.of(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
        group = []
        for name in NAMES[:pairs]:
            x, y = rng.uniform(0, 24, 2)
            turns = user("Where is " + name + "?"), assistant(Box(x, y, x + 20, y + 20), *[" so"] * (k % 3))
            group.append(Sample((image,), turns, "grounding", f"{k}/{name}"))
        out.append(group)
    return out


@pytest.fixture
def model(small):
    marks, words = codec("xy"), dialogue("mini")
    tokenizer = train_tokenizer([f"Where is {n}? so" for n in NAMES], 600, (*marks.tokens, *words.tokens))
    made = build(small.model, seed=0, tokenizer=tokenizer)
    apply(made, Tune(vision=Full(), bridge=Full(), language=Full()))
    return made


def trained(model, data, steps: int, make=optimiser, **changes) -> list[dict]:
    """The metrics of a stage of `steps` updates over `data` again and again."""
    stage = replace(Stage("s", mixture_of(len(data[0])), Optim(3e-3), epochs=None, steps=steps,
                          batch=len(data) * len(data[0])), **changes)
    work = LanguageWork(model.encoder)
    objective = Language(model, work.terms)
    named = {n: p for n, p in objective.named_parameters() if p.requires_grad}
    lines: list[dict] = []

    class Lines:
        write = staticmethod(lines.append)

    job = Job(stage, 0, steps, data * steps, work, objective, make(named, stage.optim), Accelerator(cpu=True),
              workers=0, log_every=1)
    fit(job, Progress(stage="s"), Lines(), lambda due: None)
    return lines


def mixture_of(pairs: int):
    from loupe.data.mixture import Mixture

    return Mixture(pairs_per_image=pairs)


def test_accumulation_and_packing_do_not_change_the_update(model):
    """One update of 8 pictures: at once, in 4 parts, and with every pair alone: same loss, same weights after it."""
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    data, ends, losses = groups(8, 2), [], []
    alone = [[sample] for group in data for sample in group]
    for each, accumulation in ((data, 1), (data, 4), (alone, 2)):
        with torch.no_grad():
            for n, p in model.named_parameters():
                p.copy_(start[n])
        losses.append(trained(model, each, 1, accumulation=accumulation)[0]["loss"])
        ends.append({n: p.detach().clone() for n, p in model.named_parameters()})
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)
    moved = max((ends[0][n] - start[n]).abs().max().item() for n in start)
    for other in ends[1:]:
        apart = {n: (ends[0][n] - other[n]).abs().max().item() for n in start if moved}
        large = {n: d for n, d in apart.items() if d > 0.02 * moved}
        assert not large, f"weights differ after one update: {large}"


def test_loss_is_the_mean_over_answer_tokens(model):
    """Not the mean of the pictures' means: long answers weigh more."""
    data = groups(3, 1)
    model.eval()
    with torch.no_grad():
        sums = [model(LanguageWork(model.encoder)([group]).batch.batch) for group in data]
    expected = sum(float(s) for s, _ in sums) / sum(n for _, n in sums)
    assert len({n for _, n in sums}) == 3
    assert trained(model, data, 1)[0]["loss"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("share", [0.5, None], ids=["clipped", "whole"])
def test_what_the_optimiser_gets(model, share):
    """At every update its learning rate and the gradient of the mean loss, cut down to `clip`. Adam hides how long a
    gradient is; the journal says it as it was before."""
    data, given = groups(4, 2), []
    total, number = model(pack(data, model.encoder))
    (total / number).backward()
    whole = float(torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm())

    class Watched(torch.optim.SGD):
        def step(self, closure=None):  # and goes nowhere, so that the next update finds the same weights
            group, = self.param_groups
            norms = [p.grad.norm() for p in group["params"] if p.grad is not None]
            given.append((group["lr"], float(torch.stack(norms).norm())))

    optim = Optim(1e-3, warmup=2, schedule="linear", clip=share and share * whole)
    lines = trained(model, data, 3, lambda named, optim: Watched(named.values(), lr=1.0), optim=optim, accumulation=2)
    assert [line["grad_norm"] for line in lines] == pytest.approx([whole] * 3, rel=1e-3)
    assert [lr for lr, _ in given] == [rate(optim, k, 3) for k in range(3)]
    assert [norm for _, norm in given] == pytest.approx([(share or 1) * whole] * 3, rel=1e-3)


def test_learns_a_batch_by_heart(model):
    """8 pairs: loss below 0.05, and greedy decoding gives the boxes back."""
    data = groups(2, 4)
    lines = trained(model, data, 200, optim=Optim(1e-2, warmup=10, schedule="constant"))
    assert lines[-1]["loss"] < 0.05
    assert lines[-1]["losses"]["grounding"] == pytest.approx(lines[-1]["loss"])
    work, model = LanguageWork(model.encoder), model.eval()
    for group in data:
        batch = work([group]).batch.batch
        with torch.no_grad():
            x = model.embed(batch.ids, model.see(batch.pixels), batch.slots, batch.seen)
            hidden = model.hidden(x, batch.mask, batch.positions).reshape(-1, x.shape[-1])[batch.at]
            said = model.logits(hidden).argmax(-1)
        frame = model.encoder.frame(group[0].images[0])
        for k, sample in enumerate(group):
            parsed = model.encoder.codec.parse(model.encoder.decode(said[batch.owner == k]), frame)
            found = [part.region for part in parsed.parts if hasattr(part, "region")]
            assert iou(found[0], sample.turns[1].parts[0].regions[0]) > 0.9


def test_a_loss_that_is_not_finite_names_its_samples(model):
    with torch.no_grad():
        model.bridge.project.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"not finite.*stage s step 0, samples 0/cup.*last checkpoint is kept"):
        trained(model, groups(1, 2), 1)


def test_pictures_that_do_not_decode_are_counted(model):
    data = groups(2, 2)
    torn = Image(data=data[0][0].images[0].bytes()[:200])
    work = LanguageWork(model.encoder)([[replace(s, images=(torn,)) for s in data[0]], data[1]])
    assert work.pairs == 2 and work.drops["picture does not decode"] == 2


def test_words_alone_change_nothing_where_only_what_sees_is_trained(model):
    """A picture's micro-batch beside one without: the update is the picture's alone, and words alone are no error."""
    apply(model, Tune(vision=Frozen(), bridge=Full(), language=Frozen(), tokens="frozen"))
    words = [[Sample((), (user("Where is the cup?"), assistant("so")), "stated", "words")]]
    before = model.bridge.project.weight.detach().clone()
    trained(model, words, 1, optim=Optim(3e-3, weight_decay=0.0))
    assert torch.equal(model.bridge.project.weight, before)
    trained(model, [*groups(1, 1), *words], 1, accumulation=2, optim=Optim(3e-3, weight_decay=0.0))
    assert not torch.equal(model.bridge.project.weight, before)
