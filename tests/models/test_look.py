"""Shared prefixes against one question at a time without a cache; grammars an untrained model cannot break."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_parts import CLIP, LLAMA, QWEN3, picture

from loupe.codec import codec
from loupe.dialogue import dialogue
from loupe.errors import ConfigError
from loupe.models.assembly import build
from loupe.models.decoding import Rows, see
from loupe.models.look import Limits, Look, answer, chunks, turn
from loupe.models.spec import BridgeSpec, LanguageSpec, ModelSpec, VisionSpec
from loupe.models.tokenizer import train_tokenizer
from loupe.predictors.seen import SeenBy
from loupe.regions import Box, Point
from loupe.sample import Found, ImageMark, Sample, assistant, user

TEXTS = ["a red cup next to the plate", "where is the blue box?", "[0.123,0.456,0.789,0.012]",
         "USER: ASSISTANT: 0123456789", "how many circles are there? three of them, two of which overlap",
         "<box>[<x1><y2>]</box> {<12><34><56><78>}"]
QUESTIONS = ["where is the red cup?", "how many?", "what is next to the plate, and where is the blue box there?", "a?"]


def tiny(language=LLAMA, marks="pink", words="mini", seed=1, wide=True, attention="sdpa"):
    """An untrained model; `wide` weights make its answers differ."""
    spec = ModelSpec(VisionSpec(config=CLIP, size=24), BridgeSpec(), LanguageSpec(config=language, attention=attention),
                     marks, words)
    tokens = [*codec(marks).tokens, *dialogue(words).tokens]
    tokenizer = train_tokenizer(TEXTS, 320 + len(tokens), tokens)
    model = build(spec, seed=seed, tokenizer=tokenizer).eval()
    if not wide:
        return model
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        for name, p in model.named_parameters():
            if p.dim() > 1 and "vision" not in name:
                p.copy_(torch.randn(p.shape, generator=generator) * (1.0 if "embed" in name else 0.3))
    return model


@torch.no_grad()
def alone(model, sample, most):
    """Greedy decoding with nothing shared and nothing kept: the whole sequence again for every token."""
    encoder = model.encoder
    encoded = encoder.encode([sample])[0]
    seen = model.see(torch.from_numpy(encoder.pixels(sample.images)))
    ids, out, logs = [*encoded.prefix, *encoded.ids], [], []
    while len(out) < most and tuple(out[-len(encoder.stop):]) != encoder.stop:
        line = torch.tensor([ids + out])
        n = line.shape[1]
        hidden = model.hidden(model.embed(line, seen), causal(n), torch.arange(n)[None])
        step = model.logits(hidden[0, -1]).log_softmax(-1)
        out.append(int(step.argmax()))
        logs.append(float(step.max()))
    return encoder.decode(out), logs


def causal(n):
    return torch.ones(1, 1, n, n, dtype=torch.bool).tril()


def samples(images, texts=QUESTIONS):
    return [Sample(tuple(images), (user(text),)) for text in texts]


@pytest.mark.parametrize("language", [LLAMA, QWEN3], ids=["llama", "qwen3"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_shared_answers_equal_answers_alone(language, attention):
    model = tiny(language, attention=attention)
    images = [picture(1)]
    asked = samples(images)
    asked.append(Sample((images[0],), (user("how many?"), assistant("three"), user("where is", Box(1, 2, 30, 20)))))
    together = Look.at(model, images, Limits(answer=12)).answers(asked)
    assert len({a.raw for a in together}) > 2
    for sample, found in zip(asked, together):
        text, logs = alone(model, sample, 12)
        assert found.raw == model.encoder.dialogue.answer(text)
        assert found.score == pytest.approx(math.exp(sum(logs) / len(logs)), rel=1e-4)


@pytest.mark.parametrize("language", [LLAMA, QWEN3], ids=["llama", "qwen3"])
def test_logits_are_those_of_the_whole_sequence(language):
    model = tiny(language, wide=False)
    looks = [(picture(1),), (picture(2, 30, 40),)]
    prefix = see(model, looks)
    asked = [s for images in looks for s in samples(images)]
    owners = [0] * 4 + [1] * 4
    rows = Rows(model, prefix, owners, [model.encoder.body(s)[0] for s in asked], 8)
    with torch.no_grad():
        logits = [rows.ask()]
        for token in (7, 8, 9):
            logits.append(rows.step([token] * 8))
        rows.keep([1, 6])
        logits.append(rows.step([11, 11]))
        for k, sample in enumerate(asked):
            encoded = model.encoder.encode([sample])[0]
            ids = [*encoded.prefix, *encoded.ids, 7, 8, 9, 11]
            n = len(ids)
            seen = model.see(torch.from_numpy(model.encoder.pixels(sample.images)))
            hidden = model.hidden(model.embed(torch.tensor([ids]), seen), causal(n), torch.arange(n)[None])
            whole = model.logits(hidden[0, n - 5:]).float()
            for t in range(4):
                assert torch.allclose(logits[t][k], whole[t], atol=1e-5)
            if k in (1, 6):
                assert torch.allclose(logits[4][(1, 6).index(k)], whole[4], atol=1e-5)


def test_batches_of_any_size_answer_alike():
    model = tiny()
    images = [picture(1)]
    asked = samples(images, QUESTIONS * 2)
    whole = [a.raw for a in Look.at(model, images, Limits(answer=16)).answers(asked)]
    for limits in (Limits(rows=1, answer=16), Limits(rows=5, answer=16), Limits(tokens=1, answer=16)):
        assert [a.raw for a in Look.at(model, images, limits).answers(asked)] == whole


def test_batches_keep_to_their_limits():
    """Three questions of 4 tokens behind 10, with room for 6: 20 each."""
    bodies = [(1,) * 4] * 3
    for tokens, rows, sizes in ((60, 9, [3]), (59, 9, [2, 1]), (60, 2, [2, 1]), (1, 9, [1, 1, 1])):
        made = chunks([2, 0, 1], bodies, 10, Limits(rows=rows, tokens=tokens, answer=6))
        assert [len(chunk) for chunk in made] == sizes
    room = [Limits(answer=6, constrain=kind).longest for kind in (None, "boxes", "free", "box", "point", "colour")]
    assert room == [6, 6, 6, 96, 96, 96] and Limits(answer=200, constrain="box").longest == 200


def test_several_pictures_and_pictures_inside_a_question():
    model = tiny()
    two = [picture(1), picture(2)]
    asked = samples(two) + [Sample(tuple(two), (user("how many in", ImageMark(1), "?"),))]
    assert len(model.encoder.encode(asked)[4].prefix) < len(model.encoder.prefix(two))  # one picture comes later
    for sample, found in zip(asked, Look.at(model, two, Limits(answer=12)).answers(asked)):
        assert found.raw == model.encoder.dialogue.answer(alone(model, sample, 12)[0])
    talk = Look.at(model, two, Limits(answer=12)).talk()
    first = talk.say("how many in", ImageMark(1), "?")
    assert first.raw == model.encoder.dialogue.answer(alone(model, Sample(tuple(two), talk.turns[:1]), 12)[0])
    second = talk.say("a red cup?")
    assert second.raw == model.encoder.dialogue.answer(alone(model, Sample(tuple(two), talk.turns[:3]), 12)[0])
    none = Sample((), (user("how many?"),))
    assert Look.at(model, [], Limits(answer=12)).ask("how many?").raw == model.encoder.dialogue.answer(
        alone(model, none, 12)[0])


def test_conversation_equals_asking_the_whole_history_anew():
    model = tiny(seed=3)
    image = picture(4)
    talk, turns, fed = Look.at(model, [image], Limits(answer=10)).talk(), (), []
    for text in ("where is the red cup?", "how many?", "and where is the plate?"):
        said = talk.say(text)
        fresh = Sample((image,), (*turns, user(text)))
        assert said.raw == model.encoder.dialogue.answer(alone(model, fresh, 10)[0])
        turns = talk.turns
        fed.append(len(talk._ids))
        known = talk._prefix.layers[0][0]
        assert known.shape[2] == talk._prefix.length == talk.look.prefix.length + len(talk._ids)
    assert len(turns) == 6 and fed == sorted(fed)


@pytest.mark.parametrize("name", ["xy", "pink", "chatspot", "minigpt"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_box_is_one_box_however_little_the_model_knows(name, seed):
    model = tiny(marks=name, seed=seed)
    look = Look.at(model, [picture(seed, 60, 40)], Limits(answer=64))
    for found in look.answers(QUESTIONS, constrain="box"):
        assert not found.problems and len(found.regions) == 1 and isinstance(found.regions[0], Box), found.raw
        assert not found.text.strip()
        assert 0 <= found.regions[0].x1 <= found.regions[0].x2 <= 60.001
        assert 0 < found.found[0].score <= 1
    assert any(a.problems or not a.regions for a in look.answers(QUESTIONS))  # unheld, it does break the form


@pytest.mark.parametrize("kind", ["boxes", "point", "free", "text"])
def test_other_forms_hold_too(kind):
    model = tiny(marks="pink", seed=2)
    for found in Look.at(model, [picture(1)], Limits(answer=40)).answers(QUESTIONS, constrain=kind):
        assert not found.problems
        if kind == "point":
            assert len(found.regions) == 1 and isinstance(found.regions[0], Point)
        if kind == "boxes":
            assert found.regions and all(isinstance(r, Box) for r in found.regions)
        if kind == "text":
            assert not found.regions


def test_scores_belong_to_the_tokens_of_their_region():
    from loupe.models.decoding import Generated
    from loupe.models.look import read

    model = tiny()
    encoder = model.encoder
    text = "the cup [0.100,0.200,0.300,0.400] and [0.500,0.500,0.600,0.600]"
    ids = encoder.tokenizer.encode(text, add_special_tokens=False)
    pieces = [encoder.decode([i]) for i in ids]
    bracket, logs = 0, []
    for piece in pieces:
        bracket += "[" in piece
        logs.append(math.log((0.9, 0.5, 0.25)[bracket]))
    said = read(model, samples([picture(1)])[0], Generated(ids, logs, False))
    assert said.raw == text
    assert [f.score for f in said.found] == pytest.approx([0.5, 0.25], rel=0.1)
    assert said.score == pytest.approx(math.exp(sum(logs) / len(logs)))


def test_words_and_regions_are_spaced_as_one_would_type():
    box = Box(1, 2, 3, 4)
    assert [p if isinstance(p, str) else "R" for p in turn("What is in", box, "?").parts] == ["What is in ", "R", "?"]
    assert [p if isinstance(p, str) else "R" for p in turn("Is ", box, "left of", box).parts] == [
        "Is ", "R", " left of ", "R"]
    for nothing in ((), ("",), (ImageMark(0),)):
        with pytest.raises(ConfigError, match="no question"):
            turn(*nothing)


def test_half_precision_answers():
    look = Look.at(tiny(QWEN3).to(torch.bfloat16), [picture(1)], Limits(answer=20))
    assert all(len(a.regions) == 1 and a.score > 0 for a in look.answers(QUESTIONS, constrain="box"))


def test_locate_and_describe():
    look = Look.at(tiny(), [picture(1)], Limits(answer=40))
    for phrase, found in zip(QUESTIONS, look.locate_each(QUESTIONS, constrain="box")):
        assert len(found) == 1 and isinstance(found[0], Found) and found[0].phrase == phrase
    assert look.locate("the red cup") == tuple(look.locate_each(["the red cup"])[0])
    assert look.describe(Box(1, 1, 20, 20)).raw
    with pytest.raises(ConfigError, match="cannot hold an answer"):
        look.ask("where?", constrain="bx")


def test_too_long_a_question_says_so():
    model = tiny()
    model.encoder.max_length = 200
    look = Look.at(model, [picture(1)])
    with pytest.raises(ConfigError, match="does not fit"):
        look.ask("how many? " * 60)
    assert answer(model, look.prefix, [], [], Limits()) == []


def test_a_picture_inside_a_question_needs_room_once():
    """The look's own prefix is no part of such a question."""
    model, shown = tiny(), picture(1)
    look, inside = Look.at(model, [shown]), Sample((shown,), (user("before", ImageMark(0), "where?"),))
    length = len(model.encoder.encode([inside])[0])
    model.encoder.max_length = length + 4
    assert look.prefix.length > 4
    assert look.answers([inside]) == look.answers([inside, inside])[1:]
    assert [a.raw for a in SeenBy(model, [(shown,)], Limits()).answer([inside])] == [look.answers([inside])[0].raw]
