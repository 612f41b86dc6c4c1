"""Every value comes back as it was."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loupe.errors import FileError, RegionError
from loupe.image import Image
from loupe.plain import from_plain, to_plain
from loupe.regions import Box, Colour, Mask, Point, Polygon
from loupe.sample import Answer, Found, ImageMark, Problem, Regions, Sample, Turn, assistant, user

number = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)
index = st.integers(0, 3)
point = st.builds(Point, number, number, index)
box = st.builds(lambda x, y, w, h, i: Box(min(x, w), min(y, h), max(x, w), max(y, h), i),
                number, number, number, number, index)
polygon = st.builds(Polygon, st.lists(st.tuples(number, number), min_size=3, max_size=6).map(tuple), index)
mask = st.builds(lambda bits, i: Mask.from_array(np.reshape(bits, (4, 3)), i),
                 st.lists(st.booleans(), min_size=12, max_size=12), index)
region = point | box | polygon | mask
colour = st.builds(Colour, *[st.integers(0, 255)] * 3)
regions = st.builds(Regions, st.lists(region, min_size=1, max_size=3).map(tuple), st.text(max_size=5))
part = st.text(max_size=20) | regions | colour | st.builds(ImageMark, index)
turn = st.builds(Turn, st.sampled_from(["user", "assistant"]), st.lists(part, max_size=3).map(tuple))
image = st.builds(Image, data=st.binary(min_size=1, max_size=20), upright=st.booleans()) | st.builds(
    Image, path=st.sampled_from(["a.jpg", "/x/y/b.png"]).map(Path), upright=st.booleans())
plain_value = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5) | region,
                           lambda v: st.lists(v, max_size=3).map(tuple) | st.dictionaries(
                               st.sampled_from(["box", "path", "dict", "data", "truth", "image"]), v, max_size=2),
                           max_leaves=5)
sample = st.builds(Sample, st.lists(image, max_size=2).map(tuple), st.lists(turn, max_size=3).map(tuple),
                   st.text(max_size=5), st.text(max_size=5), st.text(max_size=5),
                   st.dictionaries(st.text(max_size=5), plain_value, max_size=2))
problem = st.builds(Problem, st.text(max_size=5), st.text(max_size=5), index, st.text(max_size=5),
                    st.none() | region | colour)
found = st.builds(Found, region, st.none() | st.floats(0, 1), st.text(max_size=5))
answer = st.builds(Answer, st.lists(st.text(max_size=5) | found | colour, max_size=3).map(tuple),
                   st.lists(problem, max_size=2).map(tuple), st.text(max_size=5), st.none() | st.floats(0, 1))


@given(region | colour | turn | sample | answer | image | plain_value)
def test_round_trip_through_json(value):
    back = from_plain(json.loads(json.dumps(to_plain(value))))
    assert back == value and type(back) is type(value)
    if isinstance(value, Sample):
        assert back.extra == value.extra  # not part of equality


def test_the_forms_are_the_stated_ones():
    cup = Regions((Point(5, 6, image=1),), "cup")
    turn = user("What is ", Box(1, 2, 3, 4.5), " in ", ImageMark(1), cup, Colour(1, 2, 3))
    assert to_plain(turn) == {"role": "user", "parts": [
        "What is ", {"regions": [{"box": [1, 2, 3, 4.5]}]}, " in ", {"image_mark": 1},
        {"regions": [{"point": [5, 6], "image": 1}], "phrase": "cup"}, {"colour": [1, 2, 3]}]}
    bits = Mask.from_array([[0, 0], [1, 1]])  # down then right: 0 1 0 1; COCO stores the fourth run less the second
    assert to_plain(bits) == {"mask": {"size": [2, 2], "counts": "1110"}}
    assert to_plain(Polygon(((0, 0), (1, 0), (1, 1)))) == {"polygon": [[0, 0], [1, 0], [1, 1]]}
    assert json.dumps(to_plain(Box(*np.float64([1, 2, 3, 4])))) == '{"box": [1.0, 2.0, 3.0, 4.0]}'


def test_pictures_are_written_relative_to_the_deepest_root(tmp_path):
    roots = {"": tmp_path, "coco": tmp_path / "coco"}
    inside, beside = Image(path=tmp_path / "coco/val2017/1.jpg"), Image(path=tmp_path / "vg/2.jpg")
    assert to_plain(inside, roots) == {"path": "val2017/1.jpg", "root": "coco"}
    assert to_plain(beside, roots) == {"path": "vg/2.jpg"}
    assert to_plain(inside, tmp_path) == {"path": "coco/val2017/1.jpg"}
    assert to_plain(Image(path="/elsewhere/3.jpg"), tmp_path) == {"path": "/elsewhere/3.jpg"}
    for picture in (inside, beside):
        assert from_plain(to_plain(picture, roots), roots) == picture
    moved = from_plain(to_plain(inside, roots), {"coco": "/new"})
    assert moved.path == Path("/new/val2017/1.jpg")
    with pytest.raises(FileError, match="--root coco="):
        from_plain(to_plain(inside, roots), {"": tmp_path})


@pytest.mark.parametrize("data", [{"box": [1, 2, 3]}, {"box": 7}, {"data": "?"}, {"role": "nobody", "parts": []},
                                  {"mask": {"size": [1, 1]}}, {"point": None}])
def test_misshapen_data_is_named(data):
    with pytest.raises(FileError, match="cannot read a stored"):
        from_plain(data)
    with pytest.raises(RegionError, match="inside out"):
        from_plain({"box": [5, 5, 1, 1]})


def test_an_answer_turn_reads_back():
    turn = assistant("two: ", Box(0, 0, 1, 1))
    assert from_plain(to_plain(turn)) == turn
