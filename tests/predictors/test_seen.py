"""Pictures kept in sight: the same answers from one look, weighed answers, drawn ones."""

from __future__ import annotations

import numpy as np
import pytest

from loupe.image import Image
from loupe.models.decoding import generate, see
from loupe.models.encoding import IGNORE, Encoded
from loupe.models.weighing import weigh
from loupe.predictor import seen
from loupe.predictors.checkpoint import Model
from loupe.regions import Box
from loupe.sample import Regions, Sample, Turn, user


@pytest.fixture(scope="module")
def model(standin_parts):
    return Model.load(standin_parts / "mini", device="cpu", answer=12)


def picture(seed: int) -> Image:
    return Image.of(np.random.default_rng(seed).integers(0, 255, (60, 80, 3)).astype(np.uint8))


@pytest.fixture(scope="module")
def samples():
    one, two = picture(1), picture(2)
    return [Sample((image,), (user(*parts),), id=f"{k}-{n}") for k, image in enumerate((one, two, one))
            for n, parts in enumerate((("Where is the red circle?",), ("What is in ", Box(4, 6, 40, 50), "?")))]


def test_answers_are_those_of_the_model(model, samples, monkeypatch):
    wanted = [a.raw for a in model.answer(samples)]
    looks = []
    see = model.vlm.see
    monkeypatch.setattr(model.vlm, "see", lambda pixels, *found: looks.append(len(pixels)) or see(pixels, *found))
    view = seen(model, [s.images for s in samples])
    assert [a.raw for a in view.answer(samples)] == wanted
    assert [a.raw for a in view.answer(samples[::-1])] == wanted[::-1]
    list(view.weigh([with_answer(s, "a star") for s in samples]))
    assert looks == [2]  # two different pictures, once


def with_answer(sample: Sample, *parts) -> Sample:
    return Sample(sample.images, (*sample.turns, Turn("assistant", parts)), id=sample.id)


def test_an_answer_weighs_what_it_was_given(model, samples):
    """The weight of greedy tokens is the sum of the log-probabilities they were taken with."""
    vlm = model.vlm
    prefix = see(vlm, [samples[0].images, samples[2].images])
    owners, bodies = [0, 0, 1, 1], [list(e.ids) for e in vlm.encoder.encode(samples[:4])]
    written, _ = generate(vlm, prefix, owners, bodies, [7] * 4)
    given = [Encoded(prefix.ids, (*body, *w.ids), (IGNORE,) * len(body) + tuple(w.ids))
             for body, w in zip(bodies, written)]
    for weighed, w in zip(weigh(vlm, prefix, owners, given), written):
        assert weighed == pytest.approx(sum(w.logs[:len(w.ids)]), rel=1e-4)


def test_weights_against_a_plain_forward(model, samples):
    """One sample, no cache, transformers' own log-softmax."""
    import torch

    sample = with_answer(samples[1], "a red star")
    vlm, encoder = model.vlm, model.vlm.encoder
    encoded = encoder.encode([sample])[0]
    ids = torch.tensor([*encoded.prefix, *encoded.ids])[None]
    with torch.inference_mode():
        image = vlm.see(torch.from_numpy(encoder.pixels(list(sample.images))))
        x = vlm.embed(ids, image)
        length = ids.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
        logs = vlm.logits(vlm.hidden(x, mask, torch.arange(length)[None])).float().log_softmax(-1)[0]
    wanted = sum(float(logs[len(encoded.prefix) + k - 1, token]) for k, (token, label)
                 in enumerate(zip(encoded.ids, encoded.labels)) if label != -100)
    others = [with_answer(s, "a blue star left of the moon") for s in samples]
    weighed = list(seen(model, [s.images for s in samples]).weigh([*others, sample]))
    assert weighed[-1] == pytest.approx(wanted, rel=1e-4)


def test_regions_are_weighed_and_what_cannot_be_is_none(model, samples):
    view = seen(model, [samples[0].images])
    box = with_answer(samples[0], Regions((Box(4, 6, 40, 50),)))
    outside = Sample(samples[0].images, (user("What is in", Box(200, 200, 210, 210)), Turn("assistant", ("x",))))
    values = list(view.weigh([box, outside, samples[0]]))
    assert values[0] < 0 and values[1:] == [None, None]


def test_drawn_answers_belong_to_their_sample_and_seed(model, samples):
    view = seen(model, [s.images for s in samples])
    draw = lambda some, seed, heat=1.5: [a.raw for a in view.sampled(some, heat, seed)]  # noqa: E731
    first = draw(samples, 0)
    assert draw(samples[::-1], 0)[::-1] == first and draw(samples[2:3], 0) == first[2:3]
    assert draw(samples, 1) != first
    assert draw(samples, 0, 1e-4) == [a.raw for a in view.answer(samples)]


def test_broken_pictures_are_said(model, samples):
    torn = Image(data=picture(3).bytes()[:200])
    broken = Sample((torn,), samples[0].turns)
    view = seen(model, [(torn,), samples[0].images])
    said = list(view.answer([broken, samples[0]]))
    assert said[0].problems[0].kind == "picture" and said[1].raw
    assert list(view.weigh([with_answer(broken, "x")])) == [None]
