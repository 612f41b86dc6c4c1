"""Models of other families: the same tokens as transformers' own generation, their own coordinates, shared looks."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from foreign_models import write

import loupe
from loupe.codec import codec
from loupe.errors import CheckpointError, ConfigError, LoupeError
from loupe.image import Image
from loupe.predictor import seen
from loupe.predictors.foreign import Foreign
from loupe.regions import Box, Point
from loupe.sample import ImageMark, Regions, Sample, Turn, assistant, user

KINDS = ("qwen2_5_vl", "qwen2_vl", "qwen3_vl", "llava")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = write(kind, tmp_path_factory.mktemp("foreign") / kind)
        return made[kind]

    return folder


@pytest.fixture(scope="module")
def models(folders):
    made = {}

    def model(kind) -> Foreign:
        if kind not in made:
            made[kind] = loupe.load(folders(kind), device="cpu", answer=8)
        return made[kind]

    return model


def picture(seed: int, width=90, height=60) -> Image:
    return Image.of(np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8))


def asked() -> list[Sample]:
    one, two = picture(1), picture(2, 60, 100)
    return [Sample((one,), (user("Where is the red cup?"),), "grounding", "a"),
            Sample((one,), (user("What is in ", Box(4, 6, 40, 50), "?"),), "", "b"),
            Sample((two,), (user("What?"), assistant("a cup"), user("Where?")), "", "c"),
            Sample((one, two), (user(ImageMark(0), "or", ImageMark(1), "?"),), "", "d"),
            Sample((), (user("Hello?"),), "", "e")]


def ended(logits, stops):
    """Whatever ends an answer counts as the first of the stops."""
    logits = logits.float().clone()
    logits[..., stops[0]] = logits[..., list(stops)].logsumexp(-1)
    logits[..., list(stops[1:])] = float("-inf")
    return logits


def by_transformers(model: Foreign, sample: Sample, most: int) -> tuple[list[int], float]:
    """(ids of a greedy answer by `generate` on the whole sequence, mean log-probability): none of loupe's decoding."""
    import torch

    from loupe.predictors.spoken import messages

    chat, framing = model.chat, model.framing
    frames = [framing.frame(*size) for size in sample.sizes]
    said = messages(sample, model.codec, frames, model.behind)
    shown = [f.picture(i) if chat.processor else chat.pixels(f.picture(i)) for f, i in zip(frames, sample.images)]
    ids, tensors, _ = chat.encode(said, shown, False)
    ids = torch.tensor([ids])
    if hasattr(model.model.model, "rope_deltas"):
        tensors["mm_token_type_ids"] = (ids == chat.mark_id).long()
        model.model.model.rope_deltas = None
    with torch.inference_mode():
        out = model.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **tensors, max_new_tokens=most,
                                   do_sample=False, return_dict_in_generate=True, output_scores=True, pad_token_id=0,
                                   logits_processor=[lambda _, scores: ended(scores, model.encoder.stops)])
    new = out.sequences[0, ids.shape[1]:].tolist()
    logs = [float(step[0].float().log_softmax(-1)[token]) for step, token in zip(out.scores, new)]
    if new[-1] in model.encoder.stops:
        new = new[:-1]
    return new, sum(logs) / len(logs)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_transformers(models, kind):
    model, samples = models(kind), asked()
    for sample, answer in zip(samples, model.answer(samples)):
        ids, mean = by_transformers(model, sample, 8)
        assert answer.raw == model.encoder.decode(ids).removeprefix(" "), sample.id
        assert np.log(answer.score) == pytest.approx(mean, rel=1e-3)


def test_other_families_go_through_their_own_processor(folders):
    """LLaVA-NeXT cuts pictures into tiles; its codec has to be named, and places are fractions of the whole picture."""
    model = loupe.load(f"{folders('llava_next')}#codec=pink", device="cpu", answer=8)
    assert model.framing.name == "whole" and model.chat.processor is not None
    samples = asked()
    for sample, answer in zip(samples, model.answer(samples)):
        ids, mean = by_transformers(model, sample, 8)
        assert answer.raw == model.encoder.decode(ids).removeprefix(" "), sample.id
        assert np.log(answer.score) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_a_plain_forward(models, kind):
    """The whole sequence through the whole model in one go, transformers' own positions."""
    import torch

    from loupe.predictors.spoken import messages

    model, image = models(kind), picture(1)
    said = [Sample((image,), (user("Where is the cup?"), Turn("assistant", (part,))), "grounding")
            for part in (Regions((Box(4, 6, 40, 50),)), "a cup", Regions((Box(0, 0, 90, 60),)))]
    weighed = list(seen(model, [(image,)]).weigh(said))
    for sample, value in zip(said, weighed):
        chat, frame = model.chat, model.framing.frame(*image.size)
        before, tensors, given = chat.encode(messages(sample, model.codec, [frame], model.behind),
                                             [chat.pixels(frame.picture(image))], True)
        given = [*given, *model.encoder.stop]
        ids = torch.tensor([[*before, *given]])
        if hasattr(model.model.model, "rope_deltas"):
            tensors["mm_token_type_ids"] = (ids == chat.mark_id).long()
            model.model.model.rope_deltas = None
        with torch.inference_mode():
            logits = model.model(input_ids=ids, attention_mask=torch.ones_like(ids), **tensors).logits
            logs = ended(logits, model.encoder.stops).log_softmax(-1)
        wanted = sum(float(logs[0, len(before) + k - 1, token]) for k, token in enumerate(given))
        assert value == pytest.approx(wanted, rel=1e-3)
    assert weighed[0] != weighed[2]


def test_a_picture_is_looked_at_once(models, monkeypatch):
    model = models("qwen2_5_vl")
    looks = []
    tower = model.model.model.visual.forward
    monkeypatch.setattr(model.model.model.visual, "forward", lambda *a, **k: looks.append(1) or tower(*a, **k))
    samples = asked()[:2] * 3
    view = seen(model, [samples[0].images])
    first = [a.raw for a in view.answer(samples)]
    assert [a.raw for a in view.answer(samples[::-1])] == first[::-1]
    list(view.weigh([Sample(s.images, (*s.turns, assistant("x"))) for s in samples]))
    assert len(looks) == 1


@pytest.mark.parametrize("kind, text, box", [
    # 90 x 60: smart resize to multiples of 28 between 3136 and 15680 square pixels gives 84 x 56
    ("qwen2_5_vl", "[42, 14, 84, 56]", (45, 15, 90, 60)),
    ("qwen3_vl", "[500, 250, 1000, 1000]", (45, 15, 90, 60)),
    ("qwen2_vl", "<|box_start|>(500,250),(1000,1000)<|box_end|>", (45, 15, 90, 60)),
    # the square of 90 has 15 pixels above the picture: y 15 is 30 / 90, y 60 is 75 / 90
    ("llava", "[0.50, 0.33, 1.00, 0.83]", (45, 15, 90, 60))])
def test_every_family_has_its_own_pixels(models, kind, text, box):
    model = models(kind)
    frame = model.framing.frame(90, 60)
    assert model.codec.text(Box(*box), frame) == text
    back, = model.codec.parse(text, frame).parts
    assert back.region.xyxy == pytest.approx(box, abs=0.5)


@pytest.mark.parametrize("size", [(90, 60), (60, 100), (300, 200), (20, 20)])
def test_the_frame_is_what_the_processor_would_do(models, size):
    """Qwen: the sizes the family's own smart_resize gives; then nothing is left to resize."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    model = models("qwen2_5_vl")
    frame = model.framing.frame(*size)
    assert (frame.height, frame.width) == smart_resize(size[1], size[0], 28, 56 * 56, 112 * 140)
    shown = frame.picture(picture(3, *size))
    own = model.chat.images(images=shown, return_tensors="np")["pixel_values"]
    assert np.abs(own - model.chat.pixels(shown).tensors["pixel_values"].numpy()).max() < 1e-6


def test_llava_pictures_are_padded_not_cropped(models):
    """Where transformers' processor of the same checkpoint would cut the sides off."""
    model, image = models("llava"), picture(4, 112, 56)
    frame = model.framing.frame(*image.size)
    values = model.chat.pixels(frame.picture(image)).tensors["pixel_values"][0]
    assert values.shape == (3, 56, 56) and float(values[:, :10].abs().max()) < 0.02  # the mean colour is zero
    assert float(values[:, 20:36].std()) > 0.3


def test_answers_can_be_held_to_a_form(models):
    for kind in ("qwen2_5_vl", "llava"):
        look = models(kind).look(picture(1))
        answer = look.ask("Where is the cup?", constrain="box", max_tokens=40)
        assert len(answer.regions) == 1 and not answer.problems and 0 < answer.found[0].score <= 1
        assert answer.regions[0].x2 <= 90.001
        assert look.locate("the cup", constrain="box")[0].phrase == "the cup"


def test_drawn_answers_belong_to_their_sample_and_seed(models):
    view, samples = seen(models("llava"), []), asked()
    first = [a.raw for a in view.sampled(samples, 1.5, 0)]
    assert [a.raw for a in view.sampled(samples[2:3], 1.5, 0)] == first[2:3]
    assert [a.raw for a in view.sampled(samples, 1.5, 1)] != first
    assert [a.raw for a in view.sampled(samples, 1e-4)] == [a.raw for a in view.answer(samples)]


def test_what_cannot_be_asked_is_a_problem(models):
    model = models("qwen2_5_vl")
    torn = Image(data=picture(3).bytes()[:200])
    samples = [Sample((torn,), (user("What?"),)), asked()[0], Sample((picture(1),), (user("In", Box(200, 0, 220, 9)),)),
               Sample((picture(1),), (user("Is this <|image_pad|> a picture?"),)),
               Sample((picture(1),), (user("What?"), assistant("x"))),
               Sample((picture(5, 900, 3),), (user("What?"),)), Sample((picture(1),), (user("word " * 6000),))]
    answers = list(model.answer(samples))
    kinds = [a.problems[0].kind if a.problems else "" for a in answers]
    assert kinds == ["picture", "", "question", "question", "question", "question", "question"]


def test_a_talk_knows_its_earlier_turns(models):
    model, image = models("qwen2_5_vl"), picture(1)
    talk = model.look(image).talk()
    talk.say("What is at", Point(20, 30), "?")
    again = talk.say("Where?")
    if talk.turns and len(talk.turns) == 4:
        whole = Sample((image,), talk.turns[:3])
        assert again.raw == next(model.answer([whole])).raw
    with pytest.raises(LoupeError, match="whole pictures"):
        talk.look.pixels(8)


def test_settings_in_the_name(folders, models):
    plain = loupe.load(f"{folders('llava')}#codec=shikra,frame=pad,hints=off", device="cpu")
    assert plain.codec == codec("shikra") and plain.framing.name == "pad" and plain.identity["hints"] is False
    assert plain.identity["weights"] == models("llava").identity["weights"]
    with pytest.raises(ConfigError, match="did you mean 'codec'"):
        loupe.load(f"{folders('llava')}#codek=shikra")


def test_folders_that_are_no_such_model(folders, tmp_path):
    import json

    def changed(**config):
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(folders("llava"), place)
        file = place / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
        return place

    with pytest.raises(ConfigError, match="name a codec"):
        loupe.load(changed(model_type="llava_onevision"))
    with pytest.raises(CheckpointError, match="no model that looks at pictures"):
        loupe.load(str(changed(model_type="llama")) + "#codec=pink")
    bare = changed()
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointError, match="no chat template"):
        loupe.load(bare)
    blind = changed()
    (blind / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="picture side"):
        loupe.load(blind)
    torn = changed()
    (torn / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError, match="cannot open this model"):
        loupe.load(torn)
    with pytest.raises(CheckpointError, match="cannot open this model"):
        loupe.load("nobody/no-such-model")
