"""Writing and reading: each family's form by hand, the size of the error, its direction, and the value itself."""

import json
from collections import Counter

import numpy as np
import pytest
from drawn import KINDS, answers, frames, regions
from hypothesis import given, settings
from hypothesis import strategies as st

from loupe.codec import CODECS, Codec, codec
from loupe.errors import CodecError, ConfigError
from loupe.frame import Frame, frame
from loupe.regions import Box, Colour, Mask, Point, Polygon
from loupe.sample import Found, Regions

WIDE = frame("squash", 640, 480, 224)
BOX, TWO = Box(64, 120, 320, 360), Regions((Box(64, 120, 320, 360), Box(0, 0, 640, 480)))
CUP = Regions(TWO.regions[:1], "the cup")
CUPS = Regions(TWO.regions, "the cup")
TRIANGLE = Polygon(((64, 120), (320, 120), (320, 360)))

# 640 x 480: x 64 is .1, 320 is .5; y 120 is .25, 360 is .75
FORMS = [
    ("xy", BOX, "<x_10><y_25><x_50><y_75>"),
    ("xy", TWO, "<x_10><y_25><x_50><y_75> <x_0><y_0><x_100><y_100>"),
    ("xy", Point(320, 120), "<x_50><y_25>"),
    ("xy", TRIANGLE, "<x_10><y_25><x_50><y_25><x_50><y_75>"),
    ("xy", Colour(255, 0, 102), "<v_100><v_0><v_40>"),
    ("pink", BOX, "[0.100,0.250,0.500,0.750]"),
    ("pink", CUPS, "[0.100,0.250,0.500,0.750] [0.000,0.000,1.000,1.000]"),
    ("pink", Point(320, 120), "[0.500,0.250]"),
    ("pink", Colour(255, 0, 102), "[255,0,102]"),
    ("chatspot", BOX, "<box>0.100,0.250,0.500,0.750</box>"),
    ("chatspot", Point(320, 120), "<box>0.500,0.250</box>"),
    ("chatspot", TRIANGLE, "<box>0.100,0.250,0.500,0.250,0.500,0.750</box>"),
    ("lyrics", BOX, "<Bbox>(0.100,0.250),(0.500,0.750)</Box>"),
    ("lyrics", CUP, "<br><T>the cup</T><Bbox>(0.100,0.250),(0.500,0.750)</Box></br>"),
    ("lyrics", CUPS, "<br><T>the cup</T><Bbox>(0.100,0.250),(0.500,0.750)</Box>"
                     "<Bbox>(0.000,0.000),(1.000,1.000)</Box></br>"),
    ("minigpt", BOX, "{<10><25><50><75>}"),
    ("minigpt", Box(70, 124, 325, 364), "{<10><25><50><75>}"),
    ("minigpt", CUPS, "<p>the cup</p> {<10><25><50><75>}<delim>{<0><0><100><100>}"),
    ("pae", Box(70, 124, 325, 364), "{<11><26><51><76>}"),
    ("pae", Point(320, 120), "[50,25]"),
    ("pae", Colour(255, 0, 102), "[255,0,102]"),
    # padded to 640 x 640, the picture 80 below the top: y 120 is 200 / 640
    ("shikra", BOX, "[0.100,0.312,0.500,0.688]"),
    ("shikra", TWO, "[0.100,0.312,0.500,0.688;0.000,0.125,1.000,0.875]"),
    ("shikra", Point(320, 120), "[0.500,0.312]"),
    # smart resize: 640 / 28 = 22.86 -> 644, 480 / 28 = 17.14 -> 476
    ("qwen2.5-vl", BOX, "[64, 119, 322, 357]"),
    ("qwen2.5-vl", CUP, '[{"bbox_2d": [64, 119, 322, 357], "label": "the cup"}]'),
    ("qwen2.5-vl", CUPS, '[{"bbox_2d": [64, 119, 322, 357], "label": "the cup"}, '
                         '{"bbox_2d": [0, 0, 644, 476], "label": "the cup"}]'),
    ("qwen2.5-vl", Regions((Point(320, 120),), 'a "cup"'), '[{"point_2d": [322, 119], "label": "a \\"cup\\""}]'),
    ("qwen2-vl", BOX, "<|box_start|>(100,250),(500,750)<|box_end|>"),
    ("qwen2-vl", CUPS, "<|object_ref_start|>the cup<|object_ref_end|><|box_start|>(100,250),(500,750)<|box_end|>"
                       "<|box_start|>(0,0),(1000,1000)<|box_end|>"),
    ("qwen2-vl", Point(320, 120), "<|box_start|>(500,250)<|box_end|>"),
    ("qwen3-vl", BOX, "[100, 250, 500, 750]"),
    ("qwen3-vl", CUP, '[{"bbox_2d": [100, 250, 500, 750], "label": "the cup"}]'),
    # padded to 640 x 640 as for shikra, two decimals: 200 / 640 = .3125
    ("llava", BOX, "[0.10, 0.31, 0.50, 0.69]"),
    ("llava", Point(320, 120), "[0.50, 0.31]"),
    ("ferret", BOX, "[100, 250, 500, 750]"),
    ("ferret", Box(64.6, 120.4, 320.6, 360.4), "[100, 250, 500, 750]"),  # int(), as the family does
    ("ferret", Point(320, 120), "[500, 250]"),
    ("internvl", BOX, "<box>[[100, 250, 500, 750]]</box>"),
    ("internvl", CUPS, "<ref>the cup</ref><box>[[100, 250, 500, 750], [0, 0, 1000, 1000]]</box>"),
]


def own_frame(name: str, width: int = 640, height: int = 480) -> Frame:
    return frame(CODECS[name].frame or "squash", width, height, 224)


@pytest.mark.parametrize("name, part, text", FORMS)
def test_forms_by_hand(name, part, text):
    made = own_frame(name)
    assert CODECS[name].text(part, made) == text
    parsed = CODECS[name].parse(f"a {text} b", made)
    assert parsed.problems == ()
    assert parsed.parts[0] == "a " and parsed.parts[-1] == " b"
    found = [p for p in parsed.parts if isinstance(p, Found)]
    tied = [g for g in CODECS[name].groups if g.tied]
    if isinstance(part, Regions):
        assert len(found) == len(part.regions)
        assert {f.phrase for f in found} == {part.phrase if tied else ""}


def flat(region) -> list[float]:
    if isinstance(region, Point):
        return [region.x, region.y]
    return list(region.xyxy) if isinstance(region, Box) else [v for p in region.points for v in p]


def steps(region, made: Frame, name: str) -> np.ndarray:
    """Coordinates in the codec's own bins."""
    values = np.array(flat(made.to_model(region)))
    if CODECS[name].space == "pixels":
        return values
    return values / np.resize([made.width, made.height], values.size) * CODECS[name].numbers("box")[0].grid


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_round_trip_within_half_a_bin(name, data):
    made = data.draw(frames())
    kind = data.draw(st.sampled_from([k for k in KINDS[name] if k != "colour"]))
    region = data.draw(regions(made, kind))
    parsed = CODECS[name].parse(CODECS[name].text(region, made), made)
    assert parsed.problems == () and len(parsed.parts) == 1
    back = parsed.parts[0].region
    assert type(back) is type(region)
    error = steps(back, made, name) - steps(region, made, name)
    low, high = (-1, 0) if CODECS[name].rounding == "down" else (-0.5, 0.5)
    assert error.min() >= low - 1e-5 and error.max() <= high + 1e-5


@pytest.mark.parametrize("name", [n for n in CODECS if "colour" in KINDS[n]])
def test_colours_come_back(name):
    for value in range(256):
        colour = Colour(value, 255 - value, 7)
        back, = CODECS[name].parse(CODECS[name].text(colour, WIDE), WIDE).parts
        worst = max(abs(a - b) for a, b in zip((back.r, back.g, back.b), (value, 255 - value, 7)))
        assert worst <= (1.8 if name == "xy" else 0)  # half of 255 / 100, and half of one


def bias(name: str, made: Frame, boxes: np.ndarray) -> np.ndarray:
    """Mean signed error of the four edges, in bins, away from the clamped borders."""
    total = []
    for xyxy in boxes:
        box = Box(*xyxy)
        back = CODECS[name].parse(CODECS[name].text(box, made), made).parts[0].region
        total.append(steps(back, made, name) - steps(box, made, name))
    return np.mean(total, 0)


@pytest.mark.parametrize("name", CODECS)
def test_mean_signed_error(name):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0.01, 0.99, (500, 2, 2)) * (617, 431)
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    mean = bias(name, own_frame(name, 617, 431), boxes)
    expected = -0.5 if CODECS[name].rounding == "down" else 0.0
    # uniform errors: standard error 0.29 / sqrt(500) = 0.013
    assert np.abs(mean - expected).max() < 0.05


def test_ties_favour_no_direction():
    made = frame("squash", 200, 200, 100)  # odd pixels lie exactly between two hundredths
    boxes = np.array([[x, x, x + 100, x + 100] for x in range(1, 99, 2)], float)
    assert np.abs(bias("pae", made, boxes)).max() < 0.02


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(CODECS)))
def test_reading_back_and_writing_gives_the_text(name, data):
    made = data.draw(frames())
    text = data.draw(answers(name, made))
    parsed = CODECS[name].parse(text, made)
    assert parsed.problems == ()
    assert CODECS[name].write(parsed.parts, made) == text


def test_internvl_without_its_special_tokens_is_a_repair():
    parsed = codec("internvl").parse("the cup[[100, 250, 500, 750]]", WIDE)
    assert [p.kind for p in parsed.problems] == ["garbage"]
    assert parsed.problems[0].repair.xyxy == pytest.approx(BOX.xyxy)


def test_neighbouring_founds_of_two_tags_are_two_groups():
    made = own_frame("pae")
    parts = [Found(BOX, phrase="cup"), Found(Box(0, 0, 64, 120), phrase="dog")]
    assert codec("pae").write(parts, made) == "<p>cup</p> {<10><25><50><75>} <p>dog</p> {<0><0><10><25>}"
    assert codec("qwen2.5-vl").write(parts, own_frame("qwen2.5-vl")) == (
        '[{"bbox_2d": [64, 119, 322, 357], "label": "cup"}, {"bbox_2d": [0, 0, 64, 119], "label": "dog"}]')


def test_what_the_model_does_not_see_is_clipped():
    crop = Frame(640, 480, 224, 224, Box(100, 100, 300, 300))
    assert codec("pink").text(Box(0, 0, 200, 640), crop) == "[0.000,0.000,0.500,1.000]"
    assert codec("pink").text(Box(120, 100, 120, 100), crop) == "[0.100,0.000,0.100,0.000]"  # empty as given
    for region in (Box(0, 0, 100, 100), Box(301, 0, 640, 480), Point(99, 200), Polygon(((0, 0), (9, 0), (9, 9))),
                   Box(0, 150, 100, 200), Box(150, 300, 200, 400)):  # what touches an edge shows nothing
        with pytest.raises(CodecError, match="outside"):
            codec("xy").text(region, crop)


def test_what_cannot_be_written_says_what_to_do():
    mask = Mask(2, 2, (1, 3))
    for name in CODECS:
        with pytest.raises(CodecError, match=r"region\.box"):
            CODECS[name].text(mask, frame("squash", 2, 2, 224))
    for name in ("pink", "lyrics", "minigpt", "pae", "shikra", "qwen2.5-vl"):
        with pytest.raises(CodecError, match="polygon.*region.box"):
            CODECS[name].text(TRIANGLE, WIDE)
    with pytest.raises(CodecError, match="no region"):
        codec("pink").text(Regions(()), WIDE)
    with pytest.raises(ConfigError, match="did you mean 'pink'"):
        codec("pnk")


def test_phrases_cannot_break_the_marks():
    made = own_frame("lyrics")
    text = codec("lyrics").text(Regions((BOX,), "a</T><b>\nc"), made)
    parsed = codec("lyrics").parse(text, made)
    assert [f.phrase for f in parsed.parts] == ["a /T> b> c"] and not parsed.problems
    assert codec("lyrics").text(Regions((BOX,), " \n"), made) == codec("lyrics").text(BOX, made)


@pytest.mark.parametrize("name", CODECS)
def test_codec_is_a_value(name):
    value = CODECS[name]
    back = Codec.from_spec(json.loads(json.dumps(value.spec())))
    assert back == value and hash(back) == hash(value) and back.same(value)
    assert [n for n in CODECS if CODECS[n].same(back)] == [name]
    assert back.text(BOX, WIDE) == value.text(BOX, WIDE)


def test_foreign_descriptions_are_refused():
    for spec in ({}, {"name": "x"}, {**codec("pink").spec(), "digits": 3}, "pink"):
        with pytest.raises(CodecError, match="no codec description"):
            Codec.from_spec(spec)
    with pytest.raises(CodecError, match="unknown node"):
        Codec.from_spec({**codec("pink").spec(), "groups": [{"node": "Circle"}]})


def test_tokens_of_the_miniature():
    xy = codec("xy")
    assert len(xy.tokens) == 303 == len(set(xy.tokens))
    assert Counter(axis for axis, _ in xy.starts.values()) == {"x": 101, "y": 101, "value": 101}
    assert xy.starts["<y_25>"] == ("y", 0.25) and xy.starts["<v_100>"] == ("value", 1.0)
    assert codec("chatspot").tokens == ("<box>", "</box>") and codec("pink").tokens == ()
    every = "".join(xy.text(Box(k, k, k, k), frame("squash", 100, 100, 96)) for k in range(101))
    assert all(t in xy.tokens for t in every.replace("><", "> <").split())
