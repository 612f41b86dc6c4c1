"""Step-by-step checks: what the grammar lets through is exactly what reads without problems."""

import random

import pytest
from drawn import KINDS, answers, frames, regions
from hypothesis import given, settings
from hypothesis import strategies as st

from loupe.codec import CODECS, codec
from loupe.errors import CodecError
from loupe.frame import frame
from loupe.regions import Box, Colour, Point
from loupe.sample import Found, Regions

MADE = frame("smart-resize", 300, 200, 0)
SIZE = MADE.width, MADE.height
# characters a walk may try: all that any family uses, and words
LETTERS = '[](){}<>,.;:" \n0123456789_xyvabcefijklmnopdrstTB/2|'
PIECES = [*LETTERS, "[0.", "<x_5>", "<y_5>", "{<7><7>", '{"bbox_2d": [', "<box>0.", "0.100,", "]", "<p>"]


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_written_answers_go_through(name, data):
    made = data.draw(frames())
    text, size = data.draw(answers(name, made)), (made.width, made.height)
    assert all(CODECS[name].extends(text[:cut], size=size) for cut in range(len(text) + 1))
    assert CODECS[name].complete(text, size=size)
    box = CODECS[name].text(data.draw(regions(made, "box")), made)
    for kind in (None, "box", "boxes"):
        assert all(CODECS[name].extends(box[:cut], kind, size) for cut in range(len(box) + 1))
        assert CODECS[name].complete(box, kind, size) and not CODECS[name].complete(box[:-1], kind, size)
    assert not CODECS[name].extends(box, "text", size)


def walk(name: str, kind: str | None, rng: random.Random, longest: int = 140) -> str | None:
    """A random text that the grammar lets through; None if it did not end."""
    walker = CODECS[name].walker(kind, SIZE)
    # words seldom turn into a region by chance: start some walks somewhere inside a region
    part = rng.choice([Box(10, 20, 90, 100), Regions((Box(10, 20, 90, 100), Box(1, 2, 3, 4)), "cup")])
    written = CODECS[name].text(part, MADE)
    text = written[:rng.randrange(len(written))] if kind != "text" else ""
    text = text if walker.at(text) is not None else ""
    state = walker.at(text)
    while state is not None and len(text) < longest:
        if walker.ends(state) and rng.random() < 0.1:
            return text
        letters = list(LETTERS)
        rng.shuffle(letters)
        for c in letters:
            moved = walker.advance(state, c)
            if moved is not None:
                state, text = moved, text + c
                break
        else:
            assert walker.ends(state), f"dead end after {text!r}"
            return text
        more = walker.forced(state)
        state, text = walker.advance(state, more), text + more
    return text if state is not None and walker.ends(state) else None


@pytest.mark.parametrize("name", CODECS)
def test_random_walks_read_without_problems(name):
    rng, kinds = random.Random(1), [None, "text", "box", "boxes"] + (["point"] if "point" in KINDS[name] else [])
    found = 0
    for kind in kinds * 12:
        text = walk(name, kind, rng)
        if text is None:
            continue
        parsed = CODECS[name].parse(text, MADE)
        assert parsed.problems == (), text
        read = [p for p in parsed.parts if not isinstance(p, str)]
        found += len(read)
        if kind == "box":
            assert len(read) == 1 and isinstance(read[0].region, Box)
        elif kind == "point":
            assert len(read) == 1 and isinstance(read[0].region, Point)
        elif kind == "boxes":
            assert read and all(isinstance(f.region, Box) for f in read)
        elif kind == "text":
            assert not read
    assert found > 20


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(sorted(CODECS)), text=st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_complete_means_no_problems(name, text):
    codec = CODECS[name]
    problems = codec.parse(text, MADE).problems
    assert codec.complete(text, size=SIZE) == (not problems)
    if not codec.extends(text, size=SIZE):
        assert problems


def test_inside_out_boxes_cannot_be_written():
    assert codec("pink").extends("[0.500,0.500,0.5") and not codec("pink").extends("[0.500,0.500,0.4")
    assert not codec("pink").extends("[0.500,0.500,0.500,0.49")
    assert codec("pink").forced("[0.999,0.500,", "box") == "" and codec("pink").forced("[1.000,", "box") == ""
    assert codec("pink").forced("[1", "box") == ".000,"
    assert codec("pink").forced("[1.000,0.300,", "box") == "1.000,"
    assert codec("xy").extends("<x_50><y_50><x_5", "box") and not codec("xy").extends("<x_50><y_50><x_4>", "box")
    assert not codec("xy").extends("<x_50><y_50><x_4", "box")  # 40 to 49 would follow, and nothing above
    assert codec("xy").forced("<x_50", "box") == "><y_" and codec("xy").forced("", "box") == ""
    assert not codec("minigpt").extends("{<101") and codec("minigpt").extends("{<100")
    assert codec("qwen2.5-vl").extends("[1, 2, 3, 400", "box")  # the picture's size is not known
    assert not codec("qwen2.5-vl").extends("[1, 2, 3, 400", "box", (308, 196))


def test_kinds_keep_to_their_kind():
    pink = codec("pink")
    assert pink.complete("[0.100,0.200,0.300,0.400]", "box") and pink.complete(" [0.100,0.200,0.300,0.400]", "box")
    assert not pink.extends("The", "box") and not pink.complete("", "box")
    assert not pink.extends("[0.100,0.200]", "box") and pink.complete("[0.100,0.200]", "point")
    two = "[0.100,0.200,0.300,0.400] [0.100,0.200,0.300,0.400]"
    assert pink.complete(two, "boxes") and not pink.extends(two, "box")
    assert pink.complete("[1] and [3 cats]", "text")
    with pytest.raises(CodecError, match="unknown kind"):
        pink.extends("", "circle")
    with pytest.raises(CodecError, match="polygon"):
        pink.extends("", "polygon")


def test_states_are_values_and_stay_small():
    text = codec("pink").text(Regions((Box(1, 2, 30, 40),) * 30), MADE) + codec("pink").text(Colour(1, 2, 3), MADE)
    walker = codec("pink").walker()
    state, sizes = walker.start, []
    for c in text:
        state = walker.advance(state, c)
        sizes.append(len(state.threads) + len(state.free))
    assert max(sizes) < 12
    assert walker.advance(walker.start, text) == state
    assert [f for f in codec("pink").parse(text, MADE).parts if isinstance(f, Found)]
